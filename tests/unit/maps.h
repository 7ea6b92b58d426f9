/* SPDX-License-Identifier: GPL-2.0 */
/* The maps of a balancer, made from the built object as a loader makes them. */
#ifndef MAPS_H
#define MAPS_H

#include <bpf/libbpf.h>

#include "model/balancer.h"

/* Opens xdp_lb.bpf.o, which is at the top level: above build/tests/unit. NULL on failure. */
struct bpf_object *open_built(void);

/* Makes and pins the maps in a bpffs, and has a /run, of the process's own: they end with it. */
bool make_maps(void);

/* Opens them as the helper does. Ends the process on failure. */
void open_maps(struct balancer *balancer);

#endif
