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

/*
 * How far a packet's numbers may be from those noted, in units of 2^16. Of each side the highest
 * number is noted of those that counted. A packet is no longer than a unit, and one that was lost
 * before it got here is sent again: so the next number is of the same unit or of the one after it.
 */
#define NEXT_UNIT 1
#define UNITS_BEHIND 256 /* what is sent again, or acknowledged late: a window of 2^24 */
#define UNITS_UNREAD 8 /* the same of a packet that ends the flow, or to a side that has: 512 KB */
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

/* Whether the number is at most `behind` less than the noted one, or `ahead` more. */
static __always_inline bool is_within(__be16 number, __be16 noted, __u16 behind, __u16 ahead)
{
	__u16 distance = bpf_ntohs(number) - bpf_ntohs(noted);

	return (__u16)(distance + behind) <= behind + ahead;
}

/*
 * What is noted of a number, in network byte order: its upper half, in units; of the number after a
 * FIN its middle, in parts of a unit: exact to 256 bytes, and the same again after 16 MB.
 */
static __always_inline __be16 upper(__u32 number)
{
	return bpf_htons(number >> 16);
}

#define PART_SHIFT 8
#define UNIT_PARTS (1 << (16 - PART_SHIFT))

static __always_inline __be16 middle(__u32 number)
{
	return bpf_htons(number >> PART_SHIFT);
}

/* The side's flag of a FIN that is noted. */
static __always_inline __u8 fin_of(__u32 side)
{
	return side ? FLOW_BACKEND_FIN : FLOW_CLIENT_FIN;
}

/*
 * Whether a number of the side is at most so many units less than the one noted, or so many more.
 * Of a side that has sent its FIN none is more, and a guess is right once in 32.
 */
static __always_inline bool is_near(const struct flow *flow, __u32 side, __u32 number, __u16 behind,
				    __u16 ahead)
{
	__be16 noted = flow->sequence[side & 1];

	if (!(flow->state & fin_of(side)))
		return is_within(upper(number), noted, behind, ahead);
	if (behind > UNITS_UNREAD)
		behind = UNITS_UNREAD;
	return is_within(middle(number), noted, behind * UNIT_PARTS, 0);
}

/* The upper halves of the numbers that a TCP header has. */
static __always_inline __be16 upper_half(const void *tcp)
{
	return ((const __be16 *)tcp)[2];
}

static __always_inline __be16 upper_half_acknowledged(const void *tcp)
{
	return ((const __be16 *)tcp)[4];
}

/* Whether a packet that neither ends nor resets its flow has numbers that its side could have. Who
 * moves the noted number has to know the other side's as well. */
static __always_inline bool has_likely_numbers(const void *tcp, const struct flow *flow, __u32 side)
{
	__be16 number = upper_half(tcp), noted = flow->sequence[side];

	if (number == noted)
		return true;
	return is_within(number, noted, UNITS_BEHIND, 0) ||
	       (is_within(number, noted, 0, NEXT_UNIT) &&
		is_within(upper_half_acknowledged(tcp), flow->sequence[side ^ 1], UNITS_BEHIND,
			  NEXT_UNIT));
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
	__u8 own_fin = fin_of(side_of(pkt));
	__u8 state = flow->state;

	if (pkt->protocol == IPPROTO_UDP)
		return pkt->from_backend ? state & FLOW_ESTABLISHED : !has_returned(pkt, flow);
	return !(pkt->tcp_flags & (TCP_FIN | TCP_SYN | TCP_RST)) &&
	       (state & (FLOW_ESTABLISHED | FLOW_RESET | own_fin)) == FLOW_ESTABLISHED &&
	       has_likely_numbers(frame->l4, flow, side_of(pkt));
}

/* Fast path: the flow has a packet that keeps its state. Returns whether the packet is one of the
 * last that its side has sent, so that the way back may follow it. */
static __always_inline bool touch_flow(const struct frame *frame, const struct packet *pkt,
				       struct flow *flow)
{
	__be16 *noted = &flow->sequence[side_of(pkt)];
	__be16 number = upper_half(frame->l4);

	if (flow->seen != pkt->now)
		flow->seen = pkt->now;
	if (pkt->protocol != IPPROTO_TCP || *noted == number)
		return true;
	if (!is_within(number, *noted, 0, NEXT_UNIT))
		return false;
	*noted = number;
	return true;
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
	const struct tcphdr *tcp;

