/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stage state: what a packet does to its flow. Addresses and ports can be forged by anybody, so
 * they alone change nothing: a TCP packet must have numbers that its side could have by now (RFC
 * 5961), an answer must not come from where the client's packets come from. What does not look so
 * is forwarded, as its receiver judges better, and changes nothing.
 */
#ifndef FLOW_STATE_H
#define FLOW_STATE_H

#include "least.h"

/* How far a packet's number may be from the one noted, in units of 2^16: 2^24. One guess of 128 is
 * so near. A sender has no more than a window under way, and both numbers are noted all the
 * time. */
#define SEQUENCE_WINDOW 256
#define FAST_OPEN_WINDOW 65536 /* what a backend may send before the handshake's last packet */

/* Ticks after the first answer from when on a datagram of the client shows that it goes on: 2 s. */
#define TICKS_TO_RETURN 8

/* A backend that has answered directly within so many seconds does so. */
#define DIRECT_TIMEOUT 600

/* Index in `sequence` of struct flow: of the client or the backend. */
static __always_inline __u32 side_of(const struct packet *pkt)
{
	return pkt->from_backend ? 1 : 0;
}

static __always_inline bool is_near(__be16 number, __be16 noted)
{
	__u16 ahead = bpf_ntohs(number) - bpf_ntohs(noted);

	return (__u16)(ahead + SEQUENCE_WINDOW) <= 2 * SEQUENCE_WINDOW;
}

/* The upper half of the number that a TCP header has. */
static __always_inline __be16 upper_half(const void *tcp)
{
	return ((const __be16 *)tcp)[2];
}

/* Whether a client's datagram shows that a flow which was answered once goes on. */
static __always_inline bool has_returned(const struct packet *pkt, const struct flow *flow)
{
	return (flow->state & (FLOW_ESTABLISHED | FLOW_RETURNED)) == FLOW_ESTABLISHED &&
	       pkt->now - flow->answered >= TICKS_TO_RETURN;
}

/*
 * Fast path: whether the packet leaves the state of its flow as it is. So it is with all of an
 * established TCP flow that is plausible and neither ends nor resets it.
 */
static __always_inline bool keeps_state(const struct frame *frame, const struct packet *pkt,
					const struct flow *flow)
{
	__u8 own_fin = pkt->from_backend ? FLOW_BACKEND_FIN : FLOW_CLIENT_FIN;
	__u8 state = flow->state;

	if (pkt->protocol == IPPROTO_UDP)
		return pkt->from_backend ? state & FLOW_ESTABLISHED : !has_returned(pkt, flow);
	return !(pkt->tcp_flags & (TCP_FIN | TCP_SYN | TCP_RST)) &&
	       (state & (FLOW_ESTABLISHED | FLOW_RESET | own_fin)) == FLOW_ESTABLISHED &&
	       is_near(upper_half(frame->l4), flow->sequence[side_of(pkt)]);
}

/* Fast path: the flow has a packet that keeps its state. */
static __always_inline void touch_flow(const struct frame *frame, const struct packet *pkt,
				       struct flow *flow)
{
	if (pkt->protocol == IPPROTO_TCP) {
		__be16 *noted = &flow->sequence[side_of(pkt)];
		__be16 number = upper_half(frame->l4);

		if (*noted != number)
			*noted = number;
	}
	if (flow->seen != pkt->now)
		flow->seen = pkt->now;
}

/*
 * Changes the bits of the flow's state that differ from `before`. The locked instructions also
 * keep the order against evict(), which stores, then loads, as does who establishes a flow that is
 * being evicted: either that sees the new state, or this packet sees the end (is_flow_gone).
 */
static __always_inline void change_state(struct flow *flow, __u32 before, __u32 state)
{
	__u32 added = state & ~before, removed = before & ~state;

	if (added)
		__sync_fetch_and_or(word_of_state(flow), added << STATE_SHIFT);
	if (removed)
		__sync_fetch_and_and(word_of_state(flow), ~(removed << STATE_SHIFT));
}

