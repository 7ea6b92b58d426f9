/* SPDX-License-Identifier: GPL-2.0 */
/* The two hashes of a packet's source and ports. */
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

/*
 * The hash that finds flows. Balancers need not agree on it, so it can be cheaper: it waits for two
 * multiplications instead of six. Multiplications and a fold, twice, in the manner of SplitMix64
 * (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). IPv4 tuples all
 * differ until the last fold.
 */
#define PORTS_FACTOR 0xC2B2AE3D27D4EB4FULL /* odd, its bits mixed; so is the next */
#define LAST_FACTOR 0xD6E8FEB86659FD93ULL
static __always_inline __u32 flow_hash(const __u64 peer[2], __u32 ports)
{
	__u64 hash = peer[1] + peer[0] * GOLDEN_RATIO + ports * PORTS_FACTOR;

	hash = (hash ^ hash >> 32) * LAST_FACTOR;
	return hash ^ hash >> 32;
}

static __always_inline __u32 flow_hash_of(const struct tuple *tuple)
{
	const __u64 *word = (const __u64 *)tuple;

	return flow_hash(word, word[2]);
}

/* Place of a key in a cache with 2^`bits` entries: the topmost bits of the product depend on all of
 * the key's. */
static __always_inline __u32 cache_index(__u64 key, int bits)
{
	return (key ^ key >> 32) * GOLDEN_RATIO >> (64 - bits);
}

#endif