	if (!pkt || !flow)
		return false;
	if (pkt->protocol != IPPROTO_TCP || !(flow->state & FLOW_ESTABLISHED))
		return true;
	tcp = frame_at(ctx, pkt->quote.l4, QUOTED_TCP);
	return tcp && pkt->quote.l4 + QUOTED_TCP <= pkt->quote.end &&
	       is_near(flow, side_of(pkt) ^ 1, bpf_ntohl(tcp->seq), UNITS_BEHIND, UNITS_BEHIND);
}

static __always_inline void read_segment(struct packet *pkt, const struct tcphdr *tcp)
{
	__u32 data = pkt->size - (pkt->l4 - pkt->l3) - tcp->doff * sizeof(__u32);

	pkt->segment.sequence = bpf_ntohl(tcp->seq);
	pkt->segment.acknowledged = bpf_ntohl(tcp->ack_seq);
	pkt->segment.end = pkt->segment.sequence + data + !!(pkt->tcp_flags & TCP_FIN);
	pkt->segment.has_data = data;
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
	if (!(pkt->tcp_flags & TCP_ACK) || pkt->tcp_flags & TCP_RST)
		return state;
	if (!pkt->from_backend) {
		if (state & FLOW_SYN_ACK && !(pkt->tcp_flags & TCP_SYN) &&
		    segment->acknowledged == flow->isn + 1)
			return establish(flow, state, segment->sequence, segment->acknowledged);
		return state;
	}
	if (pkt->tcp_flags & TCP_SYN) {
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
 * before it, sent again, or without data the number after it (RFC 9293, 3.8.4: or one less).
 */
static __always_inline bool is_after_fin(const struct segment *segment, __be16 noted)
{
	__u16 left = bpf_ntohs(noted) - (segment->end >> PART_SHIFT);

	if (segment->has_data)
		return left < 0x8000;
	return noted == middle(segment->sequence) || noted == middle(segment->sequence + 1);
}

/*
 * Whether the segment acknowledges what the other side has sent, or up to `behind` units less. In a
 * remembered flow it is what the client has acknowledged last.
 */
static __always_inline bool is_acknowledging(const struct packet *pkt, const struct flow *flow,
					     const struct segment *segment, __u16 behind)
{
	return pkt->tcp_flags & TCP_ACK &&
	       is_near(flow, side_of(pkt) ^ 1, segment->acknowledged, behind,
		       flow->state & FLOW_NAT ? NEXT_UNIT : behind);
}

/* What the numbers of a segment say of who has sent it. */
enum credit {
	CREDIT_NONE, /* its side could not have them */
	CREDIT_LIKELY, /* what was sent before, or a RST that tells nothing but where it may be */
	CREDIT_SURE, /* the last of its side; a FIN or RST takes a guess of one in 100 million, less
			if a side has sent its FIN: see credit_of_ended() */
};

/*
 * The credit of a segment whose side has sent its FIN, which may be forged: then what the side
 * sends is not far from it. To take a FIN back is a guess of one in 100,000, or of 512 if the other
 * side has sent its own; to reset the flow one of 32,768. Data that is sent again moves nothing.
 */
static __always_inline enum credit credit_of_ended(const struct packet *pkt,
						   const struct flow *flow,
						   const struct segment *segment, __be16 noted)
{
	bool is_after = is_after_fin(segment, noted);

	if (is_after && !segment->has_data)
		return CREDIT_SURE;
	if (pkt->tcp_flags & TCP_RST || !is_acknowledging(pkt, flow, segment, UNITS_UNREAD))
		return CREDIT_NONE;
	if (is_after && !(pkt->tcp_flags & TCP_FIN))
		return CREDIT_LIKELY;
	return is_within(middle(segment->sequence), noted, UNITS_UNREAD * UNIT_PARTS,
			 UNITS_UNREAD * UNIT_PARTS) ?
		       CREDIT_SURE :
		       CREDIT_NONE;
}

/*
 * The credit of a segment of an established flow. A RST need not acknowledge anything (RFC 9293,
 * 3.5.2), but one of an open connection does if its sender has aborted it.
 */
static __always_inline enum credit credit_of(const struct packet *pkt, const struct flow *flow,
					     const struct segment *segment)
{
	bool is_end = pkt->tcp_flags & (TCP_FIN | TCP_RST);
	__be16 number = upper(segment->sequence), noted = flow->sequence[side_of(pkt)];

	if (flow->state & fin_of(side_of(pkt)))
		return credit_of_ended(pkt, flow, segment, noted);
	if (!is_end && is_within(number, noted, UNITS_BEHIND, 0))
		return number == noted ? CREDIT_SURE : CREDIT_LIKELY;
	if (!is_within(number, noted, is_end ? NEXT_UNIT : 0, NEXT_UNIT))
		return CREDIT_NONE;
	if (is_acknowledging(pkt, flow, segment, is_end ? UNITS_UNREAD : UNITS_BEHIND))
		return CREDIT_SURE;
	return pkt->tcp_flags & TCP_RST ? CREDIT_LIKELY : CREDIT_NONE;
}

/*
 * An established flow goes on, by a segment that has credit: returns its state, and in `noted` the
 * number to note of the segment's side. FIN and RST are taken back by what their side sends after
 * them that it would not, were they its own. After a RST that is sure, one that is not changes
 * nothing: so a closed client answers what was under way.
 */
static __always_inline __u8 go_on(const struct packet *pkt, const struct segment *segment,
				  __u8 state, enum credit credit, __be16 *noted)
{
	__u8 own_fin = fin_of(side_of(pkt));
	__u8 own_reset = pkt->from_backend ? FLOW_BACKEND_RESET : 0;
	bool has_own_fin = state & own_fin;

	if (pkt->tcp_flags & TCP_RST) {
		if (state & FLOW_RESET && !is_doubtful(state) && credit != CREDIT_SURE)
			return state;
		state &= ~(FLOW_BACKEND_RESET | FLOW_DOUBTFUL);
		return state | FLOW_RESET | own_reset | (credit == CREDIT_SURE ? 0 : FLOW_DOUBTFUL);
	}
	if (state & FLOW_RESET && (state & FLOW_BACKEND_RESET) == own_reset)
		state &= ~(FLOW_RESET | FLOW_BACKEND_RESET);
	if (pkt->tcp_flags & TCP_FIN) {
		*noted = middle(segment->end);
		return state | own_fin;
	}
	if (has_own_fin && is_after_fin(segment, *noted))
		return state;
	if (has_own_fin || !is_within(upper(segment->sequence), *noted, UNITS_BEHIND, 0))
		*noted = upper(segment->sequence);
	return state & ~own_fin;
}

/*
 * Changes the state of a flow, then the number noted of the packet's side if that has changed: the
 * flag of a FIN is there before the number that is noted otherwise.
 */
static __always_inline void note_state(const struct packet *pkt, struct flow *flow, __u8 before,
				       __u8 state, __be16 former, __be16 noted)
{
	change_state(flow, before, state);
	if (noted != former)
		WRITE_ONCE(flow->sequence[side_of(pkt)], noted);
}

/* The backend's word on both numbers, where nobody else can have sent it: a new connection that it
 * has accepted, of a client that had forgotten the old one, goes on with others. */
static __always_inline void trust_backend(const struct packet *pkt, struct flow *flow,
					  const struct segment *segment, __u8 state)
{
	if (!(state & FLOW_BACKEND_FIN))
		flow->sequence[1] = upper(segment->sequence);
	if (pkt->tcp_flags & TCP_ACK && !(state & FLOW_CLIENT_FIN) &&
	    !is_within(upper(segment->acknowledged), flow->sequence[0], UNITS_BEHIND, 0))
		flow->sequence[0] = upper(segment->acknowledged);
}

/* Notes a TCP segment in a NAT flow. Returns whether it counts. */
static __always_inline enum credit note_segment(struct xdp_md *ctx, const struct packet *pkt,
						struct flow *flow, const struct segment *segment)
{
	enum origin origin = pkt->from_backend ? origin_of(ctx, pkt, flow) : ORIGIN_LIKELY;
	__u8 before = READ_ONCE(flow->state), state = before;
	enum credit credit = CREDIT_SURE;
	__be16 former = 0, noted = 0;

	if (origin == ORIGIN_FORGED)
		return CREDIT_NONE;
	if (state & FLOW_ESTABLISHED && pkt->tcp_flags & TCP_SYN && !pkt->from_backend)
		return CREDIT_NONE;
	if (!(state & FLOW_ESTABLISHED)) {
		state = shake_hands(pkt, flow, segment, state);
		if (!(state & FLOW_ESTABLISHED) && pkt->tcp_flags & TCP_RST)
			state |= FLOW_RESET | (pkt->from_backend ? FLOW_BACKEND_RESET : 0);
		else if (!(state & FLOW_ESTABLISHED))
			state &= ~(FLOW_RESET | FLOW_BACKEND_RESET);
	} else if (origin == ORIGIN_BACKEND) {
		trust_backend(pkt, flow, segment, state);
	}
	if (state & FLOW_ESTABLISHED) {
		if (origin != ORIGIN_BACKEND)
			credit = credit_of(pkt, flow, segment);
		if (credit == CREDIT_NONE)
			return CREDIT_NONE;
		former = noted = flow->sequence[side_of(pkt)];
		state = go_on(pkt, segment, state, credit, &noted);
	}
	note_state(pkt, flow, before, state, former, noted);
	if (is_closed(before) && !is_closed(state))
		recount_flow(flow);
	return credit;
}

/* Notes a datagram in a NAT flow. Returns whether it counts. */
static __always_inline enum credit note_datagram(struct xdp_md *ctx, const struct packet *pkt,
						 struct flow *flow)
{
	__u8 state = READ_ONCE(flow->state);

	if (!pkt->from_backend) {
		if (has_returned(pkt, flow))
			change_state(flow, state, state | FLOW_RETURNED);
		return CREDIT_SURE;
	}
	if (origin_of(ctx, pkt, flow) == ORIGIN_FORGED)
		return CREDIT_NONE;
	if (!(state & FLOW_ESTABLISHED)) {
		WRITE_ONCE(flow->answered, pkt->now);
		change_state(flow, state, state | FLOW_ESTABLISHED);
	}
	return CREDIT_SURE;
}

/* The same of a remembered flow, whose backend is never heard: its first packet but for SYN counts
 * for the handshake, and what the client acknowledges for the backend's number. */
static __always_inline enum credit note_remembered(const struct packet *pkt, struct flow *flow,
						   const struct segment *segment)
{
	__u8 before = READ_ONCE(flow->state), state = before;
	enum credit credit;
	__be16 former, noted;

	if (pkt->protocol == IPPROTO_UDP) {
		change_state(flow, state, state | FLOW_ESTABLISHED);
		return CREDIT_SURE;
	}
	if (begins_connection(pkt))
		return CREDIT_SURE;
	if (!(state & FLOW_ESTABLISHED)) {
		if (pkt->tcp_flags & TCP_RST) {
			change_state(flow, state, state | FLOW_RESET);
			return CREDIT_SURE;
		}
		state = establish(flow, state, segment->sequence, segment->acknowledged);
	}
	credit = credit_of(pkt, flow, segment);
	if (credit == CREDIT_NONE)
		return CREDIT_NONE;
	if (credit == CREDIT_SURE && is_acknowledging(pkt, flow, segment, UNITS_BEHIND))
		flow->sequence[1] = upper(segment->acknowledged);
	former = noted = flow->sequence[side_of(pkt)];
	state = go_on(pkt, segment, state, credit, &noted);
	note_state(pkt, flow, before, state, former, noted);
	return credit;
}

/* Slow path: notes what the packet does to its flow. Returns as touch_flow(). */
GLOBAL int update_state(struct xdp_md *ctx, __u32 index)
{
	struct packet *pkt = slow_packet();
	const struct tcphdr *tcp;
	struct flow *flow = flow_at(index);
	enum credit credit;

	if (!pkt || !flow)
		return false;
	if (pkt->protocol == IPPROTO_TCP) {
		if (!pkt->tcp_flags)
			return false; /* a later fragment, or no packet that TCP sends */
		tcp = frame_at(ctx, pkt->l4, sizeof(*tcp));
		if (!tcp)
			return false;
		read_segment(pkt, tcp);
	}
	if (!(flow->state & FLOW_NAT))
		credit = note_remembered(pkt, flow, &pkt->segment);
	else if (pkt->protocol == IPPROTO_UDP)
		credit = note_datagram(ctx, pkt, flow);
	else
		credit = note_segment(ctx, pkt, flow, &pkt->segment);
	if (credit != CREDIT_NONE && flow->seen != pkt->now)
		flow->seen = pkt->now;
	if (is_closed(flow->state))
		uncount_flow(flow);
	return credit == CREDIT_SURE;
}

#endif
