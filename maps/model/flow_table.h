/* SPDX-License-Identifier: GPL-2.0 */
/* The flow table as the helper sees it; map_flows() comes first. */
#ifndef MODEL_FLOW_TABLE_H
#define MODEL_FLOW_TABLE_H

#include "model/balancer.h"
#include "model/config.h"

/* Copies flow number `i` if it lives and is one to show. */
bool read_flow(const struct balancer *balancer, __u32 i, __u32 now, struct flow *flow);

/* How many flows live in `of`, whatever its layout, by the configuration of `running`; `nat_only`:
 * of those in mode nat. */
__u32 count_flows_of(const struct balancer *running, const struct balancer *of, bool nat_only);

/* In modes dsr and ipip there are flows only while a change makes it necessary to remember them. */
struct flow_count {
	__u32 live; /* as `flow count` counts */
	__u32 closing; /* of these: ended by both sides, or reset */
	__u32 half_open; /* mode nat, dnat: the backend has not answered yet */
};

struct flow_counts {
	struct flow_count all;
	struct flow_count backends[MAX_BACKENDS + 1]; /* by its number */
	struct flow_count sources[MAX_POOL + 1]; /* of the pool, by number; 0: the VIP is it */
};

/* Goes through all flows once; to be freed; NULL without memory. */
struct flow_counts *count_all_flows(const struct balancer *balancer);

/* How many living flows each backend has, by its number; to be freed; NULL without memory. */
__u32 *count_flows_by_backend(const struct balancer *balancer);
/* The same of each source of the pool; with half-open ones, or as `flow count` counts. */
__u32 *count_flows_by_source(const struct balancer *balancer, bool with_half_open);
__u32 count_living_flows(const struct balancer *balancer);

/* Slots in transition whose former backend the backend is. */
__u32 count_former_slots(const struct balancer *balancer, const struct config_service *service,
			 __u16 backend);

/* The cookie of a record, to be read before it is judged. */
__u32 cookie_of(const struct flow *flow);

/* Ends the flow that had the cookie, unless the data path has put another one in its place. */
void end_flow(const struct balancer *balancer, const struct flow *flow, __u32 cookie);

#endif
