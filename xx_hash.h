/* SPDX-License-Identifier: GPL-2.0 */
/*
 * XXH32, by the description of the algorithm in Yann Collet's xxHash (doc/xxhash_spec.md, "XXH32").
 *
 * One implementation for the data path and the helper. Where `length` is a constant all branches
 * and loops on it vanish.
 */
#ifndef XX_HASH_H
#define XX_HASH_H

#include <linux/types.h>

#define XXH_PRIME_1 0x9E3779B1U
#define XXH_PRIME_2 0x85EBCA77U
#define XXH_PRIME_3 0xC2B2AE3DU
#define XXH_PRIME_4 0x27D4EB2FU
#define XXH_PRIME_5 0x165667B1U

#define XXH_STRIPE 16 /* bytes: four lanes of a little-endian word */

static inline __attribute__((always_inline)) __u32 xxh_rotate(__u32 value, int bits)
{
	return value << bits | value >> (32 - bits);
}

static inline __attribute__((always_inline)) __u32 xxh_word(const unsigned char *at)
{
	__u32 word;

	__builtin_memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap32(word);
#endif
	return word;
}

static inline __attribute__((always_inline)) __u32 xxh_round(__u32 lane, __u32 word)
{
	return xxh_rotate(lane + word * XXH_PRIME_2, 13) * XXH_PRIME_1;
}

/* The four lanes of whole stripes, as one word. */
static inline __attribute__((always_inline)) __u32 xxh_join(__u32 a, __u32 b, __u32 c, __u32 d)
{
	return xxh_rotate(a, 1) + xxh_rotate(b, 7) + xxh_rotate(c, 12) + xxh_rotate(d, 18);
}

/* Stirs a word that is left after the last stripe into the hash. */
static inline __attribute__((always_inline)) __u32 xxh_stir(__u32 hash, __u32 word)
{
	return xxh_rotate(hash + word * XXH_PRIME_3, 17) * XXH_PRIME_4;
}

/* Mixes all bits. */
static inline __attribute__((always_inline)) __u32 xxh_avalanche(__u32 hash)
{
	hash = (hash ^ hash >> 15) * XXH_PRIME_2;
	hash = (hash ^ hash >> 13) * XXH_PRIME_3;
	return hash ^ hash >> 16;
}

/* XXH32 of `length` bytes at `input`, of any alignment. */
static inline __attribute__((always_inline)) __u32 xxh32(const void *input, __u32 length,
							 __u32 seed)
{
	const unsigned char *at = input;
	__u32 left = length;
	__u32 hash = seed + XXH_PRIME_5;

	if (length >= XXH_STRIPE) {
		__u32 a = seed + XXH_PRIME_1 + XXH_PRIME_2;
		__u32 b = seed + XXH_PRIME_2;
		__u32 c = seed;
		__u32 d = seed - XXH_PRIME_1;

		for (; left >= XXH_STRIPE; left -= XXH_STRIPE, at += XXH_STRIPE) {
			a = xxh_round(a, xxh_word(at));
			b = xxh_round(b, xxh_word(at + 4));
			c = xxh_round(c, xxh_word(at + 8));
			d = xxh_round(d, xxh_word(at + 12));
		}
		hash = xxh_join(a, b, c, d);
	}
	hash += length;
	for (; left >= 4; left -= 4, at += 4)
		hash = xxh_stir(hash, xxh_word(at));
	for (; left; left--, at++)
		hash = xxh_rotate(hash + *at * XXH_PRIME_5, 11) * XXH_PRIME_1;
	return xxh_avalanche(hash);
}

/*
 * XXH32, seed 0, of 20 bytes: `stripe` and a word more, in memory order. The key of the data path,
 * without a copy of it and without a loop.
 */
static inline __attribute__((always_inline)) __u32 xxh32_key(const __u32 stripe[4], __u32 word)
{
	const unsigned char *at = (const unsigned char *)stripe;
	__u32 a = xxh_round(XXH_PRIME_1 + XXH_PRIME_2, xxh_word(at));
	__u32 b = xxh_round(XXH_PRIME_2, xxh_word(at + 4));
	__u32 c = xxh_round(0, xxh_word(at + 8));
	__u32 d = xxh_round(0U - XXH_PRIME_1, xxh_word(at + 12));
	__u32 hash = xxh_join(a, b, c, d) + XXH_STRIPE + sizeof(word);

	return xxh_avalanche(xxh_stir(hash, xxh_word((const unsigned char *)&word)));
}

#endif
