// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/maglev.h"
#include "xx_hash.h"

/*
 * Seeds of the two hashes that give a backend its order of preference, and of its lot (draw_lots).
 */
enum seed { SEED_OFFSET, SEED_SKIP, SEED_LOT };

#define LEND_TRIES 64 /* slots that a slot to be lent looks at, before it asks all the eligible */

/* A claim on its way through the slots, in its own order: a permutation, since `slots` is prime. */
struct walk {
	__u32 slot; /* the next to try */
	__u32 skip;
	__u32 turn, part; /* round of the next turn: whole ones, and weight-ths of one */
	__u32 whole_step, part_step; /* from one turn to the next */
	__u32 next; /* in the list of those whose turn is the same: index + 1, or 0 */
};

struct filling {
	__u16 *backend;
	__u32 slots;
	const struct claim *claims;
	unsigned int count;
	__u32 heaviest; /* weight */
	struct walk *walk; /* of each claim */
	__u64 *taken; /* a bit for each slot */
	__u32 *round; /* heads of the lists of those whose turn it is */
};

static __u32 hash_claim(const struct claim *claim, enum seed seed)
{
	__u8 key[20] = { 0 };

	memcpy(key, &claim->address, sizeof(claim->address));
	memcpy(key + sizeof(claim->address), &claim->port, sizeof(claim->port));
	return xxh32(key, sizeof(key), seed);
}

/*
 * Puts the claim on the list of the round of its next turn: in each round it earns its weight, and
 * for every `heaviest` earned it takes a slot, so its k-th in round k * heaviest / weight, rounded
 * up. The heaviest takes one in each round, so there are no more rounds than slots. (Divided once,
 * and then added up: a division for each slot would take longer than all else.)
 */
static void schedule(struct filling *filling, __u32 index)
{
	struct walk *walk = &filling->walk[index];
	__u32 weight = filling->claims[index].weight, turn;

	walk->turn += walk->whole_step;
	walk->part += walk->part_step;
	if (walk->part >= weight) {
		walk->part -= weight;
		walk->turn++;
	}
	turn = walk->turn + (walk->part > 0);
	if (turn > filling->slots)
		return;
	walk->next = filling->round[turn];
	filling->round[turn] = index + 1;
}

static void start_walks(struct filling *filling)
{
	for (unsigned int i = 0; i < filling->count; i++) {
		if (filling->claims[i].weight > filling->heaviest)
			filling->heaviest = filling->claims[i].weight;
	}
	for (unsigned int i = filling->count; i--;) {
		const struct claim *claim = &filling->claims[i];
		struct walk *walk = &filling->walk[i];

		if (!claim->weight)
			continue;
		walk->slot = hash_claim(claim, SEED_OFFSET) % filling->slots;
		walk->skip = hash_claim(claim, SEED_SKIP) % (filling->slots - 1) + 1;
		walk->whole_step = filling->heaviest / claim->weight;
		walk->part_step = filling->heaviest % claim->weight;
		schedule(filling, i);
	}
}

static bool take_slot(__u64 *taken, __u32 slot)
{
	__u64 bit = 1ULL << slot % 64;

	if (taken[slot / 64] & bit)
		return false;
	taken[slot / 64] |= bit;
	return true;
}

/* Takes the next free slot in the claim's order. */
static void claim_slot(struct filling *filling, __u32 index)
{
	struct walk *walk = &filling->walk[index];
	__u32 slot = walk->slot, skip = walk->skip, slots = filling->slots;

	while (!take_slot(filling->taken, slot)) {
		slot += skip;
		if (slot >= slots)
			slot -= slots;
	}
	walk->slot = slot;
	filling->backend[slot] = index + 1;
}

static void take_turns(struct filling *filling)
{
	__u32 left = filling->slots;

	start_walks(filling);
	for (__u32 now = 1; left; now++) {
		__u32 next;

		for (__u32 i = filling->round[now]; i && left; i = next, left--) {
			next = filling->walk[i - 1].next;
			claim_slot(filling, i - 1);
			schedule(filling, i - 1);
		}
	}
}

/* Maglev's table over all claims, eligible or not. */
static int fill_configured(__u16 *backend, __u32 slots, const struct claim *claims,
			   unsigned int count)
{
	struct filling filling = {
		.backend = backend,
		.slots = slots,
		.claims = claims,
		.count = count,
		.walk = calloc(count, sizeof(*filling.walk)),
		.taken = calloc(slots / 64 + 1, sizeof(*filling.taken)),
		.round = calloc(slots + 1, sizeof(*filling.round)),
	};
	int result = -ENOMEM;

	if (filling.walk && filling.taken && filling.round) {
		take_turns(&filling);
		result = 0;
	}
	free(filling.walk);
	free(filling.taken);
	free(filling.round);
	return result;
}

