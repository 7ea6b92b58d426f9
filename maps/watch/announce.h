/* SPDX-License-Identifier: GPL-2.0 */
/*
 * watch announce TABLE: a route `blackhole VIP` in a table of the kernel's for each VIP that can be
 * served, and for the addresses of the pool until it is detached. BIRD or another routing daemon
 * learns them; nobody else looks the table up.
 */
#ifndef WATCH_ANNOUNCE_H
#define WATCH_ANNOUNCE_H

#include "watch/watch.h"

extern const struct part announce_part;

#endif
