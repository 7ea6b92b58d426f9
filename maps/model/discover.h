/* SPDX-License-Identifier: GPL-2.0 */
/* Finding and opening the balancer that the user means. */
#ifndef MODEL_DISCOVER_H
#define MODEL_DISCOVER_H

#include "model/balancer.h"

/* Which balancer the user means: -n, -d, -p; NULL where not given. */
struct selection {
	const char *netns;
	const char *device;
	const char *pins;
	bool is_for_change; /* not for reading */
	bool may_be_older; /* of an older layout a copy in ours is opened */
	bool is_for_upgrade; /* its maps are opened, of whatever layout; no more */
};

/* Finds the one that is meant and maps its memory. */
enum status open_balancer(const struct selection *selection, struct balancer *balancer);

/* Maps the memory of its maps, whose layout is ours. */
enum status map_entries(struct balancer *balancer);

/* Finds out where it is attached. Its routes, neighbours and addresses are those of that place. */
enum status place_balancer(struct balancer *balancer);

#endif
