// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/bpf.h"
#include "kernel/store.h"
#include "lib/clock.h"
#include "model/counters.h"
#include "model/maglev.h"
#include "model/read_table.h"
#include "model/slots.h"
#include "model/write_table.h"

#define MUCH_GARBAGE 8 /* old tables that are thrown out; fewer wait for their numbers to be used */

/* The claims of the service's backends, and their numbers: one more than there are, of 0: none. */
static void list_claims(const struct config_service *service, struct claim *claims, __u16 *numbers)
{
	for (unsigned int i = 0; i < service->count; i++) {
		const struct config_backend *backend = &service->backends[i];

		claims[i].address = backend->real.address;
		claims[i].port = backend->real.port;
		claims[i].weight = backend->weight;
		claims[i].eligible = backend->is_eligible;
		numbers[i + 1] = backend->number;
	}
}

/* Fills in the backends. */
static int fill_backends(const struct config_service *service, struct slot *slots)
{
	struct claim *claims = calloc(service->count + 1, sizeof(*claims));
	__u16 *numbers = calloc(service->count + 1, sizeof(*numbers));
	__u16 *backend = malloc(service->slots * sizeof(*backend));
	int result = -ENOMEM;

	if (!claims || !numbers || !backend)
		goto cleanup;
	list_claims(service, claims, numbers);
	result = fill_table(backend, service->slots, claims, service->count);
	for (__u32 i = 0; i < service->slots && !result; i++)
		slots[i].backend = numbers[backend[i]];
cleanup:
	free(claims);
	free(numbers);
	free(backend);
	return result;
}

__u8 member_flags(const struct config_backend *backend)
{
	static const __u8 of_health[] = {
		[HEALTH_UNKNOWN] = 0,
		[HEALTH_OK] = MEMBER_OK,
		[HEALTH_FAILING] = MEMBER_FAILING,
	};

	return (backend->is_eligible ? MEMBER_ELIGIBLE : 0) | of_health[backend->health] |
	       (backend->is_backup ? MEMBER_BACKUP : 0);
}

static void store_member_health(const struct member *running, const struct config_backend *backend)
{
	struct member member = *running;
	__u32 word;

	member.flags = (member.flags & ~MEMBER_HEALTH) | (member_flags(backend) & MEMBER_HEALTH);
	memcpy(&word, &member.state, sizeof(word));
	store_word(&running->state, word, sizeof(word));
}

/* A table that was set up by hand has no members. */
void store_health(const struct config_service *running, const struct config_backend *backend)
{
	const struct slots *words = map_running_table(running);
	const struct member *members = running_members(running, words);

	for (unsigned int i = 0; words && i < running_member_room(running); i++) {
		if (members[i].backend == backend->number && members[i].weight) {
			store_member_health(&members[i], backend);
			break;
		}
	}
	if (words)
		unmap_running_table(running, words);
}

static void fill_members(const struct config_service *service, struct member *members)
{
	for (unsigned int i = 0; i < service->count; i++) {
		const struct config_backend *backend = &service->backends[i];

		members[i].backend = backend->number;
		members[i].weight = backend->weight;
		members[i].state = backend->state;
		members[i].flags = member_flags(backend);
		members[i].generation = backend->generation;
	}
}

/* Whether there may be flows that a moved slot must not break. In mode nat each is in the flow
 * table anyway. */
static bool needs_transitions(const struct balancer *balancer, const struct config_service *running,
			      const struct config_service *wanted)
{
	struct service_stats stats;

	if (running->mode != wanted->mode || wanted->mode == MODE_NAT ||
	    running->hash != wanted->hash)
		return false;
	return read_service_stats(balancer, wanted->number, &stats) || has_carried(&stats);
}

/* Returns whether there are any. `before`: the slots that run, as many as are wanted. */
static bool fill_transitions(const struct balancer *balancer, const struct config_service *running,
			     struct config_service *wanted, struct slot *slots,
			     const struct slot *before)
{
	bool *is_live = calloc(65536, sizeof(*is_live));
	struct aftermath aftermath = {
		.is_live = is_live,
		.now = tick_now(),
		.config = balancer->config,
		.settle = running->settle,
	};
	bool moving = false;

	if (!is_live)
		return false;
	for_each_backend(backend, wanted)
		is_live[backend->number] = !backend->is_cut;
	if (start_transitions(slots, before, wanted->slots, &aftermath))
		wanted->changed = aftermath.now;
	for (__u32 i = 0; i < wanted->slots && !moving; i++)
		moving = slots[i].former;
	free(is_live);
	return moving;
}

