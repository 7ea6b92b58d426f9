/* SPDX-License-Identifier: GPL-2.0 */
/* The maps of a balancer. */
#ifndef MODEL_MAP_LIST_H
#define MODEL_MAP_LIST_H

#include "xdp_lb.h"

enum map_index {
	MAP_CONFIG,
	MAP_VIPS,
	MAP_SERVICES,
	MAP_TABLES,
	MAP_BACKENDS,
	MAP_FLOWS,
	MAP_FRAGMENTS,
	MAP_DENY,
	MAP_LIMITS,
	MAP_SOURCES,
	MAP_SVC_STATS,
	MAP_BE_STATS,
	MAP_SLOW,
	MAP_TRACE,
	MAPS,
};

#define TRACE_SIZE (256 * 1024) /* bytes of the ring buffer */

/* What tells a map of ours: its name and its sizes. */
struct map_layout {
	const char *name;
	__u32 key_size, value_size, entries;
};

extern const struct map_layout map_layouts[MAPS];

#endif