/* Who may have sent a packet of a NAT flow that has the backend as its source. */
enum origin {
	ORIGIN_FORGED, /* the client's side: this backend answers by itself */
	ORIGIN_LIKELY, /* it may be the backend */
	ORIGIN_BACKEND, /* where packets for the backend go, and the client's do not come from */
};

/* Whether the backend has answered by itself not long ago. */
static __always_inline bool is_direct(const struct direct *direct, const struct backend *backend,
				      __u32 now)
{
	return direct->seen && direct->generation == backend->generation &&
	       !is_past(now, direct->seen, DIRECT_TIMEOUT);
}

/*
 * The answers of a backend whose gateway is the clients' router come from that router, as the
 * clients' packets do. Of a backend that was seen to answer by itself, they do not.
 */
static __always_inline enum origin origin_of(struct xdp_md *ctx, const struct packet *pkt,
					     const struct flow *flow)
{
	const struct ethernet *eth = frame_at(ctx, 0, sizeof(*eth));
	__u32 number = flow->backend;
	struct backend *backend = backend_at(number);
	struct direct *direct = bpf_map_lookup_elem(&xlb_direct, &number);
	bool is_of_client, is_of_hop;

	if (!eth || !backend || !direct)
		return ORIGIN_LIKELY;
	is_of_client = ctx->ingress_ifindex == flow->ifindex &&
		       same_mac(eth->source, flow->client_mac);
	is_of_hop = same_mac(eth->source, next_hop_of(backend).hop->mac);
	if (is_of_client)
		return !is_of_hop && is_direct(direct, backend, pkt->now) ? ORIGIN_FORGED :
									    ORIGIN_LIKELY;
	if (!is_of_hop)
		return ORIGIN_LIKELY;
	if (direct->seen != pkt->now || direct->generation != backend->generation) {
		direct->generation = backend->generation;
		direct->seen = pkt->now;
	}
	return ORIGIN_BACKEND;
}

#define QUOTED_TCP 8 /* bytes that every quote has (RFC 792): ports, sequence number */

/*
 * Whether an ICMP error about an established TCP flow quotes what its sender may have sent: who
 * only guesses the ports does not know the number. The quoted packet went to the one that packets
 * with the error's addresses come from, so the other side has sent it.
 */
GLOBAL int is_quote_plausible(struct xdp_md *ctx, __u32 index)
{
	struct packet *pkt = slow_packet();
	const struct flow *flow = flow_at(index);
	const void *tcp;

	if (!pkt || !flow)
		return false;
	if (pkt->protocol != IPPROTO_TCP || !(flow->state & FLOW_ESTABLISHED))
		return true;
	tcp = frame_at(ctx, pkt->quote.l4, QUOTED_TCP);
	return tcp && pkt->quote.l4 + QUOTED_TCP <= pkt->quote.end &&
	       is_near(upper_half(tcp), flow->sequence[pkt->from_backend ? 0 : 1]);
}

/* What is read of a TCP segment. */
struct segment {
	__u32 sequence, acknowledged;
	__u32 end; /* the number after its last byte; a FIN counts */
	__u8 flags;
	bool has_data;
};

static __always_inline struct segment read_segment(const struct packet *pkt,
						   const struct tcphdr *tcp)
{
	__u32 data = pkt->size - (pkt->l4 - pkt->l3) - tcp->doff * sizeof(__u32);
	struct segment segment = {
		.sequence = bpf_ntohl(tcp->seq),
		.acknowledged = bpf_ntohl(tcp->ack_seq),
		.flags = pkt->tcp_flags,
		.has_data = data,
	};

	segment.end = segment.sequence + data + !!(pkt->tcp_flags & TCP_FIN);
	return segment;
}

static __always_inline __be16 upper(__u32 number)
{
	return bpf_htons(number >> 16);
}

/* Both sides were heard: from here on their numbers are noted. */
static __always_inline __u8 establish(struct flow *flow, __u8 state, __u32 client, __u32 backend)
{
	__u32 both = upper(client) | (__u32)upper(backend) << 16;

	WRITE_ONCE(flow->isn, both);
	return state | FLOW_ESTABLISHED;
}

