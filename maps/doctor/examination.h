/* SPDX-License-Identifier: GPL-2.0 */
/* What doctor knows of its patient, a device. */
#ifndef DOCTOR_EXAMINATION_H
#define DOCTOR_EXAMINATION_H

#include <stdbool.h>

#include "kernel/ethtool.h"
#include "kernel/netlink.h"
#include "kernel/netns.h"
#include "lib/error.h"

/* A device, and whom to ask about it. */
struct port {
	struct device device;
	struct netns netns;
	int ethtool;
};

struct patient {
	struct port port;
	int netlink; /* in its namespace */
	struct device *devices; /* all of its namespace */
	int device_count;
	char driver[DRIVER_NAME];
	bool has_peer; /* it is a veth, and where its peer is can be seen */
	struct port peer;
	bool is_ours; /* the balancer is attached to it */
	char program[16]; /* name of what is attached to it */
	unsigned int findings;
};

/* Opens the device that is named, and what is needed to ask about it. */
enum status examine_device(struct patient *patient);
/* Finds the other end of a veth; to be closed by close_port(). */
bool open_peer(const struct patient *patient, const struct device *device, struct port *peer);
void close_port(struct port *port);

#endif
