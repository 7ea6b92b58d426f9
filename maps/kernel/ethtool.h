/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a device's driver says of itself, by ethtool's ioctls. The socket belongs to the network
 * namespace that it was opened in. Functions return -errno on failure.
 */
#ifndef KERNEL_ETHTOOL_H
#define KERNEL_ETHTOOL_H

#include <linux/types.h>

int ethtool_open(void);

#define DRIVER_NAME 32
int ethtool_driver(int ethtool, const char *device, char *name);

/* Offloads: 1 on, 0 off. */
int ethtool_tx_checksum(int ethtool, const char *device);
int ethtool_rx_vlan(int ethtool, const char *device); /* takes tags off what it receives */
int ethtool_tx_vlan(int ethtool, const char *device); /* puts tags into what it sends */

/* Queues in use, and the most that it can have; rx and tx of those that count them apart. */
struct channels {
	__u32 rx, tx, combined;
	__u32 max_rx, max_tx, max_combined;
};

int ethtool_channels(int ethtool, const char *device, struct channels *channels);

struct device_counter {
	char name[33];
	__u64 value;
};

/* All counters, in an array to be freed. Returns their number. */
int ethtool_counters(int ethtool, const char *device, struct device_counter **counters);

#endif
