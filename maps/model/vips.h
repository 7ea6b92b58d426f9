/* SPDX-License-Identifier: GPL-2.0 */
/* All of xlb_vips: VIPs, and the addresses of the pool. */
#ifndef MODEL_VIPS_H
#define MODEL_VIPS_H

#include "model/balancer.h"

#define MAX_ADDRESSES (MAX_SERVICES + MAX_POOL)

struct vips {
	struct address *address;
	struct vip *vip; /* what the map has of each */
	__u32 count;
};

/* Returns 0 or -errno. To be freed in both cases. */
int read_vips(const struct balancer *balancer, struct vips *vips);
void free_vips(struct vips *vips);

#endif
