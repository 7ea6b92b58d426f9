/* SPDX-License-Identifier: GPL-2.0 */
/* Checks by connections: of TCP, and requests of HTTP. */
#ifndef WATCH_CONNECTION_H
#define WATCH_CONNECTION_H

#include "watch/attempt.h"

/* What cannot even begin ends at once. */
void start_connection(struct attempt *attempt);

/* Gives up what the attempt holds. */
void drop_connection(struct attempt *attempt);

/* Local ports of connections, where an address of this host is a VIP: below those that the balancer
 * gives to flows, which get the answers. */
extern bool needs_low_ports;

#endif
