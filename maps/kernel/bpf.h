/* SPDX-License-Identifier: GPL-2.0 */
/* Thin wrappers over bpf(2). All return -errno on failure; those that open return a descriptor. */
#ifndef KERNEL_BPF_H
#define KERNEL_BPF_H

#include <stddef.h>
#include <linux/bpf.h>

int map_open_id(__u32 id);
int map_next_id(__u32 *id);
int map_open_pin(const char *path);
int map_create_array(const char *name, __u32 value_size, __u32 entries, __u32 flags);
/* Of the type, sizes, flags and name in `info`; `inner`: an example of the maps in it, or -1. */
int map_create_like(const struct bpf_map_info *info, int inner);
int map_info(int map, struct bpf_map_info *info);

int map_lookup(int map, const void *key, void *value);
int map_update(int map, const void *key, const void *value, __u64 flags);
int map_delete(int map, const void *key);
int map_next_key(int map, const void *key, void *next); /* key NULL: the first */
/* All entries of a hash, at most *count; *count becomes their number. */
int map_read_all(int map, void *keys, void *values, __u32 *count);
/* `count` entries of an array. */
int map_read_from(int map, __u32 first, void *values, __u32 count);
int map_update_batch(int map, const void *keys, const void *values, __u32 *count);
/* The same for who says note_store() itself, at another time or in another thread. */
int map_update_batch_unnoted(int map, const void *keys, const void *values, __u32 *count);
int map_delete_batch(int map, const void *keys, __u32 *count);

/* Entries of an mmapable array, to read in place and to write by kernel/store.h; NULL: failure. */
const void *map_memory(int map, size_t size);
/* The same of a map that is not there. */
const void *zero_memory(size_t size);
void unmap_memory(const void *memory, size_t size);

int program_open_id(__u32 id);
int program_next_id(__u32 *id);
/* At most *maps of the program's map ids; *maps becomes their number. */
int program_info(int program, struct bpf_prog_info *info, __u32 *map_ids, __u32 *maps);

/* One run on `in`, as if it came in by the context's device. */
int program_test_run(int program, const void *in, __u32 in_size, void *out, __u32 out_size,
		     const void *context, __u32 context_size);

/* Waits until no run of any program is left that has begun before. */
void wait_for_programs(void);

int link_open_id(__u32 id);
int link_next_id(__u32 *id);
int link_info(int link, struct bpf_link_info *info);

int btf_open_id(__u32 id);
/* Copies at most `size` bytes, and returns how many there are. */
int btf_read(int btf, void *data, __u32 size);

int object_pin(int object, const char *path);

#endif
