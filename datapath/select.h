/* SPDX-License-Identifier: GPL-2.0 */
/* Stage 5, select: from a service and the hash of a flow to a backend. */
#ifndef SELECT_H
#define SELECT_H

#include "flow_insert.h"
#include "least.h"

static __always_inline __u32 slot_of(const struct service *service, const struct packet *pkt)
{
	__u32 hash = pkt->hash;

	if (service->hash == HASH_SOURCE)
		hash = source_hash(pkt->peer);
	return slot_at(service, hash);
}

static __always_inline struct transition *transition_of(const struct service *service, void *table,
							__u32 slot)
{
	__u32 index = (service->slots + SLOTS_PER_WORD - 1) / SLOTS_PER_WORD + slot;

	return table ? bpf_map_lookup_elem(table, &index) : NULL;
}

/* Did this unknown flow probably begin before the slot moved? Of TCP a SYN says that it did not.
 * A UDP flow that did has been heard of within its idle timeout. */
static __always_inline bool is_older(const struct packet *pkt, const struct config *config,
				     const struct service *service, __u32 now)
{
	__u32 seconds = udp_timeout(config);

	if (pkt->protocol == IPPROTO_TCP)
		return !begins_connection(pkt);
	return !is_past(now, service->changed, seconds);
}

/* Keeps the transition going while a flow needs the former backend. */
static __always_inline void keep_transition(const struct packet *pkt, const struct service *service,
					    struct transition *transition, __u32 now)
{
	if ((!service->settle || service->settle == SETTLE_UNLIMITED) && transition->seen != now &&
	    !pkt->dry_run)
		transition->seen = now;
}

/* The backend of a packet whose flow is remembered. */
static __always_inline __u32 select_remembered(struct xdp_md *ctx, struct packet *pkt,
					       const struct service *service,
					       struct transition *transition,
					       const struct found *found, __u32 current)
{
	struct flow *flow = found->flow;

	pkt->choice = CHOICE_FLOW;
	if (flow->backend != current)
		keep_transition(pkt, service, transition, pkt->now);
	if (pkt->dry_run)
		return flow->backend;
	update_state(ctx, found->index);
	return flow->backend;
}

/* The remembered flow of a packet, in `found`, if it lives. Most lie in the packet's own bucket. */
static __always_inline void find_remembered(struct packet *pkt, const struct config *config,
					    struct found *found)
{
	__u64 tail = tuple_tail(pkt);
	__u32 index = search_by_record(pkt->peer[0], pkt->peer[1], tail, pkt->flow_hash);

	*found = (struct found){};
	if (index == NO_FLOW)
		index = search_by_client(pkt->peer[0], pkt->peer[1], tail, pkt->flow_hash, 0);
	if (index != NO_FLOW)
		*found = read_flow(pkt, config, index);
}

/*
 * The backend of a packet whose slot is in transition from pkt->backend: that of its flow if it is
 * remembered, the former one if the flow is older than the transition, else the current one.
 * A flow whose backend cannot be derived again later is to be remembered.
 */
GLOBAL int select_in_transition(struct xdp_md *ctx, const struct service *service,
				struct transition *transition, __u32 current)
{
	struct packet *pkt = slow_packet();
	struct config *config = get_config();
	struct found found;
	__u32 now;

	if (!pkt || !service || !transition || !config)
		return 0;
	now = pkt->now;
	if (!transition->former || is_transition_over(config, service->settle, transition, now))
		return current;
	find_remembered(pkt, config, &found);
	end_closed(pkt, &found);
	if (found.flow)
		return select_remembered(ctx, pkt, service, transition, &found, current);
	pkt->backend = current;
	if (is_older(pkt, config, service, now)) {
		pkt->backend = transition->former;
		pkt->choice = CHOICE_FORMER;
		if (pkt->backend != current)
			keep_transition(pkt, service, transition, now);
		if (pkt->protocol == IPPROTO_TCP)
			return pkt->backend;
	}
	pkt->to_remember = true;
	if (begins_connection(pkt))
		pkt->former = transition->former;
	return pkt->backend;
}

/* Where next_backend() goes on, if the one that is selected has no port left. */
static __always_inline void note_slot(struct packet *pkt, const struct service *service, __u32 slot)
{
	pkt->table = service->table;
	pkt->slots = service->slots;
	pkt->slot = slot;
}

/* Selects the backend with the fewest flows, as select_backend() does by the table. */
static __always_inline enum verdict select_least(struct packet *pkt, const struct service *service)
{
	note_slot(pkt, service, slot_of(service, pkt));
	pkt->backend = pick_least(service, pkt->hash);
	pkt->choice = pkt->backend ? CHOICE_LEAST : CHOICE_NONE;
	pkt->is_counted = true;
	return CONTINUE;
}

/* Mode user: hands the packet to the program's socket, if there is one for the device and the queue
 * that it came in by. Returns the verdict. */
static __always_inline enum verdict hand_to_socket(const struct frame *frame)
{
	__u32 device = frame->ctx->ingress_ifindex, queue = frame->ctx->rx_queue_index;

	if (device >= USER_DEVICES || queue >= USER_QUEUES)
		return VERDICT_NO_SOCKET;
	if (bpf_redirect_map(&xlb_sockets, device * USER_QUEUES + queue, XDP_PASS) != XDP_REDIRECT)
		return VERDICT_NO_SOCKET;
	return VERDICT_TO_SOCKET;
}

/*
 * Selects the backend by the service's table, into pkt->backend; 0: there is none. Returns
 * CONTINUE, or on the fast path that the slot is in transition.
 */
static __always_inline enum verdict select_backend(const struct frame *frame, struct packet *pkt,
						   const struct service *service)
{
	__u32 slot = slot_of(service, pkt);
	void *table = table_of(service);
	__u32 word = backend_of_slot(table, slot);
	struct transition *transition;

	pkt->backend = word & ~SLOT_MOVING;
	if (!frame->fast)
		note_slot(pkt, service, slot);
	pkt->choice = pkt->backend ? CHOICE_TABLE : CHOICE_NONE;
	if (!(word & SLOT_MOVING) || service->mode == MODE_NAT)
		return CONTINUE;
	if (frame->fast)
		return SLOW_TRANSITION;
	transition = transition_of(service, table, slot);
	if (transition)
		pkt->backend = select_in_transition(frame->ctx, service, transition, pkt->backend);
	return CONTINUE;
}

#endif
