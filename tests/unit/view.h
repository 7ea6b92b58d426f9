/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the data path and the next helper find in the maps, and whether that is whole. Read from the
 * maps' bytes alone, as maps/xdp_lb.h says what they are.
 */
#ifndef VIEW_H
#define VIEW_H

#include "model/balancer.h"
#include "model/config.h"

/* The configuration as text, to be freed. */
char *describe(const struct configuration *config);

/*
 * What is wrong with the maps at any moment of a change from `old` to `new`, as the data path sees
 * them; NULL: nothing.
 */
const char *find_fault(const struct balancer *balancer, const struct configuration *old,
		       const struct configuration *new);

/* What is left over, or missing, where `config` is in force and no change is under way. */
const char *find_leftover(const struct balancer *balancer, const struct configuration *config);

/* A number that differs if what the data path caches differs. */
__u64 sum_of_cached(const struct balancer *balancer);

#endif