/*
 * A handshake goes on. It is complete when the client shows that it has seen the backend's number:
 * a sender of spoofed packets has not, and one of 2^32 guesses is right. Before that a backend
 * sends data only to a client that it knows (RFC 7413).
 */
static __always_inline __u8 shake_hands(const struct packet *pkt, struct flow *flow,
					const struct segment *segment, __u8 state)
{
	if (!(segment->flags & TCP_ACK) || segment->flags & TCP_RST)
		return state;
	if (!pkt->from_backend) {
		if (state & FLOW_SYN_ACK && !(segment->flags & TCP_SYN) &&
		    segment->acknowledged == flow->isn + 1)
			return establish(flow, state, segment->sequence, segment->acknowledged);
		return state;
	}
	if (segment->flags & TCP_SYN) {
		WRITE_ONCE(flow->isn, segment->sequence);
		return state | FLOW_SYN_ACK;
	}
	if (state & FLOW_SYN_ACK && segment->has_data &&
	    segment->sequence - flow->isn - 1 < FAST_OPEN_WINDOW)
		return establish(flow, state, segment->acknowledged, segment->sequence);
	return state;
}

/*
 * Whether the segment is one that its side may send after the FIN that is noted: a part of what was
 * before it, sent again, or an ACK. `noted` is the lower half of the number after the FIN.
 */
static __always_inline bool is_after_fin(const struct segment *segment, __be16 noted)
{
	__u16 left = bpf_ntohs(noted) - segment->end;

	return segment->has_data ? left < 0x8000 : left <= 1;
}

/* Whether the segment has a number that its side could have. */
static __always_inline bool is_plausible(const struct segment *segment, bool has_own_fin,
					 __be16 noted)
{
	if (has_own_fin && segment->flags & TCP_RST)
		return is_after_fin(segment, noted);
	return has_own_fin || is_near(upper(segment->sequence), noted);
}

/*
 * An established flow goes on, by a plausible segment. FIN and RST are taken back by what their
 * side sends after them, were they its own. Of a side that has sent its FIN the lower half of the
 * number after it is noted.
 */
static __always_inline __u8 go_on(const struct packet *pkt, struct flow *flow,
				  const struct segment *segment, __u8 state)
{
	__u8 own_fin = pkt->from_backend ? FLOW_BACKEND_FIN : FLOW_CLIENT_FIN;
	__u8 own_reset = pkt->from_backend ? FLOW_BACKEND_RESET : 0;
	__be16 *noted = &flow->sequence[side_of(pkt)];

	if (segment->flags & TCP_RST)
		return (state & ~FLOW_BACKEND_RESET) | FLOW_RESET | own_reset;
	if (state & FLOW_RESET && (state & FLOW_BACKEND_RESET) == own_reset)
		state &= ~(FLOW_RESET | FLOW_BACKEND_RESET);
	if (segment->flags & TCP_FIN) {
		*noted = bpf_htons(segment->end);
		return state | own_fin;
	}
	if (state & own_fin && is_after_fin(segment, *noted))
		return state;
	*noted = upper(segment->sequence);
	return state & ~own_fin;
}

/* The backend's word on both numbers, where nobody else can have sent it: a new connection that it
 * has accepted, of a client that had forgotten the old one, goes on with others. */
static __always_inline void trust_backend(struct flow *flow, const struct segment *segment,
					  __u8 state)
{
	if (!(state & FLOW_BACKEND_FIN))
		flow->sequence[1] = upper(segment->sequence);
	if (segment->flags & TCP_ACK && !(state & FLOW_CLIENT_FIN) &&
	    !is_near(upper(segment->acknowledged), flow->sequence[0]))
		flow->sequence[0] = upper(segment->acknowledged);
}

/* Notes a TCP segment in a NAT flow. Returns whether it counts. */
static __always_inline bool note_segment(struct xdp_md *ctx, const struct packet *pkt,
					 struct flow *flow, const struct segment *segment)
{
	enum origin origin = pkt->from_backend ? origin_of(ctx, pkt, flow) : ORIGIN_LIKELY;
	__u8 own_fin = pkt->from_backend ? FLOW_BACKEND_FIN : FLOW_CLIENT_FIN;
	__u8 before = READ_ONCE(flow->state), state = before;

