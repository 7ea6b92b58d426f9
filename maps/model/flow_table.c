// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>

#include "kernel/bpf.h"
#include "kernel/store.h"
#include "lib/clock.h"
#include "model/flow_table.h"
#include "model/least.h"
#include "model/read_table.h"
#include "model/slots.h"
#include "model/structures.h"

/* Modes dsr and ipip hear one side only, so there a flow counts from its first packet. */
static bool is_half_open(const struct flow *flow)
{
	return (flow->state & (FLOW_NAT | FLOW_ESTABLISHED)) == FLOW_NAT;
}

static bool is_alive(const struct balancer *balancer, const struct flow *flow, __u32 now)
{
	return flow->cookie && flow->backend <= MAX_BACKENDS &&
	       flow->generation == balancer->backends[flow->backend].generation &&
	       !is_past(now, flow->seen, idle_timeout(balancer->config, flow));
}

/* Whether the flow lives and is one to show. */
static bool is_shown(const struct balancer *balancer, const struct flow *flow, __u32 now)
{
	return is_alive(balancer, flow, now) && !is_half_open(flow);
}

bool read_flow(const struct balancer *balancer, __u32 i, __u32 now, struct flow *flow)
{
	if (!balancer->flows[i].cookie)
		return false;
	*flow = balancer->flows[i];
	return is_shown(balancer, flow, now);
}

static void count_in(struct flow_count *count, const struct flow *flow)
{
	if (is_half_open(flow)) {
		count->half_open++;
		return;
	}
	count->live++;
	if (is_closed(flow->state))
		count->closing++;
}

struct flow_counts *count_all_flows(const struct balancer *balancer)
{
	struct flow_counts *counts = calloc(1, sizeof(*counts));
	__u32 now = tick_now();

	for (__u32 i = 0; counts && i < FLOWS; i++) {
		struct flow flow;

		if (!balancer->flows[i].cookie)
			continue;
		flow = balancer->flows[i];
		if (!is_alive(balancer, &flow, now))
			continue;
		count_in(&counts->all, &flow);
		count_in(&counts->backends[flow.backend], &flow);
		count_in(&counts->sources[flow.source], &flow);
	}
	return counts;
}

__u32 *count_flows_by_source(const struct balancer *balancer, bool with_half_open)
{
	__u32 *counts = calloc(MAX_POOL + 1, sizeof(*counts));
	__u32 now = tick_now();

	for (__u32 i = 0; counts && i < FLOWS; i++) {
		struct flow flow = balancer->flows[i];

		if (is_alive(balancer, &flow, now) && (with_half_open || !is_half_open(&flow)))
			counts[flow.source]++;
	}
	return counts;
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

static __u32 count_converted(const struct balancer *running, const struct btf *btf,
			     const char *flows, const struct bpf_map_info *info, bool nat_only)
{
	__u32 type = find_struct(btf, flow_structure.name), count = 0, now = tick_now();
	struct btf_place cookie;

	if (!type || !find_member(btf, type, "cookie", &cookie))
		return 0;
	for (__u32 i = 0; i < info->max_entries; i++) {
		const char *record = flows + (size_t)i * info->value_size;
		struct flow flow = { .cookie = 0 };

		if (!*(const __u32 *)(record + cookie.offset))
			continue;
		convert(&flow_structure, btf, type, record, &flow);
		count += is_shown(running, &flow, now) && (!nat_only || flow.state & FLOW_NAT);
	}
	return count;
}

__u32 count_flows_of(const struct balancer *running, const struct balancer *of, bool nat_only)
{
	int map = of->map[MAP_FLOWS];
	struct bpf_map_info info;
	const char *flows;
	struct btf *btf;
	__u32 count = 0;

	if (map < 0 || map_info(map, &info))
		return 0;
	flows = map_memory(map, (size_t)info.max_entries * info.value_size);
	btf = load_btf(map);
	if (flows && btf)
		count = count_converted(running, btf, flows, &info, nat_only);
	if (flows)
		unmap_memory(flows, (size_t)info.max_entries * info.value_size);
	free_btf(btf);
	return count;
}

__u32 count_former_slots(const struct balancer *balancer, const struct config_service *service,
			 __u16 backend)
{
	struct slot *slots = service->moving ? read_running_slots(service) : NULL;
	__u32 count = 0, now = tick_now();

	for (__u32 i = 0; i < service->running_slots && slots; i++) {
		if (slots[i].former == backend)
			count += !transition_is_over(&slots[i], balancer->config, service->settle,
						     now);
	}
	free(slots);
	return count;
}

__u32 cookie_of(const struct flow *flow)
{
	return __atomic_load_n(&flow->cookie, __ATOMIC_ACQUIRE);
}

void end_flow(const struct balancer *balancer, const struct flow *flow, __u32 cookie)
{
	if (cookie && replace_word(&flow->cookie, cookie, 0))
		uncount_flow(balancer, flow);
}
