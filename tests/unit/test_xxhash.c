// SPDX-License-Identifier: GPL-2.0
/* xx_hash.h against XXH32 of the xxhash package: lengths, seeds, contents and alignments. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "xx_hash.h"

#define MAX_LENGTH 300
#define ALIGNMENTS 8

static int failures;

static __u32 next_random(void)
{
	static __u64 state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state >> 16;
}

static void fill_random(__u8 *bytes, unsigned int length)
{
	for (unsigned int i = 0; i < length; i++)
		bytes[i] = next_random();
}

/* Each length has a heap block of its own, so that a sanitizer sees a byte read beyond it. */
static bool same(const __u8 *bytes, unsigned int length, unsigned int alignment, __u32 seed)
{
	__u8 *block = malloc(alignment + length + 1);
	__u32 got, want;

	if (!block)
		abort();
	memcpy(block + alignment, bytes, length);
	got = xxh32(block + alignment, length, seed);
	want = XXH32(bytes, length, seed);
	free(block);
	if (got != want)
		printf("# length %u alignment %u seed %#x: %08x, not %08x\n", length, alignment,
		       seed, got, want);
	return got == want;
}

static void report(const char *name, bool passed)
{
	if (passed) {
		printf("PASS %s\n", name);
		return;
	}
	printf("FAIL %s: differs from the xxhash package\n", name);
	failures++;
}

static bool every_length_and_alignment(const __u8 *bytes, __u32 seed)
{
	for (unsigned int length = 0; length <= MAX_LENGTH; length++)
		for (unsigned int alignment = 0; alignment < ALIGNMENTS; alignment++)
			if (!same(bytes, length, alignment, seed))
				return false;
	return true;
}

static void test_contents(void)
{
	__u8 bytes[MAX_LENGTH] = {};

	report("xxhash: zeros", every_length_and_alignment(bytes, 0));
	memset(bytes, 0xff, sizeof(bytes));
	report("xxhash: ones", every_length_and_alignment(bytes, 0));
	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = i;
	report("xxhash: counting bytes", every_length_and_alignment(bytes, 0));
}

static void test_seeds(void)
{
	static const __u32 seeds[] = { 1, 2654435761U, 0x7fffffff, 0x80000000, 0xffffffff };
	__u8 bytes[MAX_LENGTH];
	char name[64];

	fill_random(bytes, sizeof(bytes));
	for (unsigned int i = 0; i < sizeof(seeds) / sizeof(*seeds); i++) {
		snprintf(name, sizeof(name), "xxhash: seed %#x", seeds[i]);
		report(name, every_length_and_alignment(bytes, seeds[i]));
	}
}

static void test_random(void)
{
	__u8 bytes[MAX_LENGTH];
	bool passed = true;

	for (unsigned int i = 0; passed && i < 1000000; i++) {
		unsigned int length = next_random() % (MAX_LENGTH + 1);

		fill_random(bytes, length);
		passed = same(bytes, length, next_random() % ALIGNMENTS, next_random());
	}
	report("xxhash: a million random inputs and seeds", passed);
}

/* The length of a key is a constant in the data path: the compiler unrolls what it can. */
static void test_fixed_length(void)
{
	bool passed = true;
	__u32 key[5];

	for (unsigned int i = 0; passed && i < 1000000; i++) {
		fill_random((__u8 *)key, sizeof(key));
		passed = xxh32_key(key, key[4]) == XXH32(key, sizeof(key), 0);
		passed &= xxh32(key, sizeof(key), 0) == XXH32(key, sizeof(key), 0);
	}
	report("xxhash: a million keys of 20 bytes", passed);
}

int main(void)
{
	test_contents();
	test_seeds();
	test_random();
	test_fixed_length();
	return failures != 0;
}
