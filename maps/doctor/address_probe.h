/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who on a link says that an address is his: the question that a host asks before it takes an
 * address (RFC 5227, RFC 4862), which changes nothing in anybody's tables.
 */
#ifndef DOCTOR_ADDRESS_PROBE_H
#define DOCTOR_ADDRESS_PROBE_H

#include <stdbool.h>

#include "kernel/netlink.h"

struct owner {
	struct address address;
	bool is_there; /* somebody else than this host answers for it */
	__u8 mac[6];
};

/* Asks for all addresses at once, in the caller's network namespace. Returns 0 or -errno. */
int find_owners(const struct device *device, struct owner *owners, unsigned int count);

#endif
