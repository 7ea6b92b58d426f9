/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The question who has an address: ARP or ND, from no address, as a host asks before it takes one
 * (RFC 5227, RFC 4862). It changes nothing in anybody's tables.
 */
#ifndef KERNEL_NEIGHBOUR_QUESTION_H
#define KERNEL_NEIGHBOUR_QUESTION_H

#include "kernel/link.h"

/*
 * Asks the host with the MAC `to`, or all on the link if that is NULL. `fd` is a socket of
 * link_open() for ARP or IPv6, as the address is. Returns 0 or -errno.
 */
int ask_neighbour(int fd, const struct device *device, const struct address *address,
		  const __u8 *to);

#endif