	if (origin == ORIGIN_FORGED)
		return false;
	if (state & FLOW_ESTABLISHED && segment->flags & TCP_SYN && !pkt->from_backend)
		return false;
	if (!(state & FLOW_ESTABLISHED)) {
		state = shake_hands(pkt, flow, segment, state);
		if (!(state & FLOW_ESTABLISHED) && segment->flags & TCP_RST)
			state |= FLOW_RESET | (pkt->from_backend ? FLOW_BACKEND_RESET : 0);
		else if (!(state & FLOW_ESTABLISHED))
			state &= ~(FLOW_RESET | FLOW_BACKEND_RESET);
	} else if (origin == ORIGIN_BACKEND) {
		trust_backend(flow, segment, state);
	}
	if (state & FLOW_ESTABLISHED) {
		if (origin != ORIGIN_BACKEND &&
		    !is_plausible(segment, state & own_fin, flow->sequence[side_of(pkt)]))
			return false;
		state = go_on(pkt, flow, segment, state);
	}
	change_state(flow, before, state);
	return true;
}

/* Notes a datagram in a NAT flow. Returns whether it counts. */
static __always_inline bool note_datagram(struct xdp_md *ctx, const struct packet *pkt,
					  struct flow *flow)
{
	__u8 state = READ_ONCE(flow->state);

	if (!pkt->from_backend) {
		if (has_returned(pkt, flow))
			change_state(flow, state, state | FLOW_RETURNED);
		return true;
	}
	if (origin_of(ctx, pkt, flow) == ORIGIN_FORGED)
		return false;
	if (!(state & FLOW_ESTABLISHED)) {
		WRITE_ONCE(flow->answered, pkt->now);
		change_state(flow, state, state | FLOW_ESTABLISHED);
	}
	return true;
}

/* The same of a remembered flow, whose backend is never heard: its first packet but for SYN counts
 * for the handshake. */
static __always_inline bool note_remembered(const struct packet *pkt, struct flow *flow,
					    const struct segment *segment)
{
	__u8 before = READ_ONCE(flow->state), state = before;

	if (pkt->protocol == IPPROTO_UDP) {
		change_state(flow, state, state | FLOW_ESTABLISHED);
		return true;
	}
	if (begins_connection(pkt))
		return true;
	if (!(state & FLOW_ESTABLISHED))
		state = establish(flow, state, segment->sequence, segment->acknowledged);
	if (!is_plausible(segment, state & FLOW_CLIENT_FIN, flow->sequence[0]))
		return false;
	state = go_on(pkt, flow, segment, state);
	change_state(flow, before, state);
	return true;
}

/* Slow path: notes what the packet does to its flow. Returns whether it counts: whether the flow
 * has been heard of, and where from. */
GLOBAL int update_state(struct xdp_md *ctx, __u32 index)
{
	struct packet *pkt = slow_packet();
	const struct tcphdr *tcp;
	struct flow *flow = flow_at(index);
	struct segment segment = {};
	bool counts = true;

	if (!pkt || !flow)
		return false;
	if (pkt->protocol == IPPROTO_TCP && pkt->tcp_flags) {
		tcp = frame_at(ctx, pkt->l4, sizeof(*tcp));
		if (!tcp)
			return false;
		segment = read_segment(pkt, tcp);
	}
	if (!(flow->state & FLOW_NAT))
		counts = note_remembered(pkt, flow, &segment);
	else if (pkt->protocol == IPPROTO_UDP)
		counts = note_datagram(ctx, pkt, flow);
	else if (pkt->tcp_flags)
		counts = note_segment(ctx, pkt, flow, &segment);
	if (counts && flow->seen != pkt->now)
		flow->seen = pkt->now;
	if (is_closed(flow->state))
		uncount_flow(flow);
	return counts;
}

#endif
