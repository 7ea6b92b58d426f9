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
#include "model/vips.h"

/* Where the members begin, in words. */
static __u32 words_of_slots(const struct config_service *service)
{
	return words_of(service->running_slots) + (service->moving ? service->running_slots : 0);
}

static size_t size_of_words(__u32 words)
{
	return (size_t)words * sizeof(struct slots);
}

/* Where the page begins in which the first member is. */
static size_t tail_offset(const struct config_service *service)
{
	return size_of_words(words_of_slots(service)) & ~(size_t)(sysconf(_SC_PAGESIZE) - 1);
}

const struct member *running_members(const struct config_service *service)
{
	return (const struct member *)((const char *)service->tail +
				       size_of_words(words_of_slots(service)) -
				       tail_offset(service));
}

unsigned int running_member_room(const struct config_service *service)
{
	return service->tail ? service->table_words - words_of_slots(service) : 0;
}

/* A service set up by hand may name more slots than its table has. */
static void limit_slots(struct config_service *service)
{
	if (words_of_slots(service) <= service->table_words)
		return;
	service->moving = false;
	if (words_of(service->running_slots) > service->table_words)
		service->running_slots = service->table_words * SLOTS_PER_WORD;
}

const struct slots *map_running_table(const struct config_service *service)
{
	int map = service->table_id ? map_open_id(service->table_id) : -1;
	const struct slots *words;

	if (map < 0)
		return NULL;
	words = map_memory(map, size_of_words(service->table_words));
	close(map);
	return words;
}

void unmap_running_table(const struct config_service *service, const struct slots *words)
{
	unmap_memory(words, size_of_words(service->table_words));
}

struct slot *read_running_slots(const struct config_service *service)
{
	const struct slots *words = service->running_slots ? map_running_table(service) : NULL;
	struct slot *slots;

	if (!words)
		return NULL;
	slots = calloc(service->running_slots, sizeof(*slots));
	for (__u32 i = 0; i < service->running_slots && slots; i++)
		slots[i] = read_slot(words, service->running_slots, service->moving, i);
	unmap_running_table(service, words);
	return slots;
}

void name_table(char name[BPF_OBJ_NAME_LEN], const struct balancer *balancer, __u32 number)
{
	snprintf(name, BPF_OBJ_NAME_LEN, "xt%x_%x", balancer->id, number);
}

void visit_tables(const struct balancer *balancer, table_visitor *visit, void *context)
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
		    id_of_balancer == balancer->id && number < MAX_TABLES)
			visit(context, number, map, &info);
		close(map);
	}
}

int open_table(const struct balancer *balancer, __u32 number)
{
	__u32 id;
	int result = map_lookup(balancer->map[MAP_TABLES], &number, &id);

	return result ? result : map_open_id(id);
}

/*
 * Maps the members of the service's table. Its slots are many pages, and to map each takes the
 * kernel longer than all else: they are mapped where they are needed.
 */
static void map_members(struct config_service *service, int map, const struct bpf_map_info *info)
{
	if (service->tail)
		return; /* there are two tables of this number: one is about to go */
	service->table_id = info->id;
	service->table_words = info->max_entries;
	limit_slots(service);
	service->tail_size = size_of_words(service->table_words) - tail_offset(service);
	service->tail = map_memory_from(map, tail_offset(service), service->tail_size);
	if (!service->tail)
		service->tail_size = 0;
}

/* Which service has a table. */
struct owners {
	struct configuration *config;
	__u32 service[MAX_TABLES]; /* its place in the configuration, from 1 on; 0: none */
};

static void visit_owner(void *context, __u32 number, int map, const struct bpf_map_info *info)
{
	struct owners *owners = context;
	__u32 service = owners->service[number];

	owners->config->has_table[number] = true;
	if (service)
		map_members(&owners->config->services[service - 1], map, info);
}

static void map_table_by_hand(const struct balancer *balancer, struct config_service *service)
{
	int map = open_table(balancer, service->table);
	struct bpf_map_info info;

	if (map < 0)
		return;
	if (!map_info(map, &info))
		map_members(service, map, &info);
	close(map);
}

static int map_tables(const struct balancer *balancer, struct configuration *config)
{
	struct owners *owners = calloc(1, sizeof(*owners));

	if (!owners)
		return -ENOMEM;
	owners->config = config;
	for (unsigned int i = 0; i < config->count; i++) {
		if (config->services[i].table < MAX_TABLES)
			owners->service[config->services[i].table] = i + 1;
	}
	visit_tables(balancer, visit_owner, owners);
	free(owners);
	for (unsigned int i = 0; i < config->count; i++) {
		struct config_service *service = &config->services[i];

		if (!service->tail)
			map_table_by_hand(balancer, service);
		if (!service->tail) {
			service->table_id = 0;
			service->running_slots = 0;
			service->moving = false;
		}
	}
	return 0;
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
	for (unsigned int i = 0; i < config->count; i++) {
		struct config_service *service = &config->services[i];

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
