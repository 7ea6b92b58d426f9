/* SPDX-License-Identifier: GPL-2.0 */
/* Stage 8, account: the one exit of every packet. Counters, trace, dry runs. */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include "flow_table.h"

static __always_inline int action_of(enum verdict verdict)
{
#define VERDICT_ACTION(name, action, reason)                                                       \
	if (verdict == VERDICT_##name)                                                             \
		return XDP_##action;
	VERDICT_LIST(VERDICT_ACTION)
#undef VERDICT_ACTION
	return XDP_ABORTED;
}

static __always_inline void count(struct counter *counter, __u32 length)
{
	counter->packets++;
	counter->bytes += length;
}

static __always_inline void count_verdict(__u32 service_number, enum verdict verdict, __u32 length)
{
	struct service_stats *service = bpf_map_lookup_elem(&xlb_svc_stats, &service_number);
	__u32 index = verdict;

	keep_order(index); /* clang knows what a verdict may be, and leaves out the check */
	if (service && index < VERDICT_ROOM)
		count(&service->verdict[index], length);
}

static __always_inline void count_sent(__u32 backend_number, __u32 length)
{
	struct backend_stats *backend = bpf_map_lookup_elem(&xlb_be_stats, &backend_number);

	if (backend)
		count(&backend->total, length);
}

/*
 * The one exit: counts what became of a packet. Returns the XDP action. The ordinary packet is
 * counted once, by its backend: see struct service_stats.
 */
static __always_inline int account(const struct packet *pkt, enum verdict verdict)
{
	if (verdict == VERDICT_FORWARDED) {
		count_sent(pkt->backend, pkt->length);
		return XDP_TX;
	}
	count_verdict(pkt->service, verdict, pkt->length);
	if (verdict == VERDICT_REDIRECTED)
		count_sent(pkt->backend, pkt->length);
	return action_of(verdict);
}

/* Counts a flow that begins. */
static __always_inline void count_flow(const struct packet *pkt)
{
	__u32 service_number = pkt->service, backend_number = pkt->backend;
	struct service_stats *service = bpf_map_lookup_elem(&xlb_svc_stats, &service_number);
	struct backend_stats *backend = bpf_map_lookup_elem(&xlb_be_stats, &backend_number);

	if (service)
		service->flows++;
	if (backend)
		backend->flows++;
}

/* Counts a packet of a VIP that takes the slow path. */
static __always_inline void count_slow(__u32 cause)
{
	__u32 zero = 0;
	struct slow_stats *slow = bpf_map_lookup_elem(&xlb_slow, &zero);

	cause -= CONTINUE + 1;
	if (slow && cause < SLOW_ROOM)
		slow->packets[cause]++;
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
	decision->source = pkt->source;
	decision->unused = 0;
}

/* The client's tuple of a packet: of the flow `flow`, or of none; in mode dnat of one that becomes
 * `answer`, or NULL. */
static __always_inline void describe_client(__u64 word[3], const struct packet *pkt,
					    const struct flow *flow, const struct answer *answer)
{
	__u32 vip_port;

	if (flow) {
		__builtin_memcpy(word, &flow->client, sizeof(flow->client));
		return;
	}
	copy_address(word, pkt->peer);
	word[2] = tuple_tail(pkt);
	if (!answer)
		return;
	copy_address(word, pkt->vip);
	vip_port = answer->port ? answer->port : pkt->ports & 0xffff;
	word[2] = pkt->ports >> 16 | vip_port << 16 | (__u64)answer->vip_number << 32 |
		  (__u64)pkt->protocol << 48;
}

/* Whether the trace is to tell of such a packet. */
static __always_inline bool is_packet_traced(const struct config *config, const struct packet *pkt,
					     const struct flow *flow, const struct answer *answer)
{
	__u64 word[3];

	describe_client(word, pkt, flow, answer);
	return is_traced(&config->trace, word);
}

/* Tells the helper of the decision. Only service packets are told of, as they have a client. */
static __always_inline void trace_packet(const struct xdp_md *ctx, const struct packet *pkt,
					 const struct config *config, enum verdict verdict)
{
	struct answer *answer = is_dnat_answer(pkt) ? answer_at(pkt->service) : NULL;
	const struct address *vip = NULL;
	struct flow *flow = NULL;
	struct event *event;
	__u64 word[3];

	if (!pkt->service)
		return;
	if (pkt->from_backend && !answer && pkt->flow != NO_FLOW)
		flow = flow_at(pkt->flow);
	describe_client(word, pkt, flow, answer);
	if (!is_traced(&config->trace, word))
		return;
	event = bpf_ringbuf_reserve(&xlb_trace, sizeof(*event), 0);
	if (!event)
		return;
	event->time = bpf_ktime_get_ns();
	__builtin_memcpy(&event->tuple, word, sizeof(event->tuple));
	if (flow)
		vip = other_own_address(pkt, flow);
	if (answer)
		vip = &answer->vip;
	copy_address(&event->vip, vip ? (const void *)vip : pkt->vip);
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
