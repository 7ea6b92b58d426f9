// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_program OBJECT PACKETS [SECONDS] [SEED]: random and mutated packets to the real program, by
 * BPF_PROG_TEST_RUN, until so many were played or so much time is over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kernel.h"
#include "sequence.h"

#define MAX_SEQUENCE 256 /* bytes */
#define ROUNDS 2000 /* sequences until the world is set up anew */

static uint64_t state;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static size_t make_sequence(uint8_t *bytes)
{
	size_t size = 8 + next_random() % (MAX_SEQUENCE - 8);

	for (size_t i = 0; i < size; i++)
		bytes[i] = next_random() >> 24;
	return size;
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	unsigned long wanted = argc > 2 ? strtoul(argv[2], NULL, 0) : 100000;
	double limit = argc > 3 ? atof(argv[3]) : 1e9;
	uint64_t seed = argc > 4 ? strtoull(argv[4], NULL, 0) : (uint64_t)time(NULL);
	uint8_t bytes[MAX_SEQUENCE];
	double begin;

	open_kernel(argc, argv);
	state = seed * 2654435761 + 1;
	begin = seconds_now();
	printf("# seed %llu\n", (unsigned long long)seed);
	for (int round = 0; packets_played < wanted && seconds_now() - begin < limit; round++) {
		if (round % ROUNDS == 0)
			set_up_world();
		play(bytes, make_sequence(bytes));
		if (round % ROUNDS == ROUNDS - 1)
			check_counters();
	}
	printf("PASS fuzz: %lu packets to the real program, %lu sent on, %lu on both paths, %.0f "
	       "s\n",
	       packets_played, packets_sent, paths_compared, seconds_now() - begin);
	return 0;
}
