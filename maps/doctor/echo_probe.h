/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whether a backend sends back what is for the VIP: a ping to the VIP, sent to the backend's MAC. A
 * backend that has the VIP keeps it, one that forwards and lacks the VIP sends it back here.
 */
#ifndef DOCTOR_ECHO_PROBE_H
#define DOCTOR_ECHO_PROBE_H

#include <stdbool.h>

#include "kernel/netlink.h"

struct echo_probe {
	struct address from; /* of this host, not the VIP */
	struct address to; /* the VIP */
	__u8 mac[6]; /* the backend's */
	bool is_returned; /* it came back */
};

/* Sends all pings at once by the device, in the caller's network namespace; takes half a second.
 * Returns 0 or -errno. */
int run_echo_probes(const struct device *device, struct echo_probe *probes, unsigned int count);

#endif
