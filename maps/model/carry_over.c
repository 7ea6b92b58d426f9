// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/bpf.h"
#include "kernel/store.h"
#include "model/carry_over.h"
#include "model/read_table.h"
#include "model/slots.h"
#include "model/structures.h"
#include "model/write_table.h"

#define WORD_SIZE sizeof(struct slots) /* of a table */

/* The configuration's maps, as maps/maps.bpf.h has them, and what is in them. `key` NULL: an index;
 * `value` NULL: it is taken as it is. Tables are carried over by services. */
static const struct carried {
	enum map_index map;
	__u32 type, flags;
	const struct structure *key, *value;
} carried[] = {
	{ MAP_CONFIG, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, NULL, &config_structure },
	{ MAP_VIPS, BPF_MAP_TYPE_HASH, 0, &address_structure, &vip_structure },
	{ MAP_ADDRESSES, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, NULL, NULL },
	{ MAP_POOL, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, NULL, NULL },
	{ MAP_LEAST, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, NULL, NULL },
	{ MAP_LIVE, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, NULL, NULL },
	{ MAP_PORTS, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, NULL, NULL },
	{ MAP_SERVICES, BPF_MAP_TYPE_HASH, 0, &service_key_structure, &service_structure },
	{ MAP_TABLES, BPF_MAP_TYPE_ARRAY_OF_MAPS, 0, NULL, NULL },
	{ MAP_BACKENDS, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, NULL, &backend_structure },
	{ MAP_REALS, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, &real_key_structure, NULL },
	{ MAP_REPLIES, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, NULL, &answer_structure },
	{ MAP_OWN, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, &own_key_structure, NULL },
	{ MAP_DENY, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, &deny_key_structure, NULL },
	{ MAP_LIMITS, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, NULL, &limit_structure },
	{ MAP_CHECKS, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, NULL, &check_structure },
	{ MAP_WATCHER, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, NULL, NULL },
};

#define CARRIED (sizeof(carried) / sizeof(*carried))

bool is_configuration(enum map_index index)
{
	for (unsigned int i = 0; i < CARRIED; i++) {
		if (carried[i].map == index)
			return true;
	}
	return false;
}

bool has_no_packet_maps(const struct balancer *balancer)
{
	for (int i = 0; i < MAPS; i++) {
		if (is_packet_map(i) && balancer->map[i] >= 0)
			return false;
	}
	return !balancer->program;
}

int differing_map(const struct balancer *balancer)
{
	bool is_for_sockets = has_no_packet_maps(balancer);
	struct bpf_map_info info;

	for (int i = 0; i < MAPS; i++) {
		if (is_for_sockets && is_packet_map(i))
			continue;
		if (balancer->map[i] < 0 || map_info(balancer->map[i], &info) ||
		    info.key_size != map_layouts[i].key_size ||
		    info.value_size != map_layouts[i].value_size ||
		    info.max_entries != map_layouts[i].entries)
			return i;
	}
	return MAPS;
}

__u32 layout_of(const struct balancer *balancer)
{
	struct bpf_map_info info;

	if (balancer->map[MAP_CONFIG] < 0 || map_info(balancer->map[MAP_CONFIG], &info))
		return 0;
	return info.max_entries;
}

/* A map on its way. */
struct carrier {
	const struct balancer *from;
	struct balancer *to;
	const struct btf *btf; /* of `from` */
	const struct carried *what;
	__u32 key_type, value_type; /* in `btf` */
	/* An entry there, and here. */
	char *old_key, *old_value, *key, *value;
};

static bool is_zero(const char *bytes, __u32 size)
{
	while (size && !*bytes) {
		bytes++;
		size--;
	}
	return !size;
}

/* Takes over the entry in old_key and old_value. An array has all entries; those of zero stay. */
static int carry_entry(struct carrier *carrier)
{
	const struct map_layout *layout = &map_layouts[carrier->what->map];
	bool is_array = carrier->what->type == BPF_MAP_TYPE_ARRAY;

	memset(carrier->key, 0, layout->key_size);
	memset(carrier->value, 0, layout->value_size);
	if (carrier->what->key)
		convert(carrier->what->key, carrier->btf, carrier->key_type, carrier->old_key,
			carrier->key);
	else
		memcpy(carrier->key, carrier->old_key, layout->key_size);
	if (carrier->what->value)
		convert(carrier->what->value, carrier->btf, carrier->value_type, carrier->old_value,
			carrier->value);
	else
		memcpy(carrier->value, carrier->old_value, layout->value_size);
	if (is_array && is_zero(carrier->value, layout->value_size))
		return 0;
	return map_update(carrier->to->map[carrier->what->map], carrier->key, carrier->value,
			  BPF_ANY);
}

