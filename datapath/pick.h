/* SPDX-License-Identifier: GPL-2.0 */
/* Stage 5, pick: from a service and the hash of a flow to a backend. */
#ifndef PICK_H
#define PICK_H

#include "begin.h"

/* The hash that picks the slot. */
static __always_inline __u32 selection_hash(const struct service *service, const struct packet *pkt)
{
	if (service->hash == HASH_SOURCE)
		return xxh32(&pkt->tuple.peer, sizeof(pkt->tuple.peer), 0);
	return pkt->hash;
}

static __always_inline void *table_of(const struct service *service)
{
	__u32 number = service->table;

	return bpf_map_lookup_elem(&xlb_tables, &number);
}

static __always_inline __u32 slot_of(const struct service *service, __u32 hash)
{
	return (__u64)hash * service->slots >> 32;
}

/* The owner of a slot and OWNER_MOVING, or 0. */
static __always_inline __u32 owner_of(void *table, __u32 slot)
{
	__u32 index = slot / OWNERS;
	struct owners *owners = table ? bpf_map_lookup_elem(table, &index) : NULL;

	return owners ? owners->backend[slot % OWNERS] : 0;
}

static __always_inline struct transition *transition_of(const struct service *service, void *table,
							__u32 slot)
{
	__u32 index = (service->slots + OWNERS - 1) / OWNERS + slot;

	return bpf_map_lookup_elem(table, &index);
}

static __always_inline bool begins_connection(const struct packet *pkt)
{
	return (pkt->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

/* A transition ends when nothing has needed it for as long as a flow may be idle, or when the
 * administrator's time is up. */
static __always_inline bool transition_over(const struct config *config,
					    const struct service *service,
					    const struct transition *transition, __u32 now)
{
	__u32 seconds = config->tcp_timeout ? config->tcp_timeout : DEFAULT_TCP_TIMEOUT;

	return is_past(now, transition->seen, service->settle ? service->settle : seconds);
}

/* Whether a packet of no remembered flow is taken to be of one that is older than the transition.
 * TCP says so by its SYN. An UDP flow that is older has been heard of within its idle timeout. */
static __always_inline bool is_older(const struct packet *pkt, const struct config *config,
				     const struct service *service, __u32 now)
{
	__u32 timeout = config->udp_timeout ? config->udp_timeout : DEFAULT_UDP_TIMEOUT;

	if (pkt->protocol == IPPROTO_TCP)
		return !begins_connection(pkt);
	return !is_past(now, service->changed, timeout);
}

/* Keeps the transition going while a flow's backend is not the owner. */
static __always_inline void keep_former(const struct packet *pkt, const struct service *service,
					struct transition *transition, __u32 now)
{
	if (!service->settle && transition->seen != now && !pkt->dry_run)
		transition->seen = now;
}

/* The backend of a packet whose flow is remembered. */
static __always_inline __u32 pick_remembered(struct xdp_md *ctx, struct packet *pkt,
					     const struct service *service,
					     struct transition *transition, struct flow *flow,
					     __u32 owner)
{
	pkt->choice = CHOICE_FLOW;
	if (flow->backend != owner)
		keep_former(pkt, service, transition, pkt->now);
	if (pkt->dry_run)
		return flow->backend;
	track_flow(ctx, pkt, flow);
	if (!begins_connection(pkt))
		change_state(flow, flow->state, flow->state | FLOW_ESTABLISHED);
	return flow->backend;
}

/*
 * The backend of a packet whose slot is in transition: that of its flow if it is remembered, the
 * former owner if it is older than the transition, else the owner. What the table and the packet do
 * not tell for good is remembered.
 */
GLOBAL int pick_in_transition(struct xdp_md *ctx, struct packet *pkt, const struct service *service,
			      struct transition *transition, __u32 owner)
{
	__u32 zero = 0;
	struct config *config = bpf_map_lookup_elem(&xlb_config, &zero);
	struct found found;
	__u32 now, number = owner;

	if (!pkt || !service || !transition || !config)
		return 0;
	now = pkt->now;
	if (!transition->former || transition_over(config, service, transition, now))
		return number;
	found = find_flow(config, &pkt->tuple, pkt->flow_hash, now);
	if (found.flow && !(begins_connection(pkt) && is_closed(found.flow)))
		return pick_remembered(ctx, pkt, service, transition, found.flow, owner);
	if (is_older(pkt, config, service, now)) {
		number = transition->former;
		pkt->choice = CHOICE_FORMER;
		if (number != owner)
			keep_former(pkt, service, transition, now);
		if (pkt->protocol == IPPROTO_TCP)
			return number;
	}
	if (number && !pkt->dry_run)
		remember_flow(ctx, pkt, number);
	return number;
}

/* The number of the backend that gets the packet, by the service's table; 0: there is none. */
static __always_inline __u32 pick_backend(struct xdp_md *ctx, struct packet *pkt,
					  const struct service *service)
{
	__u32 slot = slot_of(service, selection_hash(service, pkt));
	void *table = table_of(service);
	__u32 word = owner_of(table, slot), owner = word & ~OWNER_MOVING;
	struct transition *transition = NULL;

	pkt->choice = owner ? CHOICE_TABLE : CHOICE_NONE;
	if (word & OWNER_MOVING && service->mode != MODE_NAT)
		transition = transition_of(service, table, slot);
	return transition ? pick_in_transition(ctx, pkt, service, transition, owner) : owner;
}

#endif
