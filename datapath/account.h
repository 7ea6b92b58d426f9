/* SPDX-License-Identifier: GPL-2.0 */
/* Stage 7, account: the one exit of every packet. Counters, trace, dry runs. */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include "rewrite.h"

static __always_inline int action_of(enum verdict verdict)
{
#define VERDICT_ACTION(name, action, reason)                                                       \
	if (verdict == VERDICT_##name)                                                             \
		return XDP_##action;
	VERDICT_LIST(VERDICT_ACTION)
#undef VERDICT_ACTION
	return XDP_ABORTED;
}

/* Writes the decision into the metadata of a dry run. */
static __always_inline void report_decision(const struct xdp_md *ctx, const struct packet *pkt,
					    enum verdict verdict)
{
	struct decision *decision = (void *)(long)ctx->data_meta;

	if ((void *)(decision + 1) > (void *)(long)ctx->data)
		return;
	decision->verdict = verdict;
	decision->choice = pkt->choice;
	decision->backend = pkt->backend;
	decision->service = pkt->service;
}

static __always_inline void count(struct counter *counter, __u32 length)
{
	counter->packets++;
	counter->bytes += length;
}

static __always_inline void count_verdict(__u32 service_number, enum verdict verdict, __u32 length)
{
	struct service_stats *service = bpf_map_lookup_elem(&xlb_svc_stats, &service_number);

	if (service && (__u32)verdict < VERDICT_ROOM)
		count(&service->verdict[verdict], length);
}

static __always_inline void count_sent(__u32 backend_number, __u32 length)
{
	struct backend_stats *backend = bpf_map_lookup_elem(&xlb_be_stats, &backend_number);

	if (backend)
		count(&backend->total, length);
}

/*
 * The one exit: counts what became of a packet of `length` bytes. Returns the XDP action. The
 * ordinary packet is counted once, by its backend: see struct service_stats.
 */
static __always_inline int account(__u32 service_number, __u32 backend_number, enum verdict verdict,
				   __u32 length)
{
	if (verdict != VERDICT_FORWARDED)
		count_verdict(service_number, verdict, length);
	if (verdict == VERDICT_FORWARDED || verdict == VERDICT_REDIRECTED)
		count_sent(backend_number, length);
	return action_of(verdict);
}

/* Counts a flow that begins. */
static __always_inline void count_flow(__u32 service_number, __u32 backend_number)
{
	struct service_stats *service = bpf_map_lookup_elem(&xlb_svc_stats, &service_number);
	struct backend_stats *backend = bpf_map_lookup_elem(&xlb_be_stats, &backend_number);

	if (service)
		service->flows++;
	if (backend)
		backend->flows++;
}

/* Whether the trace's filter lets the packet's flow through; what it does not name matches. */
static __always_inline bool is_traced(const struct tuple *filter, const struct tuple *tuple)
{
	struct address any = {};

	return (!filter->vip || filter->vip == tuple->vip) &&
	       (!filter->protocol || filter->protocol == tuple->protocol) &&
	       (!filter->vip_port || filter->vip_port == tuple->vip_port) &&
	       (!filter->peer_port || filter->peer_port == tuple->peer_port) &&
	       (same_address(&filter->peer, &any) || same_address(&filter->peer, &tuple->peer));
}

/* The tuple of the flow's client; for an answer the flow has it. */
static __always_inline struct tuple client_tuple(const struct packet *pkt)
{
	struct flow *flow;

	if (!pkt->from_backend)
		return pkt->tuple;
	flow = flow_at(look_everywhere(&pkt->tuple, pkt->flow_hash) >> FOUND_SHIFT);
	return flow ? flow->client : pkt->tuple;
}

/* Tells the helper of the decision. Only service packets are told of, as they have a client. */
static __always_inline void trace_packet(const struct xdp_md *ctx, const struct packet *pkt,
					 const struct config *config, enum verdict verdict)
{
	struct tuple client;
	struct event *event;

	if (!pkt->service)
		return;
	client = client_tuple(pkt);
	if (!is_traced(&config->trace, &client))
		return;
	event = bpf_ringbuf_reserve(&xlb_trace, sizeof(*event), 0);
	if (!event)
		return;
	event->time = bpf_ktime_get_ns();
	event->tuple = client;
	event->vip = pkt->vip;
	event->length = pkt->length;
	event->backend = pkt->backend;
	event->service = pkt->service;
	event->verdict = verdict;
	event->choice = pkt->choice;
	event->from_backend = pkt->from_backend;
	event->unused = 0;
	event->ifindex = ctx->ingress_ifindex;
	bpf_ringbuf_submit(event, 0);
}

#endif
