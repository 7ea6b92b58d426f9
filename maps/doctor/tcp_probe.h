/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whether backends answer to a VIP by way of this host: a TCP connection that is ended as soon as
 * it is there, or refused. What comes back is no flow of the balancer's, and passes to this host.
 */
#ifndef DOCTOR_TCP_PROBE_H
#define DOCTOR_TCP_PROBE_H

#include <stdbool.h>

#include "lib/address.h"

struct tcp_probe {
	struct address from; /* of this host */
	struct endpoint to;
	bool is_silent; /* nothing came back */
};

/* Runs all probes, in the caller's network namespace; takes a second if some are silent. */
void run_tcp_probes(struct tcp_probe *probes, unsigned int count);

#endif
