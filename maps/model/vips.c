// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>

#include "kernel/bpf.h"
#include "model/vips.h"

int read_vips(const struct balancer *balancer, struct vips *vips)
{
	__u32 count = MAX_ADDRESSES;
	int result;

	vips->count = 0;
	vips->address = calloc(MAX_ADDRESSES, sizeof(*vips->address));
	vips->vip = calloc(MAX_ADDRESSES, sizeof(*vips->vip));
	if (!vips->address || !vips->vip)
		return -ENOMEM;
	result = map_read_all(balancer->map[MAP_VIPS], vips->address, vips->vip, &count);
	if (!result)
		vips->count = count;
	return result;
}

void free_vips(struct vips *vips)
{
	free(vips->address);
	free(vips->vip);
}
