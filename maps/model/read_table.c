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

unsigned int running_member_room(const struct config_service *service)
{
	return service->table_id ? service->table_words - words_of_slots(service) : 0;
}

const struct member *running_members(const struct config_service *service,
				     const struct slots *words)
{
	return (const struct member *)(words + words_of_slots(service));
}

/* By a look for these entries alone: to map a table, as well as to unmap it, takes longer. */
struct member *read_members(const struct config_service *service, int map)
{
	unsigned int room = running_member_room(service);
	struct member *members = calloc(room + 1, sizeof(*members));

	_Static_assert(sizeof(*members) == sizeof(struct slots), "an entry each");
	if (members && room && map_read_from(map, words_of_slots(service), members, room)) {
		free(members);
		return NULL;
	}
	return members;
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

bool use_table(struct config_service *service, const struct bpf_map_info *info)
{
	if (words_of_slots(service) > info->max_entries)
		return false;
	service->table_id = info->id;
	service->table_words = info->max_entries;
	return true;
}

int open_running_table(const struct balancer *balancer, struct config_service *service)
{
	int map = open_table(balancer, service->table);
	struct bpf_map_info info;

	if (map >= 0 && !map_info(map, &info)) {
		limit_slots(service, info.max_entries);
		use_table(service, &info);
		return map;
	}
	if (map >= 0)
		close(map);
	service->table_id = 0;
	service->running_slots = 0;
	service->moving = false;
	return -ENOENT;
}
