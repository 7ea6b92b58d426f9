/* SPDX-License-Identifier: GPL-2.0 */
/* What doctor knows of the device that it examines. */
#ifndef DOCTOR_EXAMINATION_H
#define DOCTOR_EXAMINATION_H

#include <stdbool.h>

#include "kernel/ethtool.h"
#include "kernel/netlink.h"
#include "kernel/netns.h"
#include "lib/error.h"

/* A device in a network namespace, and a socket to ask its driver by. */
struct netns_device {
	struct device device;
	struct netns netns;
	int ethtool;
};

struct exam {
	struct netns_device subject; /* what is examined */
	int netlink; /* in its namespace */
	struct device *devices; /* all of its namespace */
	int device_count;
	char driver[DRIVER_NAME];
	bool takes_native; /* the kernel says that the driver runs XDP itself (6.3 and later) */
	bool has_peer; /* it is a veth, and where its peer is can be seen */
	struct netns_device peer;
	bool is_ours; /* the balancer is attached to it */
	char program[16]; /* name of what is attached to it */
	unsigned int findings;
};

/* Opens the device that is named, and what is needed to ask about it. */
enum status open_exam(struct exam *exam);
/* Finds the other end of a veth; to be closed by close_device(). */
bool open_peer(const struct exam *exam, const struct device *device, struct netns_device *peer);
void close_exam(struct exam *exam);
void close_device(struct netns_device *device);

#endif
