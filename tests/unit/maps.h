/* SPDX-License-Identifier: GPL-2.0 */
/* The maps of a balancer, made from the built object as a loader makes them. */
#ifndef MAPS_H
#define MAPS_H

#include <bpf/libbpf.h>

#include "model/balancer.h"

/* Opens an object of the top level, which is above build/tests/unit. NULL on failure. */
struct bpf_object *open_built(const char *name);

/* Makes and pins the maps in a bpffs, and has a /run, of the process's own: they end with it. */
bool make_maps(void);

/* Opens them as the helper does. Ends the process on failure. */
void open_maps(struct balancer *balancer);

#endif
