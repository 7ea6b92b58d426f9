// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/membarrier.h>

#include "kernel/bpf.h"
#include "kernel/store.h"

static int call(enum bpf_cmd command, union bpf_attr *attr)
{
	int result = syscall(__NR_bpf, command, attr, sizeof(*attr));

	return result < 0 ? -errno : result;
}

static __u64 pointer(const void *at)
{
	return (unsigned long)at;
}

/* A call that changes a map. */
static int change(enum bpf_cmd command, union bpf_attr *attr)
{
	int result = call(command, attr);

	note_store();
	return result;
}

/* All bytes zero: an initializer of one member would leave the rest of a union as it is. */
static const union bpf_attr no_attr;

int map_open_id(__u32 id)
{
	union bpf_attr attr = no_attr;

	attr.map_id = id;
	return call(BPF_MAP_GET_FD_BY_ID, &attr);
}

int map_open_pin(const char *path)
{
	union bpf_attr attr = no_attr;

	attr.pathname = pointer(path);
	return call(BPF_OBJ_GET, &attr);
}

int map_create_array(const char *name, __u32 value_size, __u32 entries, __u32 flags)
{
	union bpf_attr attr = no_attr;

	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = sizeof(__u32);
	attr.value_size = value_size;
	attr.max_entries = entries;
	attr.map_flags = flags;
	strncpy(attr.map_name, name, sizeof(attr.map_name) - 1);
	return call(BPF_MAP_CREATE, &attr);
}

int map_create_like(const struct bpf_map_info *info, int inner)
{
	union bpf_attr attr = no_attr;

	attr.map_type = info->type;
	attr.key_size = info->key_size;
	attr.value_size = info->value_size;
	attr.max_entries = info->max_entries;
	attr.map_flags = info->map_flags;
	if (inner >= 0)
		attr.inner_map_fd = inner;
	memcpy(attr.map_name, info->name, sizeof(attr.map_name) - 1);
	return call(BPF_MAP_CREATE, &attr);
}

