/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From maps of another layout to those of ours: a configuration as it runs, with its numbers, so
 * that flows and counters that go by them hold; next hops and transitions, too.
 */
#ifndef MODEL_CARRY_OVER_H
#define MODEL_CARRY_OVER_H

#include "model/balancer.h"

/* Whether the helper sets the map, and a program cannot do without what it says. */
bool is_configuration(enum map_index index);

/* The first map that is missing or of another layout than ours; MAPS: all are as they should be. */
int differing_map(const struct balancer *balancer);
/* Whether the maps are those of socket.bpf.o, which are for sockets alone. */
bool has_no_packet_maps(const struct balancer *balancer);

/* The number of the maps' layout; 0: not known. */
__u32 layout_of(const struct balancer *balancer);

/* Fills the maps of `to`, which are empty. The lock of `from` is held. */
enum status carry_config(const struct balancer *from, struct balancer *to);

/* Makes the balancer that is open a copy of its configuration in our layout, which no packet sees:
 * to read it, by what knows our layout only. */
enum status become_copy(struct balancer *balancer);

#endif
