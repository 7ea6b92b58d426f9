/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What runs the program: the kernel (kernel.c), or for the fuzzer the host (tests/fuzz/host.c).
 * A failure of the machinery itself (no root, object missing) ends the test.
 */
#ifndef TESTS_KERNEL_H
#define TESTS_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maps/xdp_lb.h"

#define MAX_TEST_WORDS 1024
#define TEST_TABLES 18

enum program { PROGRAM_XDP, PROGRAM_FRAGS, PROGRAMS };

enum map {
	MAP_CONFIG,
	MAP_VIPS,
	MAP_SERVICES,
	MAP_TABLES,
	MAP_BACKENDS,
	MAP_FLOWS,
	MAP_BUCKETS,
	MAP_FRAGMENTS,
	MAP_DENY,
	MAP_LIMITS,
	MAP_SOURCES,
	MAP_SVC_STATS,
	MAP_BE_STATS,
	MAP_TRACE,
	MAP_SLOW,
	MAP_OWN,
	MAP_DIRECT,
	MAP_ANSWERS,
	MAP_PORTS,
	MAP_REALS,
	MAP_REPLIES,
	MAP_ADDRESSES,
	MAP_POOL,
	MAP_LIVE,
	MAP_LEAST,
	MAP_SOCKETS,
	MAPS,
};

/* The object that was loaded. */
extern char object_path[4096];

struct cost {
	uint32_t instructions; /* that the verifier processed */
	uint32_t size; /* of the program, in bytes, as it runs */
};

/* Loads the object (argument 1 of the test, or what is found beside it) and opens the maps. */
void open_kernel(int argc, char **argv);
struct cost program_cost(enum program which);

/* Runs the program once on a frame with `room` bytes of metadata before it. Returns its action. */
struct run {
	enum program program;
	int ingress; /* ifindex that it comes in by; the loopback is 1 */
	const uint8_t *in; /* metadata and frame */
	size_t length; /* of both */
	size_t room;
	uint8_t *out;
	size_t out_length; /* room for it; afterwards its length */
};
int run_program(struct run *run);

bool map_lookup(enum map map, const void *key, void *value);
void map_update(enum map map, const void *key, const void *value);
int map_count(enum map map);
void map_clear(enum map map); /* of a hash */
void map_zero(enum map map, uint32_t count); /* that many entries of an array, of 8 bytes */
bool map_next(enum map map, const void *key, void *next); /* key NULL: the first */
void *map_memory(enum map map); /* of an array that is mmapable */
void *table_memory(int number); /* 1 to TEST_TABLES; MAX_TEST_WORDS words of 8 bytes */

/* The sum of a counter's 64-bit words over all CPUs. */
void read_sums(enum map map, uint32_t number, uint64_t *sums, size_t size);

/* The oldest event of the trace that was not seen yet, or NULL. */
const struct event *next_event(void);

uint32_t tick_now(void);

void __attribute__((format(printf, 1, 2), noreturn)) broken(const char *format, ...);

#endif
