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

static __always_inline struct slot *find_slot(const struct service *service, __u32 hash)
{
	__u32 number = service->table;
	void *table = bpf_map_lookup_elem(&xlb_tables, &number);
	__u32 index = (__u64)hash * service->slots >> 32;

	return table ? bpf_map_lookup_elem(table, &index) : NULL;
}

static __always_inline bool begins_connection(const struct packet *pkt)
{
	return (pkt->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

/* A transition ends when nothing has needed it for as long as a flow may be idle, or when the
 * administrator's time is up. */
static __always_inline bool transition_over(const struct config *config,
					    const struct service *service, const struct slot *slot,
					    __u32 now)
{
	__u32 seconds = config->tcp_timeout ? config->tcp_timeout : DEFAULT_TCP_TIMEOUT;

	return is_past(now, slot->seen, service->settle ? service->settle : seconds);
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
					struct slot *slot, __u32 number, __u32 now)
{
	if (number != slot->owner && !service->settle && slot->seen != now && !pkt->dry_run)
		slot->seen = now;
}

/* The backend of a packet whose flow is remembered. */
static __always_inline __u32 pick_remembered(struct xdp_md *ctx, struct packet *pkt,
					     const struct service *service, struct slot *slot,
					     struct flow *flow)
{
	pkt->choice = CHOICE_FLOW;
	keep_former(pkt, service, slot, flow->backend, tick_now(pkt));
	if (pkt->dry_run)
		return flow->backend;
	track_flow(ctx, pkt, flow);
	if (!(flow->state & FLOW_ESTABLISHED) && !begins_connection(pkt))
		flow->state |= FLOW_ESTABLISHED;
	return flow->backend;
}

/*
 * The backend of a packet whose slot is in transition: that of its flow if it is remembered, the
 * former owner if it is older than the transition, else the owner. What the table and the packet do
 * not tell for good is remembered.
 */
GLOBAL int pick_in_transition(struct xdp_md *ctx, struct packet *pkt, const struct service *service,
			      struct slot *slot)
{
	__u32 zero = 0;
	struct config *config = bpf_map_lookup_elem(&xlb_config, &zero);
	struct found found;
	__u32 now, number;

	if (!pkt || !service || !slot || !config)
		return 0;
	now = tick_now(pkt);
	number = slot->owner;
	if (transition_over(config, service, slot, now))
		return number;
	found = find_flow(config, &pkt->tuple, pkt->hash, now);
	if (found.flow && !(begins_connection(pkt) && is_closed(found.flow)))
		return pick_remembered(ctx, pkt, service, slot, found.flow);
	if (is_older(pkt, config, service, now)) {
		number = slot->former;
		pkt->choice = CHOICE_FORMER;
		keep_former(pkt, service, slot, number, now);
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
	struct slot *slot = find_slot(service, selection_hash(service, pkt));

	if (!slot)
		return 0;
	pkt->choice = slot->owner ? CHOICE_TABLE : CHOICE_NONE;
	if (slot->former && service->mode != MODE_NAT)
		return pick_in_transition(ctx, pkt, service, slot);
	return slot->owner;
}

#endif
