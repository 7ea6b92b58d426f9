/* SPDX-License-Identifier: GPL-2.0 */
/* Thin wrappers over bpf(2) and mmap(2). Where one fails, the benchmark ends. */
#ifndef BENCH_KERNEL_H
#define BENCH_KERNEL_H

#include <stddef.h>
#include <stdint.h>

void __attribute__((format(printf, 1, 2), noreturn)) die(const char *format, ...);

int open_pin(const char *directory, const char *name);
int open_program(uint32_t id);
int open_map_of(int program, const char *name); /* by the ids of the program's maps */
void *map_memory(int map, size_t length);
void map_update(int map, const void *key, const void *value);
int map_lookup(int map, const void *key, void *value);
int create_array(uint32_t value_size, uint32_t entries, uint32_t flags);
int possible_cpus(void);

/* Runs a program `times` times on one frame. Returns what it returned last. */
struct test_run {
	int program;
	uint32_t ifindex; /* that the frame comes in by */
	const void *frame;
	uint32_t length;
	uint32_t times;
	uint32_t flags;
};
uint32_t test_run(const struct test_run *run);

#endif
