/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The table of a service as a pure function of its backends, so that all balancers of the same
 * configuration pick the same backend for a flow (Eisenbud et al., "Maglev", NSDI 2016, 3.4).
 */
#ifndef MODEL_MAGLEV_H
#define MODEL_MAGLEV_H

#include <stdbool.h>

#include "xdp_lb.h"

/* A backend's claim to slots. */
struct claim {
	struct address address;
	__be16 port;
	__u16 weight; /* 1 to MAX_WEIGHT */
	bool eligible; /* or its slots are lent to the others */
};

/*
 * Fills in the backend of each of `slots` slots, a prime: the index of its claim plus 1, or 0 where
 * none is eligible. The claims are in the order of (address, port), compared as bytes. An unhealthy
 * claim's slots, and no others, are spread over the eligible ones. Returns 0 or -ENOMEM.
 */
int fill_table(__u16 *backend, __u32 slots, const struct claim *claims, unsigned int count);

bool is_prime(__u32 number);

#endif
