// SPDX-License-Identifier: GPL-2.0
#include <netinet/in.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "model/flow_table.h"
#include "model/read_config.h"
#include "model/slots.h"

static __u32 value_or(__u32 value, __u32 standard)
{
	return value ? value : standard;
}

/* Seconds that the flow may be idle; as in datapath/flow.h. */
static __u32 idle_timeout(const struct config *config, const struct flow *flow)
{
	if (flow->client.protocol == IPPROTO_UDP)
		return value_or(config->udp_timeout, DEFAULT_UDP_TIMEOUT);
	if (flow->state & (FLOW_CLIENT_FIN | FLOW_BACKEND_FIN | FLOW_RESET))
		return value_or(config->fin_timeout, DEFAULT_FIN_TIMEOUT);
	if (flow->state & FLOW_ESTABLISHED)
		return value_or(config->tcp_timeout, DEFAULT_TCP_TIMEOUT);
	return HALF_OPEN_TIMEOUT;
}

/* Modes dsr and ipip hear one side only, so there a flow counts from its first packet. */
static bool is_half_open(const struct flow *flow)
{
	return (flow->state & (FLOW_NAT | FLOW_ESTABLISHED)) == FLOW_NAT;
}

/* Whether the flow lives and is one to show. */
static bool is_shown(const struct balancer *balancer, const struct flow *flow, __u32 now)
{
	__s32 limit = idle_timeout(balancer->config, flow) * TICKS_PER_SECOND;

	return flow->cookie && flow->backend <= MAX_BACKENDS && !is_half_open(flow) &&
	       flow->generation == balancer->backends[flow->backend].generation &&
	       (__s32)(now - flow->seen) <= limit;
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

__u32 count_former_slots(const struct balancer *balancer, const struct conf_service *service,
			 __u16 backend)
{
	__u32 timeout = value_or(balancer->config->tcp_timeout, DEFAULT_TCP_TIMEOUT);
	__u32 limit = value_or(service->settle, timeout) * TICKS_PER_SECOND;
	__u32 count = 0, now = tick_now();

	for (__u32 i = 0; i < service->running_slots && service->moving; i++) {
		struct slot slot = running_slot(service, i);

		if (slot.former == backend)
			count += !transition_is_over(&slot, now, limit);
	}
	return count;
}
