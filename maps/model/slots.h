/* SPDX-License-Identifier: GPL-2.0 */
/* The slots of a table: which backend has each, and from whom it moved there. */
#ifndef MODEL_SLOTS_H
#define MODEL_SLOTS_H

#include <stdbool.h>

#include "xdp_lb.h"

/* A slot, as the helper works with it; in a map see struct slots. */
struct slot {
	__u16 backend; /* number, or 0 */
	__u16 former; /* in transition: the backend whose flows may live on; or 0 */
	__u16 began; /* see struct transition */
	__u32 seen; /* tick when a packet last needed the former backend */
};

/* Values of a table that hold the backends of so many slots. */
__u32 words_of(__u32 slots);

/* From and to the words of a table. */
struct slot read_slot(const void *table, __u32 slots, bool moving, __u32 slot);
void write_slots(void *table, const struct slot *from, __u32 slots, bool moving);

/* What decides how long the flows of a slot's former backend may live on. */
struct aftermath {
	const bool *is_live; /* by number of backend, any of 65,536: it exists, and is not down */
	__u32 now; /* tick */
	const struct config *config;
	__u32 settle; /* of struct service */
};

bool transition_is_over(const struct slot *slot, const struct config *config, __u32 settle,
			__u32 now);

/*
 * Notes in `after`, whose backends are set, the former ones: that of a transition that is not over,
 * else the backend in `before` where it lives. Returns how many slots begin a transition.
 */
__u32 start_transitions(struct slot *after, const struct slot *before, __u32 slots,
			const struct aftermath *aftermath);

#endif
