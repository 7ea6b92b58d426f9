// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/bpf.h"
#include "model/maglev.h"
#include "model/pool.h"
#include "model/read_config.h"
#include "model/read_table.h"
#include "model/vips.h"

/*
 * Adds a backend by its record. Returns NULL if the record is no backend's or there is no memory.
 */
static struct config_backend *load_backend(const struct balancer *balancer,
					   struct config_service *service, __u16 number)
{
	const struct backend *record = &balancer->backends[number];
	struct endpoint real = { .address = record->address, .port = record->port };
	int hop = record->flags & BACKEND_HOP ? 1 : 0;
	struct config_backend *backend;

	if (is_zero_address(&real.address) || backend_find(service, &real))
		return NULL;
	backend = backend_insert(service, &real);
	if (!backend)
		return NULL;
	backend->number = number;
	backend->generation = record->generation;
	backend->drained = record->drained;
	backend->mac_given = record->flags & BACKEND_MAC_GIVEN;
	backend->needs_no_hop = !has_data_path(balancer);
	backend->hop = record->hop[hop];
	backend->mtu = record->mtu[hop];
	return backend;
}

/* Mode dnat: the next hop to clients, by its record. */
static void load_via(const struct balancer *balancer, struct config_service *service)
{
	__u16 number = balancer->answers[service->number].via;
	const struct backend *record = &balancer->backends[number];
	int hop = record->flags & BACKEND_HOP ? 1 : 0;

	if (!number || number > MAX_BACKENDS || service->mode != MODE_DNAT)
		return;
	service->via.real.address = record->address;
	service->via.number = number;
	service->via.generation = record->generation;
	service->via.hop = record->hop[hop];
	service->via.mtu = record->mtu[hop];
}

static bool is_member(const struct member *member)
{
	return member->backend && member->backend <= MAX_BACKENDS && member->weight &&
	       member->weight <= MAX_WEIGHT && member->state <= STATE_DOWN;
}

static void load_members(const struct balancer *balancer, struct config_service *service)
{
	const struct member *members = running_members(service);
	unsigned int room = running_member_room(service);

	for (unsigned int i = 0; i < room; i++) {
		struct config_backend *backend;

		if (!is_member(&members[i]))
			continue;
		backend = load_backend(balancer, service, members[i].backend);
		if (!backend)
			continue;
		backend->weight = members[i].weight;
		backend->state = members[i].state;
		backend->was_eligible = members[i].flags & MEMBER_ELIGIBLE;
		backend->is_backup = members[i].flags & MEMBER_BACKUP;
		backend->health = members[i].flags & MEMBER_FAILING ? HEALTH_FAILING :
				  members[i].flags & MEMBER_OK	    ? HEALTH_OK :
								      HEALTH_UNKNOWN;
		backend->generation = members[i].generation;
	}
}

/* A table that was set up by hand: those of its slots are its backends. */
static void load_hand_made(const struct balancer *balancer, struct config_service *service)
{
	bool *seen = calloc(MAX_BACKENDS + 1, sizeof(*seen));
	struct slot *slots = read_running_slots(service);

	for (__u32 i = 0; i < service->running_slots && seen && slots; i++) {
		__u16 number = slots[i].backend;
		struct config_backend *backend;

		if (!number || number > MAX_BACKENDS || seen[number])
			continue;
		seen[number] = true;
		backend = load_backend(balancer, service, number);
		if (backend)
			backend->was_eligible = is_resolved(&backend->hop);
	}
	free(slots);
	free(seen);
}

/* What was written by hand may be anything. */
static void load_check(struct config_service *service, const struct check *check)
{
	struct check *loaded = &service->check;

	*loaded = *check;
	loaded->word[CHECK_WORD - 1] = '\0';
	loaded->host[CHECK_WORD - 1] = '\0';
	if (loaded->type >= CHECK_TYPES || !loaded->interval || !loaded->timeout || !loaded->rise ||
	    !loaded->fall)
		memset(loaded, 0, sizeof(*loaded));
}

