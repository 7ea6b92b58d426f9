/* SPDX-License-Identifier: GPL-2.0 */
/* The generic netlink family `netdev`, which Linux has from 6.3 on. */
#ifndef KERNEL_NETDEV_H
#define KERNEL_NETDEV_H

#include <linux/types.h>

#define XDP_FEATURE_BASIC 1 /* the driver runs XDP itself: ABORTED, DROP, PASS, TX */

/* What the driver of a device in the current namespace can do of XDP. Returns 0 or -errno; -ENOENT:
 * the kernel has no such family. */
int netdev_xdp_features(int ifindex, __u64 *features);

#endif
