// SPDX-License-Identifier: GPL-2.0
/*
 * The program, compiled for the host. Its maps are small, so that a fuzzer soon fills them: two
 * buckets of 8 flows (the limits are on the command line, they must be the same everywhere).
 */
#include "xdp_lb.bpf.c"

#include <assert.h>

#include "standin.h"

struct standin_frame standin_frame;
struct standin_map standin_maps[STANDIN_MAPS];

/* The next of the list, which has the order of enum map in kernel.h (that cannot be included here). */
#define REGISTER(name, how)                                                                        \
	*next++ = (struct standin_map)                                                             \
	{                                                                                          \
		.definition = &name, .kind = how, .key_size = sizeof(*name.key),                   \
		.value_size = sizeof(*name.value),                                                 \
		.entries = sizeof(*name.max_entries) / sizeof(**name.max_entries),                 \
	}

void standin_register(void)
{
	struct standin_map *next = standin_maps;

	REGISTER(xlb_config, KIND_ARRAY);
	REGISTER(xlb_vips, KIND_HASH);
	REGISTER(xlb_services, KIND_HASH);
	*next++ = (struct standin_map){
		.definition = &xlb_tables,
		.kind = KIND_TABLES,
		.key_size = sizeof(*xlb_tables.key),
		.value_size = sizeof(void *),
		.entries = MAX_TABLES,
	};
	REGISTER(xlb_backends, KIND_ARRAY);
	REGISTER(xlb_flows, KIND_ARRAY);
	REGISTER(xlb_buckets, KIND_ARRAY);
	REGISTER(xlb_fragments, KIND_LRU);
	REGISTER(xlb_deny, KIND_LPM);
	REGISTER(xlb_limits, KIND_ARRAY);
	REGISTER(xlb_sources, KIND_LRU);
	REGISTER(xlb_svc_stats, KIND_ARRAY);
	REGISTER(xlb_be_stats, KIND_ARRAY);
	next++->definition = &xlb_trace;
	REGISTER(xlb_slow, KIND_ARRAY);
	REGISTER(xlb_own, KIND_HASH);
	REGISTER(xlb_direct, KIND_ARRAY);
	REGISTER(xlb_answers, KIND_ARRAY);
	REGISTER(xlb_ports, KIND_ARRAY);
	REGISTER(xlb_reals, KIND_HASH);
	REGISTER(xlb_replies, KIND_ARRAY);
	REGISTER(xlb_addresses, KIND_ARRAY);
	REGISTER(xlb_pool, KIND_ARRAY);
	REGISTER(xlb_live, KIND_ARRAY);
	REGISTER(xlb_least, KIND_ARRAY);
	next++->definition = &xlb_sockets;
	REGISTER(xlb_ids, KIND_ARRAY);
	REGISTER(xlb_real_cache, KIND_ARRAY);
	REGISTER(xlb_vip_cache, KIND_ARRAY);
	REGISTER(xlb_svc_cache, KIND_ARRAY);
	REGISTER(xlb_flow_cache, KIND_ARRAY);
	REGISTER(xlb_mac_cache, KIND_ARRAY);
	*next++ = (struct standin_map){
		.definition = &xlb_scratch,
		.kind = KIND_ARRAY,
		.key_size = sizeof(__u32),
		.value_size = SCRATCH_SIZE,
		.entries = 1,
	};
	assert(next == standin_maps + STANDIN_MAPS);
	for (int i = 0; i < STANDIN_MAPS; i++)
		if (standin_maps[i].entries)
			standin_make(&standin_maps[i]);
}

int standin_run(bool frags)
{
	struct xdp_md ctx = {
		.data_meta = standin_frame.meta,
		.data = standin_frame.data,
		.data_end = standin_frame.end,
		.ingress_ifindex = standin_frame.ingress,
	};
	int action = frags ? xdp_lb_frags(&ctx) : xdp_lb(&ctx);

	standin_frame.meta = ctx.data_meta;
	standin_frame.data = ctx.data;
	standin_frame.end = ctx.data_end;
	return action;
}
