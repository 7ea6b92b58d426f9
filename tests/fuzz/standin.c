// SPDX-License-Identifier: GPL-2.0
/* The kernel's maps and helpers, as far as the data path uses them, on the host. */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/bpf_helpers.h"
#include "kernel.h"
#include "standin.h"

#define MIN_FRAME 14 /* ETH_HLEN: less than a header is refused by adjust_head and adjust_tail */
#define XDP_FRAME_SIZE 40 /* struct xdp_frame, which needs room at the front */

uint64_t standin_clock = 1000000000000;

static uint32_t random_state = 1;

void standin_make(struct standin_map *map)
{
	map->keys = calloc(map->entries, map->key_size);
	map->values = aligned_alloc(4096, (map->entries * map->value_size + 4095) / 4096 * 4096);
	if (!map->keys || !map->values)
		abort();
	memset(map->values, 0, map->entries * map->value_size);
}

/* Longest match: a key is struct deny_key, bits first. */
static bool matches_prefix(const uint8_t *entry, const uint8_t *key, size_t key_size)
{
	uint32_t bits;

	memcpy(&bits, entry, sizeof(bits));
	entry += sizeof(bits);
	key += sizeof(bits);
	for (uint32_t i = 0; i < bits && i < 8 * (key_size - sizeof(bits)); i++)
		if ((entry[i / 8] ^ key[i / 8]) & 0x80 >> i % 8)
			return false;
	return true;
}

static long find_entry(const struct standin_map *map, const void *key)
{
	for (size_t i = 0; i < map->used; i++) {
		const uint8_t *entry = map->keys + i * map->key_size;

		if (map->kind == KIND_LPM ? matches_prefix(entry, key, map->key_size) :
					    !memcmp(entry, key, map->key_size))
			return i;
	}
	return -1;
}

void *standin_lookup(const struct standin_map *map, const void *key)
{
	uint32_t index;
	long entry;

	if (map->kind == KIND_ARRAY || map->kind == KIND_TABLES) {
		memcpy(&index, key, sizeof(index));
		entry = index < map->entries ? (long)index : -1;
	} else {
		entry = find_entry(map, key);
	}
	return entry < 0 ? NULL : map->values + entry * map->value_size;
}

/* A full LRU map forgets its first entry, which is the oldest. */
static void forget_first(struct standin_map *map)
{
	map->used--;
	memmove(map->keys, map->keys + map->key_size, map->used * map->key_size);
	memmove(map->values, map->values + map->value_size, map->used * map->value_size);
}

bool standin_update(struct standin_map *map, const void *key, const void *value)
{
	void *there = standin_lookup(map, key);

	if (there) {
		memcpy(there, value, map->value_size);
		return true;
	}
	if (map->kind == KIND_ARRAY || map->kind == KIND_TABLES)
		return false;
	if (map->used == map->entries && map->kind == KIND_LRU)
		forget_first(map);
	if (map->used == map->entries)
		return false;
	memcpy(map->keys + map->used * map->key_size, key, map->key_size);
	memcpy(map->values + map->used * map->value_size, value, map->value_size);
	map->used++;
	return true;
}

void standin_clear(struct standin_map *map)
{
	map->used = 0;
}

/* A map of the program, or an inner one, which has its own address. */
static struct standin_map *find_map(void *name)
{
	struct standin_map *inner = name;

	for (int i = 0; i < STANDIN_MAPS; i++)
		if (standin_maps[i].definition == name)
			return &standin_maps[i];
	if (inner->definition != inner)
		broken("the program uses a map that datapath.c does not register");
	return inner;
}

void *bpf_map_lookup_elem(void *map, const void *key)
{
	struct standin_map *found = find_map(map);
	void *value = standin_lookup(found, key);

	return value && found->kind == KIND_TABLES ? *(void **)value : value;
}

long bpf_map_update_elem(void *map, const void *key, const void *value, __u64 flags)
{
	struct standin_map *found = find_map(map);

	if (flags == BPF_NOEXIST && standin_lookup(found, key))
		return -1;
	return standin_update(found, key, value) ? 0 : -1;
}

__u64 bpf_ktime_get_ns(void)
{
	return standin_clock;
}

__u64 bpf_ktime_get_coarse_ns(void)
{
	return standin_clock;
}

/* At 1,000 Hz. */
__u64 bpf_jiffies64(void)
{
	return standin_clock / 1000000;
}

void standin_seed(uint32_t seed)
{
	random_state = seed;
}

