/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What stands in for the kernel: its maps and helpers (standin.c), the program itself (datapath.c).
 */
#ifndef STANDIN_H
#define STANDIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_HEADROOM 256 /* XDP_PACKET_HEADROOM */

enum standin_kind { KIND_ARRAY, KIND_HASH, KIND_LRU, KIND_LPM, KIND_TABLES, KIND_RING };

/* A map: arrays are flat; all others are short lists, since the tests keep them short. */
struct standin_map {
	const void *definition; /* what the program calls it by */
	enum standin_kind kind;
	size_t key_size, value_size, entries;
	size_t used; /* of a list */
	uint8_t *keys;
	uint8_t *values;
};

/* Makes room for the map. */
void standin_make(struct standin_map *map);
void *standin_lookup(const struct standin_map *map, const void *key);
bool standin_update(struct standin_map *map, const void *key, const void *value);
void standin_clear(struct standin_map *map);

/* The maps of the program, by enum map (kernel.h), and then those that only it uses. */
#define STANDIN_MAPS 33
extern struct standin_map standin_maps[STANDIN_MAPS];
void standin_register(void);

extern uint64_t standin_clock; /* ns */
void standin_seed(uint32_t seed); /* of random numbers */

/*
 * Runs a program of the object. The frame is in low memory, as the kernel's struct xdp_md has it.
 */
struct standin_frame {
	uint8_t *buffer;
	size_t size;
	uint32_t meta, data, end;
	uint32_t ingress;
};
extern struct standin_frame standin_frame;
int standin_run(bool frags);

#endif
