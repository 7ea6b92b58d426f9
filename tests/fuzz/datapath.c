// SPDX-License-Identifier: GPL-2.0
/*
 * The program, compiled for the host. Its maps are small, so that a fuzzer soon fills them: two
 * buckets of 8 flows (the limits are on the command line, they must be the same everywhere).
 */
#include "xdp_lb.bpf.c"

#include "standin.h"

struct standin_frame standin_frame;
struct standin_map standin_maps[STANDIN_MAPS];

/* The places in the list are those of enum map in kernel.h, which cannot be included here. */
#define REGISTER(place, name, how)                                                                 \
	standin_maps[place] = (struct standin_map)                                                 \
	{                                                                                          \
		.definition = &name, .kind = how, .key_size = sizeof(*name.key),                   \
		.value_size = sizeof(*name.value),                                                 \
		.entries = sizeof(*name.max_entries) / sizeof(**name.max_entries),                 \
	}

void standin_register(void)
{
	REGISTER(0, xlb_config, KIND_ARRAY);
	REGISTER(1, xlb_vips, KIND_HASH);
	REGISTER(2, xlb_services, KIND_HASH);
	standin_maps[3] = (struct standin_map){
		.definition = &xlb_tables,
		.kind = KIND_TABLES,
		.key_size = sizeof(*xlb_tables.key),
		.value_size = sizeof(void *),
		.entries = MAX_TABLES,
	};
	REGISTER(4, xlb_backends, KIND_ARRAY);
	REGISTER(5, xlb_flows, KIND_ARRAY);
	REGISTER(6, xlb_buckets, KIND_ARRAY);
	REGISTER(7, xlb_fragments, KIND_LRU);
	REGISTER(8, xlb_deny, KIND_LPM);
	REGISTER(9, xlb_limits, KIND_ARRAY);
	REGISTER(10, xlb_sources, KIND_LRU);
	REGISTER(11, xlb_svc_stats, KIND_ARRAY);
	REGISTER(12, xlb_be_stats, KIND_ARRAY);
	standin_maps[13].definition = &xlb_trace;
	REGISTER(14, xlb_slow, KIND_ARRAY);
	REGISTER(15, xlb_own, KIND_HASH);
	REGISTER(16, xlb_direct, KIND_ARRAY);
	REGISTER(17, xlb_answers, KIND_ARRAY);
	REGISTER(18, xlb_ports, KIND_ARRAY);
	REGISTER(19, xlb_reals, KIND_HASH);
	REGISTER(20, xlb_replies, KIND_ARRAY);
	REGISTER(21, xlb_addresses, KIND_ARRAY);
	REGISTER(22, xlb_pool, KIND_ARRAY);
	REGISTER(23, xlb_live, KIND_ARRAY);
	REGISTER(24, xlb_least, KIND_ARRAY);
	standin_maps[25].definition = &xlb_sockets;
	REGISTER(26, xlb_ids, KIND_ARRAY);
	REGISTER(27, xlb_real_cache, KIND_ARRAY);
	REGISTER(28, xlb_vip_cache, KIND_ARRAY);
	REGISTER(29, xlb_svc_cache, KIND_ARRAY);
	REGISTER(30, xlb_flow_cache, KIND_ARRAY);
	REGISTER(31, xlb_mac_cache, KIND_ARRAY);
	standin_maps[32] = (struct standin_map){
		.definition = &xlb_scratch,
		.kind = KIND_ARRAY,
		.key_size = sizeof(__u32),
		.value_size = SCRATCH_SIZE,
		.entries = 1,
	};
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
