/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which host on a link claims an address: the question that a host asks before it takes an address
 * (RFC 5227, RFC 4862), which changes nothing in anybody's tables.
 */
#ifndef DOCTOR_ADDRESS_PROBE_H
#define DOCTOR_ADDRESS_PROBE_H

#include <stdbool.h>

#include "kernel/netlink.h"

struct address_claim {
	struct address address;
	bool is_claimed; /* another host than this one answers for it */
	__u8 mac[6];
};

/* Asks for all addresses at once, in the caller's network namespace. Returns 0 or -errno. */
int find_claims(const struct device *device, struct address_claim *claims, unsigned int count);

#endif
