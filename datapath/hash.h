/* SPDX-License-Identifier: GPL-2.0 */
/* The hash that selects slots; the one that finds flows, flow_hash(), is in maps/xdp_lb.h. */
#ifndef HASH_H
#define HASH_H

#include "csum.h"
#include "xx_hash.h"

/*
 * The hash that selects slots, the same on every balancer (Katran's idea: no secret, no state):
 * XXH32 of the peer's address and both ports. Not of the VIP's number, which is not the same
 * everywhere, nor of the protocol: a client that has the same ports in both is rare.
 */
static __always_inline __u32 slot_hash(const __u64 peer[2], __u32 ports)
{
	__u32 word[] = { peer[0], peer[0] >> 32, peer[1], peer[1] >> 32 };

	return xxh32_key(word, ports);
}

static __always_inline __u32 flow_hash_of(const struct config *config, const struct tuple *tuple)
{
	const __u64 *word = (const __u64 *)tuple;

	return flow_hash(config, word, hashed_tail(word[2], word[2] >> 32));
}

/*
 * Draws the factors of flow_hash() that are missing. Whoever comes first does it: a loader alone
 * may have attached the program. Without them the fast path finds no flow, so this is for the slow
 * one.
 */
static __always_inline void draw_secret(struct config *config)
{
	if (READ_ONCE(config->secret[HASH_FACTORS - 1]))
		return;
#pragma unroll
	for (int i = 0; i < HASH_FACTORS; i++) {
		__u64 drawn = (__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32() | 1;

		__sync_val_compare_and_swap(&config->secret[i], 0, drawn);
	}
}

/* Place of a key in a cache with 2^`bits` entries: the topmost bits of the product depend on all of
 * the key's. */
static __always_inline __u32 cache_index(__u64 key, int bits)
{
	return (key ^ key >> 32) * GOLDEN_RATIO >> (64 - bits);
}

#endif
