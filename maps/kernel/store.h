/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stores to the entries of mmapable maps. What map_memory() returns is constant, so every store is
 * made here, or is an update in bpf.h; and after each the program can be ended by a test.
 */
#ifndef KERNEL_STORE_H
#define KERNEL_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

/* For tests: called after every store to a map or a file. NULL: nothing is. */
extern void (*store_hook)(void);
void note_store(void);

/* One store of a field of 2, 4 or 8 bytes, after all that were made before. */
#define store(field, value)                                                                        \
	do {                                                                                       \
		_Static_assert(sizeof(field) == 2 || sizeof(field) == 4 || sizeof(field) == 8,     \
			       "one store");                                                       \
		store_word(&(field), value, sizeof(field));                                        \
	} while (0)
void store_word(const void *field, __u64 value, size_t size);

/* Many bytes, which nobody reads before a later store says so. */
void store_bytes(const void *at, const void *from, size_t size);

void set_bits(const __u32 *field, __u32 bits);
void clear_bits(const __u32 *field, __u32 bits);

/* Adds to the field, which others add to as well. */
void add_to(const __s32 *field, __s32 change);

/* Clears the bits; returns what the field was. */
__u32 take_bits(const __u32 *field, __u32 bits);

/* Stores `value` if the field still is `expected`. */
bool replace_word(const __u32 *field, __u32 expected, __u32 value);

#endif
