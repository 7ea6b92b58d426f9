/* SPDX-License-Identifier: GPL-2.0 */
/* The maps of a balancer: those of maps/maps.bpf.h and packet_maps.bpf.h that are pinned. */
#ifndef MODEL_MAP_LIST_H
#define MODEL_MAP_LIST_H

#include <stdbool.h>

#include "xdp_lb.h"

#define TRACE_SIZE (256 * 1024) /* bytes of the ring buffer */

/*
 * The one list: index, name, sizes of key and value, entries. A unit test holds it against the
 * built object.
 */
#define MAP_LIST(X)                                                                                \
	X(MAP_CONFIG, "xlb_config", sizeof(__u32), sizeof(struct config), LAYOUT_VERSION)          \
	X(MAP_VIPS, "xlb_vips", sizeof(struct address), sizeof(struct vip),                        \
	  MAX_SERVICES + MAX_POOL)                                                                 \
	X(MAP_ADDRESSES, "xlb_addresses", sizeof(__u32), sizeof(struct address), ADDRESSES)        \
	X(MAP_POOL, "xlb_pool", sizeof(__u32), sizeof(struct pool), 1)                             \
	X(MAP_SERVICES, "xlb_services", sizeof(struct service_key), sizeof(struct service),        \
	  MAX_SERVICES)                                                                            \
	X(MAP_TABLES, "xlb_tables", sizeof(__u32), sizeof(__u32), MAX_TABLES)                      \
	X(MAP_BACKENDS, "xlb_backends", sizeof(__u32), sizeof(struct backend), MAX_BACKENDS + 1)   \
	X(MAP_REALS, "xlb_reals", sizeof(struct real_key), sizeof(__u32), MAX_BACKENDS)            \
	X(MAP_REPLIES, "xlb_replies", sizeof(__u32), sizeof(struct answer), MAX_SERVICES + 1)      \
	X(MAP_BUCKETS, "xlb_buckets", sizeof(__u32), sizeof(struct flow_bucket), FLOW_BUCKETS)     \
	X(MAP_FLOWS, "xlb_flows", sizeof(__u32), sizeof(struct flow), FLOWS + FLOW_FORMAT)         \
	X(MAP_DIRECT, "xlb_direct", sizeof(__u32), sizeof(struct direct), MAX_BACKENDS + 1)        \
	X(MAP_PORTS, "xlb_ports", sizeof(__u32), sizeof(struct port_hints), PORT_HINTS)            \
	X(MAP_FRAGMENTS, "xlb_fragments", sizeof(struct fragment_key), sizeof(struct fragment),    \
	  MAX_FRAGMENTED)                                                                          \
	X(MAP_DENY, "xlb_deny", sizeof(struct deny_key), sizeof(__u32), MAX_DENIED)                \
	X(MAP_OWN, "xlb_own", sizeof(struct own_key), sizeof(__u32), MAX_OWN)                      \
	X(MAP_LIVE, "xlb_live", sizeof(__u32), sizeof(struct live), MAX_BACKENDS + 1)              \
	X(MAP_LEAST, "xlb_least", sizeof(__u32), sizeof(struct least), MAX_SERVICES + 1)           \
	X(MAP_LIMITS, "xlb_limits", sizeof(__u32), sizeof(struct limit), MAX_SERVICES + 1)         \
	X(MAP_CHECKS, "xlb_checks", sizeof(__u32), sizeof(struct check), MAX_SERVICES + 1)         \
	X(MAP_WATCHER, "xlb_watcher", sizeof(__u32), sizeof(struct watcher), 1)                    \
	X(MAP_SOURCES, "xlb_sources", sizeof(struct source_key), sizeof(struct source),            \
	  MAX_SOURCES)                                                                             \
	X(MAP_ANSWERS, "xlb_answers", sizeof(__u32), sizeof(__u64), ANSWER_BUDGETS)                \
	X(MAP_SOCKETS, "xlb_sockets", sizeof(__u32), sizeof(__u32), USER_SOCKETS)                  \
	X(MAP_SVC_STATS, "xlb_svc_stats", sizeof(__u32), sizeof(struct service_stats),             \
	  MAX_SERVICES + 2)                                                                        \
	X(MAP_BE_STATS, "xlb_be_stats", sizeof(__u32), sizeof(struct backend_stats),               \
	  FORMER_BACKENDS + MAX_SERVICES + 2)                                                      \
	X(MAP_SLOW, "xlb_slow", sizeof(__u32), sizeof(struct slow_stats), 1)                       \
	X(MAP_TRACE, "xlb_trace", 0, 0, TRACE_SIZE)

/* clang-format off */
enum map_index {
#define MAP_INDEX(index, name, key, value, entries) index,
	MAP_LIST(MAP_INDEX)
#undef MAP_INDEX
	MAPS,
};
/* clang-format on */

/* What tells a map of ours: its name and its sizes. */
struct map_layout {
	const char *name;
	__u32 key_size, value_size, entries;
};

extern const struct map_layout map_layouts[MAPS];

/* Whether the map is one of packet_maps.bpf.h: maps for sockets alone have none of them. */
bool is_packet_map(enum map_index index);

#endif