__u32 bpf_get_prandom_u32(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return random_state;
}

__u32 bpf_get_smp_processor_id(void)
{
	return 0;
}

long bpf_loop(__u32 count, void *function, void *context, __u64 flags)
{
	long (*call)(__u32 i, void *context) = function;
	__u32 i = 0;

	(void)flags;
	while (i < count)
		if (call(i++, context))
			break;
	return i;
}

long bpf_xdp_adjust_head(struct xdp_md *ctx, int delta)
{
	struct standin_frame *frame = &standin_frame;
	uint32_t start = (uint32_t)(uintptr_t)frame->buffer + XDP_FRAME_SIZE;
	uint32_t meta = ctx->data - ctx->data_meta;

	if (ctx->data + delta < start + meta || ctx->data + delta > ctx->data_end - MIN_FRAME)
		return -1;
	memmove((void *)(uintptr_t)(ctx->data_meta + delta), (void *)(uintptr_t)ctx->data_meta,
		meta);
	ctx->data += delta;
	ctx->data_meta += delta;
	return 0;
}

long bpf_xdp_adjust_tail(struct xdp_md *ctx, int delta)
{
	uint32_t limit = (uint32_t)(uintptr_t)standin_frame.buffer + standin_frame.size;

	if (ctx->data_end + delta > limit || ctx->data_end + delta < ctx->data + MIN_FRAME)
		return -1;
	if (delta > 0)
		memset((void *)(uintptr_t)ctx->data_end, 0, delta);
	ctx->data_end += delta;
	return 0;
}

__u64 bpf_xdp_get_buff_len(struct xdp_md *ctx)
{
	return ctx->data_end - ctx->data;
}

long bpf_redirect(__u32 ifindex, __u64 flags)
{
	(void)ifindex;
	(void)flags;
	return XDP_REDIRECT;
}

/* Every other queue has a socket. */
long bpf_redirect_map(void *map, __u64 index, __u64 flags)
{
	(void)map;
	return index % 2 ? XDP_REDIRECT : (long)flags;
}

/* The device carries no more than Ethernet does. */
long bpf_check_mtu(void *ctx, __u32 ifindex, __u32 *length, __s32 difference, __u64 flags)
{
	(void)ctx;
	(void)ifindex;
	(void)flags;
	return *length + difference > 1500 ? BPF_MTU_CHK_RET_FRAG_NEEDED : 0;
}

/* The kernel knows the way to three of four, and of the rest has an answer of each kind. */
long bpf_fib_lookup(void *ctx, struct bpf_fib_lookup *way, int size, __u32 flags)
{
	static const uint8_t mac[] = { 2, 0, 0, 0, 0, 9 };
	uint8_t kind = way->dport >> 8;

	(void)ctx;
	(void)size;
	(void)flags;
	memcpy(way->dmac, mac, sizeof(mac));
	memcpy(way->smac, mac, sizeof(mac));
	way->mtu_result = 1500;
	return kind % 4 ? BPF_FIB_LKUP_RET_SUCCESS : kind / 4 % (BPF_FIB_LKUP_RET_FRAG_NEEDED + 1);
}

/* One port in 32 is one that a socket of the host has. */
static struct bpf_sock *socket_at(const struct bpf_sock_tuple *tuple, __u32 size)
{
	static struct bpf_sock sock;
	__be16 port = size == sizeof(tuple->ipv4) ? tuple->ipv4.dport : tuple->ipv6.dport;

	return ntohs(port) % 32 == 7 ? &sock : NULL;
}

struct bpf_sock *bpf_skc_lookup_tcp(void *ctx, struct bpf_sock_tuple *tuple, __u32 size,
				    __u64 netns, __u64 flags)
{
	(void)ctx;
	(void)netns;
	(void)flags;
	return socket_at(tuple, size);
}

struct bpf_sock *bpf_sk_lookup_udp(void *ctx, struct bpf_sock_tuple *tuple, __u32 size, __u64 netns,
				   __u64 flags)
{
	return bpf_skc_lookup_tcp(ctx, tuple, size, netns, flags);
}

long bpf_sk_release(void *sock)
{
	(void)sock;
	return 0;
}

static struct event event;

void *bpf_ringbuf_reserve(void *map, __u64 size, __u64 flags)
{
	(void)map;
	(void)flags;
	return size == sizeof(event) ? &event : NULL;
}

void bpf_ringbuf_submit(void *data, __u64 flags)
{
	(void)data;
	(void)flags;
}
