// SPDX-License-Identifier: GPL-2.0
#include "model/map_list.h"

const struct map_layout map_layouts[MAPS] = {
	[MAP_CONFIG] = { "xlb_config", 4, sizeof(struct config), LAYOUT_VERSION },
	[MAP_VIPS] = { "xlb_vips", sizeof(struct address), sizeof(struct vip), MAX_SERVICES },
	[MAP_SERVICES] = { "xlb_services", sizeof(struct service_key), sizeof(struct service),
			   MAX_SERVICES },
	[MAP_TABLES] = { "xlb_tables", 4, 4, MAX_TABLES },
	[MAP_BACKENDS] = { "xlb_backends", 4, sizeof(struct backend), MAX_BACKENDS + 1 },
	[MAP_FLOWS] = { "xlb_flows", 4, sizeof(struct flow), FLOWS },
	[MAP_FRAGMENTS] = { "xlb_fragments", sizeof(struct fragment_key), sizeof(struct fragment),
			    MAX_FRAGMENTED },
	[MAP_DENY] = { "xlb_deny", sizeof(struct deny_key), 4, MAX_DENIED },
	[MAP_LIMITS] = { "xlb_limits", 4, sizeof(struct limit), MAX_SERVICES + 1 },
	[MAP_SOURCES] = { "xlb_sources", sizeof(struct source_key), 8, MAX_SOURCES },
	[MAP_SVC_STATS] = { "xlb_svc_stats", 4, sizeof(struct service_stats), MAX_SERVICES + 2 },
	[MAP_BE_STATS] = { "xlb_be_stats", 4, sizeof(struct backend_stats),
			   FORMER_BACKENDS + MAX_SERVICES + 2 },
	[MAP_SLOW] = { "xlb_slow", 4, sizeof(struct slow_stats), 1 },
	[MAP_TRACE] = { "xlb_trace", 0, 0, TRACE_SIZE },
};
