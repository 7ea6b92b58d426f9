// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>

#include "lib/clock.h"
#include "model/flow_table.h"
#include "model/read_config.h"
#include "model/slots.h"

/* Modes dsr and ipip hear one side only, so there a flow counts from its first packet. */
static bool is_half_open(const struct flow *flow)
{
	return (flow->state & (FLOW_NAT | FLOW_ESTABLISHED)) == FLOW_NAT;
}

/* Whether the flow lives and is one to show. */
static bool is_shown(const struct balancer *balancer, const struct flow *flow, __u32 now)
{
	return flow->cookie && flow->backend <= MAX_BACKENDS && !is_half_open(flow) &&
	       flow->generation == balancer->backends[flow->backend].generation &&
	       !is_past(now, flow->seen, idle_timeout(balancer->config, flow));
}

bool read_flow(const struct balancer *balancer, __u32 i, __u32 now, struct flow *flow)
{
	if (!balancer->flows[i].cookie)
		return false;
	*flow = balancer->flows[i];
	return is_shown(balancer, flow, now);
}

__u32 *count_flows_by_backend(const struct balancer *balancer)
{
	__u32 *counts = calloc(MAX_BACKENDS + 1, sizeof(*counts));
	__u32 now = tick_now();
	struct flow flow;

	for (__u32 i = 0; counts && i < FLOWS; i++) {
		if (read_flow(balancer, i, now, &flow))
			counts[flow.backend]++;
	}
	return counts;
}

__u32 count_living_flows(const struct balancer *balancer)
{
	__u32 count = 0, now = tick_now();
	struct flow flow;

	for (__u32 i = 0; i < FLOWS; i++)
		count += read_flow(balancer, i, now, &flow);
	return count;
}

__u32 count_former_slots(const struct balancer *balancer, const struct config_service *service,
			 __u16 backend)
{
	__u32 count = 0, now = tick_now();

	for (__u32 i = 0; i < service->running_slots && service->moving; i++) {
		struct slot slot = running_slot(service, i);

		if (slot.former == backend)
			count += !transition_is_over(&slot, balancer->config, service->settle, now);
	}
	return count;
}