static int carry_entries(struct carrier *carrier)
{
	int map = carrier->from->map[carrier->what->map], result;
	char *previous = NULL;

	while (!(result = map_next_key(map, previous, carrier->old_key))) {
		previous = carrier->old_key;
		result = map_lookup(map, carrier->old_key, carrier->old_value);
		if (!result)
			result = carry_entry(carrier);
		if (result)
			return result;
	}
	return result == -ENOENT ? 0 : result;
}

/* The types of key and value there; what is a plain number or nothing of ours has none. */
static bool find_types(struct carrier *carrier, const struct bpf_map_info *info)
{
	const struct carried *what = carrier->what;

	if (what->key)
		carrier->key_type = find_struct(carrier->btf, what->key->name);
	if (what->value)
		carrier->value_type = find_struct(carrier->btf, what->value->name);
	if ((what->key && !carrier->key_type) || (what->value && !carrier->value_type))
		return false;
	return what->value || info->value_size == map_layouts[what->map].value_size;
}

/* A map that the older layout has not stays empty. */
static int carry_map(struct carrier *carrier)
{
	const struct map_layout *layout = &map_layouts[carrier->what->map];
	int map = carrier->from->map[carrier->what->map];
	struct bpf_map_info info;
	int result = -ENOMEM;

	if (map < 0)
		return 0;
	if (map_info(map, &info) || !find_types(carrier, &info))
		return -EINVAL;
	carrier->old_key = malloc(info.key_size);
	carrier->old_value = malloc(info.value_size);
	carrier->key = malloc(layout->key_size);
	carrier->value = malloc(layout->value_size);
	if (carrier->old_key && carrier->old_value && carrier->key && carrier->value)
		result = carry_entries(carrier);
	free(carrier->old_key);
	free(carrier->old_value);
	free(carrier->key);
	free(carrier->value);
	return result;
}

/* A member of layout 5, which had no name in BTF. */
static void convert_first_member(const void *from, struct member *to)
{
	const struct {
		__u16 backend, weight;
		__u8 state, eligible;
		__u16 generation;
	} *member = from;

	to->backend = member->backend;
	to->weight = member->weight;
	to->state = member->state;
	to->flags = member->eligible ? MEMBER_ELIGIBLE : 0;
	to->generation = member->generation;
}

/* Slots and transitions are what they were in all layouts. */
static void convert_table(const struct btf *btf, const struct service *service, const char *from,
			  char *to, __u32 words)
{
	__u32 type = find_struct(btf, member_structure.name);
	__u32 first = words_of(service->slots) +
		      (service->flags & SERVICE_MOVING ? service->slots : 0);

	if (first > words)
		first = words;
	memcpy(to, from, first * WORD_SIZE);
	for (__u32 i = first; i < words; i++) {
		if (type)
			convert(&member_structure, btf, type, from + i * WORD_SIZE,
				to + i * WORD_SIZE);
		else
			convert_first_member(from + i * WORD_SIZE,
					     (struct member *)(to + i * WORD_SIZE));
	}
}

/* A map with the table of a service, or a negative error. */
static int copy_table(const struct carrier *carrier, const struct service *service, int old)
{
	size_t size;
	const void *from, *to;
	struct bpf_map_info info;
	char *content;
	int map;

	if (map_info(old, &info))
		return -EINVAL;
	name_table(info.name, carrier->to, service->table);
	map = map_create_like(&info, -1);
	size = info.max_entries * WORD_SIZE;
	from = map_memory(old, size);
	to = map < 0 ? NULL : map_memory(map, size);
	content = calloc(1, size);
	if (from && to && content) {
		convert_table(carrier->btf, service, from, content, info.max_entries);
		store_bytes(to, content, size);
	} else if (map >= 0) {
		close(map);
		map = -ENOMEM;
	}
	if (from)
		unmap_memory(from, size);
	if (to)
		unmap_memory(to, size);
	free(content);
	return map;
}

/* Tables that are made, on their way into xlb_tables. */
struct batch {
	__u32 key[MAX_TABLES], map[MAX_TABLES];
	__u32 count;
};

static int carry_table(const struct carrier *carrier, const struct service *service,
		       const __u32 *tables, struct batch *batch)
{
	__u32 id = service->table < MAX_TABLES ? tables[service->table] : 0;
	int old = id ? map_open_id(id) : open_table(carrier->from, service->table), map;

	if (old < 0)
		return 0; /* half set up by hand */
	map = service->table < MAX_TABLES ? copy_table(carrier, service, old) : -E2BIG;
	close(old);
	if (map < 0)
		return map;
	batch->key[batch->count] = service->table;
	batch->map[batch->count++] = map;
	return 0;
}