static bool load_service(const struct balancer *balancer, struct configuration *config,
			 const struct service_key *key, const struct service *entry,
			 const struct address *address)
{
	struct endpoint vip = { .address = *address, .port = key->port, .protocol = key->protocol };
	struct config_service *service;

	if (is_zero_address(address) || entry->number > MAX_SERVICES)
		return true; /* half set up by hand */
	service = config_add(config, &vip);
	if (!service)
		return false;
	service->mode = entry->mode;
	service->hash = entry->hash;
	service->pick = entry->flags & SERVICE_LEAST ? PICK_LEAST : PICK_HASH;
	service->settle = entry->settle;
	service->number = entry->number;
	service->vip_number = key->vip;
	service->table = entry->table;
	service->changed = entry->changed;
	service->limit = balancer->limits[entry->number];
	load_via(balancer, service);
	load_check(service, &balancer->checks[entry->number]);
	service->running_slots = entry->slots;
	service->moving = entry->flags & SERVICE_MOVING;
	service->slots = entry->slots < MAX_SLOTS ? entry->slots : MAX_SLOTS;
	while (!is_prime(service->slots))
		service->slots++;
	return true;
}

/* By the members of their tables. */
static void load_backends(const struct balancer *balancer, struct configuration *config)
{
	for_each_service(service, config) {
		load_members(balancer, service);
		if (!service->count)
			load_hand_made(balancer, service);
		judge_backends(service);
	}
}

/* The addresses of all VIPs, by number. */
static int load_vips(const struct balancer *balancer, struct address *addresses)
{
	struct vips vips;
	int result = read_vips(balancer, &vips);

	for (__u32 i = 0; i < vips.count; i++) {
		if (vips.vip[i].number <= MAX_SERVICES)
			addresses[vips.vip[i].number] = vips.address[i];
	}
	free_vips(&vips);
	return result;
}

static int load_services(const struct balancer *balancer, struct configuration *config,
			 const struct address *vips)
{
	struct service_key *keys = calloc(MAX_SERVICES, sizeof(*keys));
	struct service *values = calloc(MAX_SERVICES, sizeof(*values));
	__u32 count = MAX_SERVICES;
	int result = -ENOMEM;

	if (keys && values)
		result = map_read_all(balancer->map[MAP_SERVICES], keys, values, &count);
	for (__u32 i = 0; i < count && !result; i++) {
		if (keys[i].vip <= MAX_SERVICES &&
		    !load_service(balancer, config, &keys[i], &values[i], &vips[keys[i].vip]))
			result = -ENOMEM;
	}
	free(keys);
	free(values);
	return result;
}

static int load_denies(const struct balancer *balancer, struct configuration *config)
{
	struct deny_key key, *previous = NULL;

	config->has_denies = true;
	while (!map_next_key(balancer->map[MAP_DENY], previous, &key)) {
		if (config->deny_count > MAX_DENIED || !config_deny(config, &key, NULL))
			return -ENOMEM;
		previous = &key;
	}
	config_sort_denies(config);
	return 0;
}

enum status read_config(struct balancer *balancer, struct configuration *config, bool with_denies)
{
	struct address *vips = calloc(MAX_SERVICES + 1, sizeof(*vips));
	const struct config *settings = balancer->config;
	int result = -ENOMEM;

	config_init(config);
	config->tcp_timeout = tcp_timeout(settings);
	config->fin_timeout = fin_timeout(settings);
	config->udp_timeout = udp_timeout(settings);
	config->pmtu = least_pmtu(settings);
	config->has_table = calloc(MAX_TABLES, sizeof(*config->has_table));
	if (vips && config->has_table)
		result = load_vips(balancer, vips);
	if (!result)
		result = load_services(balancer, config, vips);
	if (!result)
		result = map_tables(balancer, config);
	if (!result)
		load_backends(balancer, config);
	if (!result)
		result = load_sources(balancer, config);
	if (!result && with_denies)
		result = load_denies(balancer, config);
	free(vips);
	if (!result)
		return DONE;
	config_free(config);
	return fail(FAILED, "cannot read the configuration: %s", strerror(-result));
}
