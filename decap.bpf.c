// SPDX-License-Identifier: GPL-2.0
/*
 * For a backend of a service in mode ipip that has no tunnel device: takes packets out of the tunnel
 * (IPv4 or IPv6 in IPv4 or IPv6; VLAN tags stay) and passes them to the host's own stack. Everything
 * else, and whatever is not as it should be, passes as it came.
 *
 * What it takes out looks as if its inner source had sent it. So only the balancers may be able to
 * send this host tunnelled packets (IP protocols 4 and 41): whoever else can, may speak in any name,
 * from behind any filter that goes by addresses. That is for a router on the way to see to. It does
 * not ask whom the outer packet is for, as long as the frame is for this host: a host that forwards
 * tunnels of others is no place for it.
 */
#include "datapath/packet.h"

#define ECN_MASK 3 /* of the traffic class (RFC 3168) */
#define ECN_CE 3

/* An IP header's first word holds the traffic class. */
static __always_inline __u32 class_shift(const struct packet *pkt)
{
	return pkt->ipv6 ? 20 : 16;
}

static __always_inline __u8 ecn_of(const struct xdp_md *ctx, const struct packet *pkt)
{
	const __be32 *word = frame_at(ctx, pkt->l3, sizeof(*word));

	return word ? bpf_ntohl(*word) >> class_shift(pkt) & ECN_MASK : 0;
}

/* Marks the packet at l3, which is capable of it: congestion was met on the way. */
static __always_inline void mark_congestion(const struct xdp_md *ctx, const struct packet *pkt)
{
	struct iphdr *ip = frame_at(ctx, pkt->l3, sizeof(*ip));
	__u32 before, sum;

	if (!ip)
		return;
	before = *(__be16 *)ip;
	*(__be32 *)ip |= bpf_htonl((__u32)ECN_CE << class_shift(pkt));
	if (pkt->ipv6)
		return;
	sum = (__u16)~ip->check + (~before & 0xffff) + *(__be16 *)ip;
	ip->check = ~fold_sum(sum);
}

/* Whether it is a tunnelled packet for this host, whole and right in its outer header. */
static __always_inline bool is_tunnelled(struct xdp_md *ctx, struct packet *pkt)
{
	const struct ethernet *eth = frame_at(ctx, 0, sizeof(*eth));

	if (!eth || *(const __u8 *)eth & 1)
		return false;
	if (parse_frame(ctx, pkt) != VERDICTS || parse_ip(ctx, pkt) != VERDICTS)
		return false;
	if (pkt->malformed || pkt->fragment || (!pkt->ipv6 && !ipv4_intact(ctx, pkt)))
		return false;
	return pkt->protocol == IPPROTO_IPIP || pkt->protocol == IPPROTO_IPV6;
}

/* Goes on to the inner packet. Returns whether the outer one has room for what its header claims. */
static __always_inline bool parse_inner(struct xdp_md *ctx, struct packet *pkt)
{
	__u32 room = pkt->payload;

	pkt->l3 = pkt->l4;
	pkt->ipv6 = pkt->protocol == IPPROTO_IPV6;
	if (!read_destination(ctx, pkt) || parse_ip(ctx, pkt) != VERDICTS)
		return false;
	return !pkt->malformed && pkt->l4 - pkt->l3 + pkt->payload <= room;
}

/* Moves the L2 headers, which end at `l3`, up to the inner packet, from their end to their start, as
 * they may overlap with what they were; and drops what is before them. */
static __always_inline bool drop_outer(struct xdp_md *ctx, const struct packet *pkt, __u32 l3)
{
	__u32 size = pkt->l3 - l3;
	struct ethernet *to = frame_at(ctx, size, sizeof(*to));
	struct ethernet *from = frame_at(ctx, 0, sizeof(*from));
	__be16 *type = frame_at(ctx, pkt->l3 - sizeof(*type), sizeof(*type));

	if (!to || !from || !type)
		return false;
#pragma unroll
	for (__u32 i = MAX_VLAN_TAGS; i > 0; i--) {
		__u32 at = sizeof(*to) + (i - 1) * sizeof(struct vlan_header);
		struct vlan_header *tag = frame_at(ctx, size + at, sizeof(*tag));
		struct vlan_header *old = frame_at(ctx, at, sizeof(*old));

		if (at < l3 && tag && old)
			*tag = *old;
	}
	*to = *from;
	*type = pkt->ipv6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	return !bpf_xdp_adjust_head(ctx, size);
}

static __always_inline int decapsulate(struct xdp_md *ctx, __u32 length)
{
	struct packet pkt = { .length = length };
	bool congested;
	__u32 l3;

	if (!is_tunnelled(ctx, &pkt))
		return XDP_PASS;
	l3 = pkt.l3;
	congested = ecn_of(ctx, &pkt) == ECN_CE;
	if (!parse_inner(ctx, &pkt))
		return XDP_PASS;
	if (congested) {
		/* RFC 6040, section 4.2: an inner packet that cannot carry the mark is dropped. */
		if (!ecn_of(ctx, &pkt))
			return XDP_DROP;
		mark_congestion(ctx, &pkt);
	}
	return drop_outer(ctx, &pkt, l3) ? XDP_PASS : XDP_ABORTED;
}

SEC("xdp")
int xdp_decap(struct xdp_md *ctx)
{
	return decapsulate(ctx, ctx->data_end - ctx->data);
}

SEC("xdp.frags")
int xdp_decap_frags(struct xdp_md *ctx)
{
	return decapsulate(ctx, bpf_xdp_get_buff_len(ctx));
}

char _license[] SEC("license") = "GPL";
