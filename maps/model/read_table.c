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

void list_tables(const struct balancer *balancer, __u32 *ids, bool *has_table)
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
			ids[number] = has_table[number] ? 0 : id;
			has_table[number] = true;
		}
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
	service->table_id = info->id;
	service->table_words = info->max_entries;
	limit_slots(service);
	service->tail_size = size_of_words(service->table_words) - tail_offset(service);
	service->tail = map_memory_from(map, tail_offset(service), service->tail_size);
	if (!service->tail)
		service->tail_size = 0;
}

/* `id`: as of list_tables(). */
static void map_table(const struct balancer *balancer, struct config_service *service, __u32 id)
{
	int map = id ? map_open_id(id) : open_table(balancer, service->table);
	struct bpf_map_info info;

	if (map >= 0 && !map_info(map, &info))
		map_members(service, map, &info);
	if (map >= 0)
		close(map);
	if (service->tail)
		return;
	service->table_id = 0;
	service->running_slots = 0;
	service->moving = false;
}

int map_tables(const struct balancer *balancer, struct configuration *config)
{
	__u32 *ids = calloc(MAX_TABLES, sizeof(*ids));

	if (!ids)
		return -ENOMEM;
	list_tables(balancer, ids, config->has_table);
	for_each_service(service, config) {
		__u32 number = service->table;

		map_table(balancer, service, number < MAX_TABLES ? ids[number] : 0);
	}
	free(ids);
	return 0;
}