static __u32 mix(__u32 value)
{
	value = (value ^ value >> 15) * XXH_PRIME_2;
	value = (value ^ value >> 13) * XXH_PRIME_3;
	return value ^ value >> 16;
}

/* -log2 of `value` as a fraction of 2^32, in 16 bits after the point, by straight lines between the
 * powers of two: good enough to honour weights, and the same on every machine. */
static __u32 negative_log(__u32 value)
{
	int zeros = value ? __builtin_clz(value) : 31;
	__u32 mantissa = value << zeros << 1;

	return (zeros << 16) + (0xffff - (mantissa >> 16));
}

struct lending {
	__u16 *configured; /* backend of each slot, eligible or not */
	__u32 slots;
	const struct claim *claims;
	__u16 *eligible; /* indices of claims */
	__u32 *lot; /* of each of these */
	unsigned int count; /* of these */
};

/* Rendezvous hashing: of all eligible claims, the one with the best lot for this slot. */
static __u16 draw_lots(const struct lending *lending, __u32 slot)
{
	__u32 hash = mix(slot + 1);
	__u64 best = ~0ULL;
	__u16 winner = 0;

	for (unsigned int i = 0; i < lending->count; i++) {
		const struct claim *claim = &lending->claims[lending->eligible[i]];
		__u64 lot = negative_log(mix(lending->lot[i] ^ hash));

		lot = (lot << 16) / claim->weight;
		if (lot < best) {
			best = lot;
			winner = lending->eligible[i] + 1;
		}
	}
	return winner;
}

/*
 * Who gets the slot of an unhealthy backend: the configured backend of another slot, the first of a
 * series of its own that is eligible. So the slot moves again only if that one falls ill, or one
 * before it in the series recovers.
 */
static __u16 lend_slot(const struct lending *lending, __u32 slot)
{
	for (__u32 i = 0; i < LEND_TRIES; i++) {
		__u32 hash = mix(slot * XXH_PRIME_1 + i * XXH_PRIME_4 + XXH_PRIME_5);
		__u16 other = lending->configured[(__u64)hash * lending->slots >> 32];

		if (lending->claims[other - 1].eligible)
			return other;
	}
	return draw_lots(lending, slot);
}

static void list_healthy(struct lending *lending, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (!lending->claims[i].eligible)
			continue;
		lending->lot[lending->count] = hash_claim(&lending->claims[i], SEED_LOT);
		lending->eligible[lending->count++] = i;
	}
}

static int lend_slots(__u16 *backend, __u32 slots, const struct claim *claims, unsigned int count)
{
	struct lending lending = {
		.configured = malloc(slots * sizeof(*backend)),
		.slots = slots,
		.claims = claims,
		.eligible = malloc(count * sizeof(*lending.eligible)),
		.lot = malloc(count * sizeof(*lending.lot)),
	};
	int result = -ENOMEM;

	if (!lending.configured || !lending.eligible || !lending.lot)
		goto cleanup;
	memcpy(lending.configured, backend, slots * sizeof(*backend));
	list_healthy(&lending, count);
	for (__u32 slot = 0; slot < slots; slot++) {
		if (!claims[backend[slot] - 1].eligible)
			backend[slot] = lend_slot(&lending, slot);
	}
	result = 0;
cleanup:
	free(lending.configured);
	free(lending.eligible);
	free(lending.lot);
	return result;
}

int fill_table(__u16 *backend, __u32 slots, const struct claim *claims, unsigned int count)
{
	unsigned int eligible = 0;
	int result;

	for (unsigned int i = 0; i < count; i++)
		eligible += claims[i].eligible;
	if (!eligible) {
		memset(backend, 0, slots * sizeof(*backend));
		return 0;
	}
	result = fill_configured(backend, slots, claims, count);
	if (!result && eligible < count)
		result = lend_slots(backend, slots, claims, count);
	return result;
}

bool is_prime(__u32 number)
{
	if (number < 2 || (number > 2 && number % 2 == 0))
		return false;
	for (__u32 i = 3; i <= number / i; i += 2) {
		if (number % i == 0)
			return false;
	}
	return true;
}
