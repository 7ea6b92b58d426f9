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

static int load_members(const struct balancer *balancer, struct config_service *service, int map)
{
	struct member *members = read_members(service, map);
	unsigned int room = running_member_room(service);

	if (!members)
		return -ENOMEM;
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
	free(members);
	return 0;
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

/* What the maps say of a service. */
struct entry {
	struct endpoint vip;
	struct service_key key;
	struct service service;
};

static bool load_service(const struct balancer *balancer, struct configuration *config,
			 const struct entry *found)
{
	const struct service *entry = &found->service;
	struct config_service *service;

	if (is_zero_address(&found->vip.address) || entry->number > MAX_SERVICES)
		return true; /* half set up by hand */
	service = config_add(config, &found->vip);
	if (!service)
		return false;
	service->mode = entry->mode;
	service->hash = entry->hash;
	service->pick = entry->flags & SERVICE_LEAST ? PICK_LEAST : PICK_HASH;
	service->settle = entry->settle;
	service->number = entry->number;
	service->vip_number = found->key.vip;
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

/* Services, by the numbers of their tables, whose backends are read. */
struct reader {
	const struct balancer *balancer;
	bool *has_table; /* notes which tables there are */
	struct config_service *service[MAX_TABLES]; /* NULL: none, or read */
	bool is_doubtful[MAX_TABLES]; /* there is more than one of the number */
	int result;
};

/* By the members of its table, which is open as it is found: most of the time goes into opening. */
static void read_table(void *context, __u32 number, int map, const struct bpf_map_info *info)
{
	struct reader *reader = context;
	struct config_service *service = reader->service[number];

	reader->is_doubtful[number] = reader->has_table[number];
	reader->has_table[number] = true;
	if (!service || reader->is_doubtful[number] || reader->result)
		return;
	if (use_table(service, info))
		reader->result = load_members(reader->balancer, service, map);
}

/* Of a table whose name does not tell enough: one set up by hand, or one of two. */
static void read_doubtful(struct reader *reader, struct config_service *service)
{
	int map = open_running_table(reader->balancer, service);

	if (map < 0)
		return;
	service->count = 0;
	reader->result = load_members(reader->balancer, service, map);
	close(map);
}

static void read_backends(struct reader *reader, struct configuration *config)
{
	for_each_service(service, config) {
		if (service->table < MAX_TABLES)
			reader->service[service->table] = service;
	}
	visit_tables(reader->balancer, read_table, reader);
	for_each_service(service, config) {
		if (reader->result)
			return;
		if (!service->table_id || reader->is_doubtful[service->table])
			read_doubtful(reader, service);
		if (!service->count)
			load_hand_made(reader->balancer, service);
		judge_backends(service);
	}
}

/* Also notes which tables there are. */
static int load_tables(const struct balancer *balancer, struct configuration *config)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	int result = -ENOMEM;

	if (!reader)
		return result;
	reader->balancer = balancer;
	reader->has_table = config->has_table;
	read_backends(reader, config);
	result = reader->result;
	free(reader);
	return result;
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

static int compare_entries(const void *a, const void *b)
{
	const struct entry *one = a, *other = b;

	return compare_endpoints(&one->vip, &other->vip);
}

/* All services, sorted, so that each is added at the end. Returns their number, or -errno. */
static int read_entries(const struct balancer *balancer, const struct address *vips,
			struct entry *entries)
{
	struct service_key *keys = calloc(MAX_SERVICES, sizeof(*keys));
	struct service *values = calloc(MAX_SERVICES, sizeof(*values));
	__u32 count = MAX_SERVICES;
	int result = -ENOMEM;

	if (keys && values)
		result = map_read_all(balancer->map[MAP_SERVICES], keys, values, &count);
	for (__u32 i = 0; i < count && !result; i++) {
		entries[i].key = keys[i];
		entries[i].service = values[i];
		entries[i].vip.port = keys[i].port;
		entries[i].vip.protocol = keys[i].protocol;
		if (keys[i].vip <= MAX_SERVICES)
			entries[i].vip.address = vips[keys[i].vip];
	}
	free(keys);
	free(values);
	if (result)
		return result;
	qsort(entries, count, sizeof(*entries), compare_entries);
	return count;
}

static int load_services(const struct balancer *balancer, struct configuration *config,
			 const struct address *vips)
{
	struct entry *entries = calloc(MAX_SERVICES, sizeof(*entries));
	int count = entries ? read_entries(balancer, vips, entries) : -ENOMEM;
	int result = count < 0 ? count : 0;

	for (int i = 0; i < count && !result; i++) {
		if (!load_service(balancer, config, &entries[i]))
			result = -ENOMEM;
	}
	free(entries);
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
		result = load_tables(balancer, config);
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
