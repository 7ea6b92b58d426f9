// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernel/bpf.h"
#include "model/read_table.h"

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
struct table_services {
	struct configuration *config;
	__u32 service[MAX_TABLES]; /* its place in the configuration, from 1 on; 0: none */
};

static void visit_service_table(void *context, __u32 number, int map,
				const struct bpf_map_info *info)
{
	struct table_services *found = context;
	__u32 service = found->service[number];

	found->config->has_table[number] = true;
	if (service)
		map_members(&found->config->services[service - 1], map, info);
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

int map_tables(const struct balancer *balancer, struct configuration *config)
{
	struct table_services *found = calloc(1, sizeof(*found));

	if (!found)
		return -ENOMEM;
	found->config = config;
	for (unsigned int i = 0; i < config->count; i++) {
		if (config->services[i].table < MAX_TABLES)
			found->service[config->services[i].table] = i + 1;
	}
	visit_tables(balancer, visit_service_table, found);
	free(found);
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
