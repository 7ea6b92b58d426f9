/* SPDX-License-Identifier: GPL-2.0 */
/* Addresses, and the ends of flows. */
#ifndef LIB_ADDRESS_H
#define LIB_ADDRESS_H

#include <stdbool.h>

#include "xdp_lb.h"

/* An address and port, of a service (with its protocol), a backend or a client. */
struct endpoint {
	struct address address;
	__be16 port; /* 0: any, or not given */
	__u8 protocol; /* 0: not given */
};

bool is_ipv4(const struct address *address);
bool is_zero_address(const struct address *address);
bool same_address(const struct address *a, const struct address *b);

#endif