static int get_info(int object, void *info, __u32 size)
{
	union bpf_attr attr = no_attr;

	attr.info.bpf_fd = object;
	attr.info.info_len = size;
	attr.info.info = pointer(info);
	return call(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

int map_info(int map, struct bpf_map_info *info)
{
	memset(info, 0, sizeof(*info));
	return get_info(map, info, sizeof(*info));
}

int map_lookup(int map, const void *key, void *value)
{
	union bpf_attr attr = no_attr;

	attr.map_fd = map;
	attr.key = pointer(key);
	attr.value = pointer(value);
	return call(BPF_MAP_LOOKUP_ELEM, &attr);
}

int map_update(int map, const void *key, const void *value, __u64 flags)
{
	union bpf_attr attr = no_attr;

	attr.map_fd = map;
	attr.key = pointer(key);
	attr.value = pointer(value);
	attr.flags = flags;
	return change(BPF_MAP_UPDATE_ELEM, &attr);
}

int map_delete(int map, const void *key)
{
	union bpf_attr attr = no_attr;

	attr.map_fd = map;
	attr.key = pointer(key);
	return change(BPF_MAP_DELETE_ELEM, &attr);
}

int map_next_key(int map, const void *key, void *next)
{
	union bpf_attr attr = no_attr;

	attr.map_fd = map;
	attr.key = pointer(key);
	attr.next_key = pointer(next);
	return call(BPF_MAP_GET_NEXT_KEY, &attr);
}

/* `after`: the key before the first, or NULL. */
static int read_batch(int map, const __u32 *after, void *keys, void *values, __u32 *count)
{
	union bpf_attr attr = no_attr;
	__u32 position;
	int result;

	attr.batch.map_fd = map;
	attr.batch.in_batch = pointer(after);
	attr.batch.out_batch = pointer(&position);
	attr.batch.keys = pointer(keys);
	attr.batch.values = pointer(values);
	attr.batch.count = *count;
	result = call(BPF_MAP_LOOKUP_BATCH, &attr);
	*count = attr.batch.count;
	return result == -ENOENT ? 0 : result; /* that is its end */
}

int map_read_all(int map, void *keys, void *values, __u32 *count)
{
	return read_batch(map, NULL, keys, values, count);
}

int map_read_from(int map, __u32 first, void *values, __u32 count)
{
	__u32 *keys = calloc(count, sizeof(*keys)), before = first - 1;
	int result = keys ? read_batch(map, first ? &before : NULL, keys, values, &count) : -ENOMEM;

	free(keys);
	return result;
}

static int batch(enum bpf_cmd command, int map, const void *keys, const void *values, __u32 *count)
{
	union bpf_attr attr = no_attr;
	int result;

	attr.batch.map_fd = map;
	attr.batch.keys = pointer(keys);
	attr.batch.values = pointer(values);
	attr.batch.count = *count;
	result = call(command, &attr);
	*count = attr.batch.count;
	return result;
}

int map_update_batch_unnoted(int map, const void *keys, const void *values, __u32 *count)
{
	return batch(BPF_MAP_UPDATE_BATCH, map, keys, values, count);
}

int map_update_batch(int map, const void *keys, const void *values, __u32 *count)
{
	int result = map_update_batch_unnoted(map, keys, values, count);

	note_store();
	return result;
}

int map_delete_batch(int map, const void *keys, __u32 *count)
{
	int result = batch(BPF_MAP_DELETE_BATCH, map, keys, NULL, count);

	note_store();
	return result;
}

const void *map_memory(int map, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

const void *zero_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void unmap_memory(const void *memory, size_t size)
{
	munmap((void *)memory, size);
}

int program_open_id(__u32 id)
{
	union bpf_attr attr = no_attr;

	attr.prog_id = id;
	return call(BPF_PROG_GET_FD_BY_ID, &attr);
}

static int next_id(enum bpf_cmd command, __u32 *id)
{
	union bpf_attr attr = no_attr;
	int result;

	attr.start_id = *id;
	result = call(command, &attr);
	if (!result)
		*id = attr.next_id;
	return result;
}

int map_next_id(__u32 *id)
{
	return next_id(BPF_MAP_GET_NEXT_ID, id);
}

int program_next_id(__u32 *id)
{
	return next_id(BPF_PROG_GET_NEXT_ID, id);
}

int program_info(int program, struct bpf_prog_info *info, __u32 *map_ids, __u32 *maps)
{
	__u32 room = *maps;
	int result;

	memset(info, 0, sizeof(*info));
	info->nr_map_ids = room;
	info->map_ids = pointer(map_ids);
	result = get_info(program, info, sizeof(*info));
	*maps = info->nr_map_ids < room ? info->nr_map_ids : room;
	return result;
}

int program_test_run(int program, const void *in, __u32 in_size, void *out, __u32 out_size,
		     const void *context, __u32 context_size)
{
	union bpf_attr attr = no_attr;

	attr.test.prog_fd = program;
	attr.test.data_in = pointer(in);
	attr.test.data_size_in = in_size;
	attr.test.data_out = pointer(out);
	attr.test.data_size_out = out_size;
	attr.test.ctx_in = pointer(context);
	attr.test.ctx_size_in = context_size;
	attr.test.repeat = 1;
	return call(BPF_PROG_TEST_RUN, &attr);
}

void wait_for_programs(void)
{
	/* A grace period. A kernel with nohz_full refuses it; a run takes microseconds. */
	if (syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		usleep(50000);
}

int link_open_id(__u32 id)
{
	union bpf_attr attr = no_attr;

	attr.link_id = id;
	return call(BPF_LINK_GET_FD_BY_ID, &attr);
}

int link_next_id(__u32 *id)
{
	return next_id(BPF_LINK_GET_NEXT_ID, id);
}

int link_info(int link, struct bpf_link_info *info)
{
	memset(info, 0, sizeof(*info));
	return get_info(link, info, sizeof(*info));
}

int btf_open_id(__u32 id)
{
	union bpf_attr attr = no_attr;

	attr.btf_id = id;
	return call(BPF_BTF_GET_FD_BY_ID, &attr);
}

int btf_read(int btf, void *data, __u32 size)
{
	struct bpf_btf_info info = { .btf = pointer(data), .btf_size = size };
	int result = get_info(btf, &info, sizeof(info));

	return result < 0 ? result : (int)info.btf_size;
}

int object_pin(int object, const char *path)
{
	union bpf_attr attr = no_attr;

	attr.pathname = pointer(path);
	attr.bpf_fd = object;
	return call(BPF_OBJ_PIN, &attr);
}
