/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checks of a VIP at one of its backends: the VIP is the address of many, so they are made by our
 * own packets, which go the way of the data: to the backend's next hop, in a tunnel where data is.
 *
 * Without `from` they come from an address of the host, whose kernel may answer as well: handshakes
 * only. With it they come from a macvlan device in a network namespace of its own. There the kernel
 * has no address, and is silent; ARP and ND are answered here. Both end with the process.
 */
#ifndef WATCH_PACKETS_H
#define WATCH_PACKETS_H

#include "watch/attempt.h"
#include "watch/watch.h"

extern const struct part packets;

/* Whether there is a way to check such a target. */
bool can_send_packets(const struct target *target);

/* Starts an attempt; it ends by attempt->end(). */
void start_packets(struct attempt *attempt);
void drop_packets(struct attempt *attempt);

#endif
