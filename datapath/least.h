/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Least connections: `pick least` of a service in mode nat. A new flow goes to the backend with the
 * fewest living flows, compared with its weight. Which flow is counted is a bit of its state: who
 * clears it counts the flow down, so it is counted down once, however it ends.
 */
#ifndef LEAST_H
#define LEAST_H

#include "flow_table.h"

/* Of a second backend that is not the first; in vain one in 65,536 times, of two. */
#define SECOND_DRAWS 16

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

/* A backend's struct live as one word: flows in the lower half, then its weight. 0: it has none. */
static __always_inline __u64 load_of(__u32 backend)
{
	const struct live *live = live_at(backend);

	return live ? READ_ONCE(*(const __u64 *)live) : 0;
}

/*
 * All bits set if a backend has fewer flows for its weight than the other, else none: a branch
 * would be guessed wrong half of the time. A count may be too low for a moment, even below 0.
 */
static __always_inline __u64 has_fewer_flows(__u64 load, __u64 other)
{
	__s64 flows = (__s32)load, other_flows = (__s32)other;
	__u16 weight = load >> 32, other_weight = other >> 32;

	return (flows * other_weight - other_flows * weight) >> 63;
}

/*
 * Of the backends on the list of the service the one with the fewest flows for its weight. Of
 * equals it is the first, from where the hash of the flow says: so they share. Returns 0 if none is
 * on it.
 */
GLOBAL __u32 pick_of_list(__u32 service, __u32 hash)
{
	struct least *least = bpf_map_lookup_elem(&xlb_least, &service);
	__u32 count = least ? least->count : 0, at, best;
	__u64 best_load;

	if (!count)
		return 0;
	at = (__u64)hash * count >> 32;
	best = least->backend[at & (LEAST_LISTED - 1)];
	best_load = load_of(best);
	for (__u32 i = 1; i < LEAST_LISTED && i < count; i++) {
		__u32 backend;
		__u64 load, fewer;

		at = (at + 1) & (__s32)(at + 1 - count) >> 31; /* 0 after the last */
		keep_order(at);
		backend = least->backend[at & (LEAST_LISTED - 1)];
		load = load_of(backend);
		fewer = has_fewer_flows(load, best_load);
		best ^= (best ^ backend) & fewer;
		best_load ^= (best_load ^ load) & fewer;
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
	return has_fewer_flows(load_of(other), load_of(first)) ? other : first;
}

/* The backend of a new flow. */
static __always_inline __u32 pick_least(const struct service *service, __u32 hash)
{
	__u32 backend = pick_of_list(service->number, hash);

	return backend ? backend : pick_of_two(service);
}

#endif
