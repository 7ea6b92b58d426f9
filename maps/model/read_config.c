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

#define VALUE_SIZE sizeof(struct slots) /* of every word of a table */

/* Where the members begin, in words. */
static __u32 words_of_slots(const struct config_service *service)
{
	return words_of(service->running_slots) + (service->moving ? service->running_slots : 0);
}

const struct member *running_members(const struct config_service *service)
{
	return (const struct member *)service->table_memory + words_of_slots(service);
}

unsigned int running_member_room(const struct config_service *service)
{
	return service->mapped / VALUE_SIZE - words_of_slots(service);
}

/* A service set up by hand may name more slots than its table has. */
static void limit_slots(struct config_service *service, __u32 words)
{
	if (words_of_slots(service) <= words)
		return;
	service->moving = false;
	if (words_of(service->running_slots) > words)
		service->running_slots = words * SLOTS_PER_WORD;
}

struct slot running_slot(const struct config_service *service, __u32 slot)
{
	return read_slot(service->table_memory, service->running_slots, service->moving, slot);
}

void name_table(char name[BPF_OBJ_NAME_LEN], const struct balancer *balancer, __u32 number)
{
	snprintf(name, BPF_OBJ_NAME_LEN, "xt%x_%x", balancer->id, number);
}

void list_tables(const struct balancer *balancer, __u32 *tables, bool *has_table)
{
	unsigned int id_of_balancer, number;
	struct bpf_map_info info;
	__u32 id = 0;
	char end;

	while (!map_next_id(&id)) {
		int map = map_open_id(id);

		if (map < 0)
			continue;
		if (!map_info(map, &info) &&
		    sscanf(info.name, "xt%x_%x%c", &id_of_balancer, &number, &end) == 2 &&
		    id_of_balancer == balancer->id && number < MAX_TABLES) {
			tables[number] = id;
			has_table[number] = true;
		}
		close(map);
	}
}

int open_table(const struct balancer *balancer, __u32 number, const __u32 *tables)
{
	__u32 id = number < MAX_TABLES ? tables[number] : 0;
	int result = id ? 0 : map_lookup(balancer->map[MAP_TABLES], &number, &id);

	return result ? result : map_open_id(id);
}

/* Maps the service's table, if it has one. */
static void map_table(const struct balancer *balancer, struct config_service *service,
		      const __u32 *tables)
{
	int map = open_table(balancer, service->table, tables);
	struct bpf_map_info info;

	if (map < 0)
		return;
	if (!map_info(map, &info)) {
		service->mapped = info.max_entries * VALUE_SIZE;
		service->table_memory = map_memory(map, service->mapped);
		if (!service->table_memory)
			service->mapped = 0;
		else
			limit_slots(service, info.max_entries);
	}
	close(map);
	if (!service->mapped) {
		service->running_slots = 0;
		service->moving = false;
	}
}

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

	for (__u32 i = 0; i < service->running_slots && seen; i++) {
		__u16 number = running_slot(service, i).backend;
		struct config_backend *backend;

		if (!number || number > MAX_BACKENDS || seen[number])
			continue;
		seen[number] = true;
		backend = load_backend(balancer, service, number);
		if (backend)
			backend->was_eligible = is_resolved(&backend->hop);
	}
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
			 const struct address *address, const __u32 *tables)
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
	map_table(balancer, service, tables);
	service->slots = entry->slots < MAX_SLOTS ? entry->slots : MAX_SLOTS;
	while (!is_prime(service->slots))
		service->slots++;
	load_members(balancer, service);
	if (!service->count)
		load_hand_made(balancer, service);
	judge_backends(service);
	return true;
}

/* The addresses of all VIPs, by number. */
static void load_vips(const struct balancer *balancer, struct address *vips)
{
	struct address key, *previous = NULL;
	struct vip vip;

	for (int i = 0; i < MAX_ADDRESSES; i++) {
		if (map_next_key(balancer->map[MAP_VIPS], previous, &key))
			return;
		if (!map_lookup(balancer->map[MAP_VIPS], &key, &vip) && vip.number <= MAX_SERVICES)
			vips[vip.number] = key;
		previous = &key;
	}
}

static int load_services(const struct balancer *balancer, struct configuration *config,
			 const struct address *vips, const __u32 *tables)
{
	struct service_key key, *previous = NULL;
	struct service entry;
	int result;

	for (int i = 0; i < MAX_SERVICES; i++) {
		result = map_next_key(balancer->map[MAP_SERVICES], previous, &key);
		if (result)
			return result == -ENOENT ? 0 : result;
		if (!map_lookup(balancer->map[MAP_SERVICES], &key, &entry) &&
		    key.vip <= MAX_SERVICES &&
		    !load_service(balancer, config, &key, &entry, &vips[key.vip], tables))
			return -ENOMEM;
		previous = &key;
	}
	return 0;
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
	__u32 *tables = calloc(MAX_TABLES, sizeof(*tables));
	const struct config *settings = balancer->config;
	int result = -ENOMEM;

	config_init(config);
	config->tcp_timeout = tcp_timeout(settings);
	config->fin_timeout = fin_timeout(settings);
	config->udp_timeout = udp_timeout(settings);
	config->pmtu = least_pmtu(settings);
	config->has_table = calloc(MAX_TABLES, sizeof(*config->has_table));
	if (vips && tables && config->has_table) {
		load_vips(balancer, vips);
		list_tables(balancer, tables, config->has_table);
		result = load_services(balancer, config, vips, tables);
	}
	if (!result)
		result = load_sources(balancer, config);
	if (!result && with_denies)
		result = load_denies(balancer, config);
	free(vips);
	free(tables);
	if (!result)
		return DONE;
	config_free(config);
	return fail(FAILED, "cannot read the configuration: %s", strerror(-result));
}
