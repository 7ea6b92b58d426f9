/* SPDX-License-Identifier: GPL-2.0 */
/* Where balancers are attached: from programs and devices to sets of maps. */
#ifndef MODEL_ATTACHMENT_H
#define MODEL_ATTACHMENT_H

#include <net/if.h>
#include <linux/bpf.h>

#include "kernel/netns.h"
#include "xdp_lb.h"

/* A device with a balancer's program. */
struct place {
	char netns[NETNS_NAME];
	char device[IF_NAMESIZE];
	int ifindex;
	__u32 program; /* what is attached: the balancer's program, or a dispatcher of it */
	__u32 balancer; /* the id of its map xlb_services */
};

/* All devices with a balancer's program, in `only` or, where that is NULL, in all namespaces.
 * Returns their number or -errno; to be freed. */
int find_places(const struct netns *only, struct place **places);

/* The balancer of a program; 0: it is none of ours. */
__u32 balancer_of(__u32 program);

/* Calls `visit` for each map of a program, until it returns non-zero, and returns that. */
int visit_maps(__u32 program,
	       int (*visit)(int map, const struct bpf_map_info *info, void *argument),
	       void *argument);

#endif