/* Of the services that were taken over. */
static int copy_tables(const struct carrier *carrier, const __u32 *tables, struct batch *batch)
{
	int map = carrier->to->map[MAP_SERVICES], result;
	struct service_key key, *previous = NULL;
	struct service service;

	while (!(result = map_next_key(map, previous, &key))) {
		previous = &key;
		result = map_lookup(map, &key, &service);
		if (!result)
			result = carry_table(carrier, &service, tables, batch);
		if (result)
			return result;
	}
	return result == -ENOENT ? 0 : result;
}

#define MANY_IDS UINT32_MAX

/* Notes the id; 0 in the end: of this number there is none, or more than one. */
static void note_id(void *context, __u32 number, int map, const struct bpf_map_info *info)
{
	__u32 *ids = context;

	(void)map;
	ids[number] = ids[number] ? MANY_IDS : info->id;
}

static void list_ids(const struct balancer *balancer, __u32 *ids)
{
	visit_tables(balancer, note_id, ids);
	for (__u32 i = 0; i < MAX_TABLES; i++) {
		if (ids[i] == MANY_IDS)
			ids[i] = 0;
	}
}

static int carry_tables(const struct carrier *carrier)
{
	struct batch *batch = calloc(1, sizeof(*batch));
	__u32 *tables = calloc(MAX_TABLES, sizeof(*tables));
	int result = -ENOMEM;

	if (batch && tables) {
		list_ids(carrier->from, tables);
		result = copy_tables(carrier, tables, batch);
		if (!result && batch->count)
			result = map_update_batch(carrier->to->map[MAP_TABLES], batch->key,
						  batch->map, &batch->count);
		for (__u32 i = 0; i < batch->count; i++)
			close(batch->map[i]);
	}
	free(batch);
	free(tables);
	return result;
}

static int carry_maps(struct carrier *carrier)
{
	for (unsigned int i = 0; i < CARRIED; i++) {
		int result;

		carrier->what = &carried[i];
		if (carrier->what->map == MAP_TABLES)
			continue;
		result = carry_map(carrier);
		if (result)
			return result;
	}
	return carry_tables(carrier);
}

enum status carry_config(const struct balancer *from, struct balancer *to)
{
	struct btf *btf = load_btf(from->map[MAP_SERVICES]);
	struct carrier carrier = { .from = from, .to = to, .btf = btf };
	int result;

	if (!btf)
		return fail(FAILED, "the maps do not say what is in them: they have no BTF");
	result = carry_maps(&carrier);
	free_btf(btf);
	if (!result)
		return DONE;
	if (result == -E2BIG)
		return fail(FAILED, "the balancer has more than this xdp-lb has room for");
	return fail(FAILED, "cannot take over the configuration: %s", strerror(-result));
}

static int make_map(const struct carried *what)
{
	const struct map_layout *layout = &map_layouts[what->map];
	struct bpf_map_info info = {
		.type = what->type,
		.map_flags = what->flags,
		.key_size = layout->key_size,
		.value_size = layout->value_size,
		.max_entries = layout->entries,
	};
	int inner = -1, map;

	strncpy(info.name, layout->name, sizeof(info.name) - 1);
	if (what->type == BPF_MAP_TYPE_ARRAY_OF_MAPS)
		inner = map_create_array("xlb_no_table", WORD_SIZE, 1, TABLE_FLAGS);
	map = map_create_like(&info, inner);
	if (inner >= 0)
		close(inner);
	return map;
}

static enum status make_maps(struct balancer *copy)
{
	struct bpf_map_info info;

	for (unsigned int i = 0; i < CARRIED; i++) {
		int map = make_map(&carried[i]);

		if (map < 0)
			return fail(FAILED, "cannot make a map: %s", strerror(-map));
		copy->map[carried[i].map] = map;
	}
	if (!map_info(copy->map[MAP_SERVICES], &info))
		copy->id = info.id;
	return DONE;
}

enum status become_copy(struct balancer *balancer)
{
	struct balancer copy = *balancer;
	enum status status = lock_balancer(balancer);

	for (int i = 0; i < MAPS; i++)
		copy.map[i] = -1;
	if (!status)
		status = make_maps(&copy);
	if (!status)
		status = carry_config(balancer, &copy);
	unlock_balancer(balancer);
	for (int i = 0; i < MAPS; i++) {
		if (balancer->map[i] >= 0)
			close(balancer->map[i]);
	}
	*balancer = copy;
	return status;
}
