/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Least connections: `pick least` of a service in mode nat. A new flow goes to the backend with the
 * fewest living flows, compared with its weight. Which flow is counted is a bit of its state: who
 * clears it counts the flow down, so it is counted down once, however it ends.
 */
#ifndef LEAST_H
#define LEAST_H

#include "flow_table.h"

/* Of a second backend that is not the first; in vain one in 256 times, of two. */
#define SECOND_DRAWS 8

static __always_inline struct live *live_at(__u32 backend)
{
	return bpf_map_lookup_elem(&xlb_live, &backend);
}

static __always_inline void count_live(__u32 backend, __s32 change)
{
	struct live *live = live_at(backend);

	if (live)
		__sync_fetch_and_add(&live->flows, change);
}

/* The flow ends. Of a backend's earlier generation the helper has forgotten the count. */
static __always_inline void uncount_flow(struct flow *flow)
{
	const __u32 counted = FLOW_COUNTED << STATE_SHIFT;
	struct backend *backend;
	__u32 before;

	if (!(READ_ONCE(flow->state) & FLOW_COUNTED))
		return;
	before = __sync_fetch_and_and(word_of_state(flow), ~counted);
	backend = backend_at(flow->backend);
	if (before & counted && backend && backend->generation == (__u16)before)
		count_live(flow->backend, -1);
}

/*
 * The flow goes on, as the packet that closed it was taken back: it counts again. Backends of a
 * service that counts have a weight here.
 */
static __always_inline void recount_flow(struct flow *flow)
{
	const __u32 counted = FLOW_COUNTED << STATE_SHIFT;
	struct backend *backend = backend_at(flow->backend);
	struct live *live = live_at(flow->backend);

	if (!live || !live->weight || !backend || backend->generation != flow->generation)
		return;
	if (!(__sync_fetch_and_or(word_of_state(flow), counted) & counted))
		__sync_fetch_and_add(&live->flows, 1);
}

/* How many flows the backend has; a count may be a little too low, for a moment. */
static __always_inline __u64 flows_of(const struct live *live)
{
	__s32 flows = READ_ONCE(live->flows);

	return flows > 0 ? flows : 0;
}

/* Whether a backend has fewer flows for its weight than the other. */
GLOBAL __u32 has_fewer_flows(__u32 backend, __u32 other)
{
	struct live *live = live_at(backend), *other_live = live_at(other);

	return live && other_live &&
	       flows_of(live) * other_live->weight < flows_of(other_live) * live->weight;
}

/*
 * Of the backends on the list of the service the one with the fewest flows for its weight. Of
 * equals it is the first, from where the hash of the flow says: so they share. Returns 0 if none is
 * on it.
 */
GLOBAL __u32 pick_of_list(__u32 service, __u32 hash)
{
	struct least *least = bpf_map_lookup_elem(&xlb_least, &service);
	__u32 count = least ? least->count : 0, at, best = 0;

	if (!least)
		return 0;
	at = (__u64)hash * count >> 32;
	for (__u32 i = 0; i < LEAST_LISTED; i++) {
		__u32 number = least->backend[at & (LEAST_LISTED - 1)];

		if (i >= count)
			break;
		if (!best || has_fewer_flows(number, best))
			best = number;
		at = at + 1 < count ? at + 1 : 0;
		keep_order(at);
	}
	return best;
}

/* A backend by its weight. */
static __always_inline __u32 draw_backend(const struct service *service, void *table)
{
	__u32 slot = (__u64)bpf_get_prandom_u32() * service->slots >> 32;

	return backend_of_slot(table, slot) & ~SLOT_MOVING;
}

/* Of two different backends, drawn by their weights, the one with fewer flows (Mitzenmacher, The
 * power of two choices in randomized load balancing, 2001). */
GLOBAL __u32 pick_of_two(const struct service *service)
{
	void *table = service ? table_of(service) : NULL;
	__u32 first, other;

	if (!service || !table)
		return 0;
	first = other = draw_backend(service, table);
	for (int i = 0; i < SECOND_DRAWS && other == first; i++)
		other = draw_backend(service, table);
	return has_fewer_flows(other, first) ? other : first;
}

/* The backend of a new flow. */
static __always_inline __u32 pick_least(const struct service *service, __u32 hash)
{
	__u32 backend = pick_of_list(service->number, hash);

	return backend ? backend : pick_of_two(service);
}

#endif
