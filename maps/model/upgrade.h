/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Putting the program and maps of this build in the place of those that run, whatever their layout:
 *
 *   1. the new program is loaded, with the maps whose layout is the same, and new ones instead of
 *      the others; what is configured is carried over to these
 *   2. the new maps are pinned beside the old ones
 *   3. each device gets the new program, in one step that no packet notices
 *   4. the pins of the old maps give way
 *
 * Up to 3 the old one runs, and nothing has changed for it. What fails later is taken back.
 */
#ifndef MODEL_UPGRADE_H
#define MODEL_UPGRADE_H

#include "model/discover.h"
#include "model/loader.h"

struct upgrade {
	struct balancer old, new;
	bool is_shared[MAPS]; /* the maps that the new program takes over as they are */
	bool is_begun; /* by one that did not end it: `old` is what is pinned to be the next one */
	struct place *places; /* the devices of the old one */
	int *former; /* the programs on them */
	unsigned int count;
	struct loader loader;
	int program[2]; /* by whether it is for buffers of several pages; -1: not loaded */
};

/* Looks at what runs, and takes the lock. */
enum status plan_upgrade(const struct selection *selection, struct upgrade *upgrade);

bool keeps_flows(const struct upgrade *upgrade);
bool keeps_layout(const struct upgrade *upgrade);

enum status execute_upgrade(struct upgrade *upgrade);

void free_upgrade(struct upgrade *upgrade);

#endif