/* `before`: the slots that run, as many as are wanted; NULL: there are none. */
static void note_moved(struct config_service *wanted, const struct slot *slots,
		       const struct slot *before)
{
	wanted->is_rebuilt = true;
	wanted->moved = 0;
	for (__u32 i = 0; i < wanted->slots; i++)
		wanted->moved += !before || before[i].backend != slots[i].backend;
}

/* The slots that run, if they are as many as are wanted. */
static struct slot *comparable_slots(const struct config_service *running,
				     const struct config_service *wanted)
{
	if (!running || running->running_slots != wanted->slots)
		return NULL;
	return read_running_slots(running);
}

/* Fills the words of the table into its map, which nothing names yet. */
static int fill_map(int map, const struct config_service *wanted, const struct slot *slots,
		    __u32 words, size_t size)
{
	const void *memory = map_memory(map, size);
	void *content = calloc(1, size);

	if (memory && content) {
		write_slots(content, slots, wanted->slots, wanted->moving);
		fill_members(wanted, (struct member *)content + words);
		store_bytes(memory, content, size);
	}
	if (memory)
		unmap_memory(memory, size);
	free(content);
	return memory && content ? 0 : -ENOMEM;
}

/* A map of the table, without its name in xlb_tables yet; or a negative error. */
static int write_table(struct balancer *balancer, const struct config_service *wanted,
		       const struct slot *slots)
{
	__u32 words = words_of(wanted->slots) + (wanted->moving ? wanted->slots : 0);
	__u32 entries = words + wanted->count;
	char name[BPF_OBJ_NAME_LEN];
	int map;

	name_table(name, balancer, wanted->table);
	map = map_create_array(name, sizeof(struct slots), entries, TABLE_FLAGS);
	if (map < 0)
		return map;
	if (fill_map(map, wanted, slots, words, entries * sizeof(struct slots))) {
		close(map);
		return -ENOMEM;
	}
	return map;
}

int make_table(struct balancer *balancer, const struct config_service *running,
	       struct config_service *wanted)
{
	struct slot *slots = calloc(wanted->slots, sizeof(*slots));
	struct slot *before = comparable_slots(running, wanted);
	int result = slots ? fill_backends(wanted, slots) : -ENOMEM;

	if (!result) {
		wanted->moving = before && needs_transitions(balancer, running, wanted) &&
				 fill_transitions(balancer, running, wanted, slots, before);
		note_moved(wanted, slots, before);
		result = write_table(balancer, wanted, slots);
	}
	free(before);
	free(slots);
	return result;
}

int plan_table(const struct config_service *running, struct config_service *wanted)
{
	struct slot *slots = calloc(wanted->slots, sizeof(*slots));
	struct slot *before = comparable_slots(running, wanted);
	int result = slots ? fill_backends(wanted, slots) : -ENOMEM;

	if (!result)
		note_moved(wanted, slots, before);
	free(before);
	free(slots);
	return result;
}

/* Entries of xlb_tables. */
static void add_entry(struct table_update *update, __u32 number, int map)
{
	update->key[update->count] = number;
	update->map[update->count++] = map;
}

int put_tables(struct balancer *balancer, const struct new_table *tables, unsigned int count,
	       struct table_update *update)
{
	update->count = 0;
	for (unsigned int i = 0; i < count; i++)
		add_entry(update, tables[i].service->table, tables[i].map);
	if (!count)
		return 0;
	return begin_update(&update->call, balancer->map[MAP_TABLES], update->key, update->map,
			    update->count);
}

static void drop_listed(struct balancer *balancer, struct table_update *update)
{
	int map = map_create_array("xlb_no_table", sizeof(struct slots), 1, TABLE_FLAGS);

	if (map < 0)
		return;
	for (__u32 i = 0; i < update->count; i++)
		update->map[i] = map;
	map_update_batch(balancer->map[MAP_TABLES], update->key, update->map, &update->count);
	close(map);
}

void drop_tables(struct balancer *balancer, const bool *has_table, const struct used *used)
{
	struct table_update *update = calloc(1, sizeof(*update));

	for (__u32 number = 1; number < MAX_TABLES && update; number++) {
		if (has_table[number] && !used->table[number])
			add_entry(update, number, -1);
	}
	if (update && update->count > MUCH_GARBAGE)
		drop_listed(balancer, update);
	free(update);
}
