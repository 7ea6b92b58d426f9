/* SPDX-License-Identifier: GPL-2.0 */
/* Stage 6, rewrite: addresses, ports, checksums, MACs; and which device the packet leaves by. */
#ifndef REWRITE_H
#define REWRITE_H

#include "pick.h"

#define DEFAULT_MTU 1500 /* of a tunnel, where the helper has not said */

/* What the loss of 1 in a TTL adds to the header checksum: TTL is the high byte of its word. */
#define TTL_SUM (~bpf_htons(0x0100) & 0xffff)

/* RFC 1624, equation 3: HC' = ~(~HC + ~m + m'), where `sum` is ~m + m'. */
static __always_inline __u16 updated_checksum(__u16 check, __u32 sum)
{
	return ~fold_sum((__u64)negate_sum(check) + sum);
}

/* UDP: 0 means that there is none, so one that comes out as 0 is sent as 0xffff (RFC 768). */
static __always_inline __u16 updated_udp_checksum(__u16 check, __u32 sum)
{
	if (!check)
		return 0;
	check = updated_checksum(check, sum);
	return check ? check : 0xffff;
}

static __always_inline struct hop *current_hop(struct backend *backend)
{
	return &backend->hop[backend->flags & BACKEND_HOP];
}

/* MACs are 2-byte aligned everywhere. */
static __always_inline bool is_zero_mac(const void *mac)
{
	const __u16 *word = mac;

	return !(word[0] | word[1] | word[2]);
}

static __always_inline bool same_mac(const void *a, const void *b)
{
	const __u16 *x = a;
	const __u16 *y = b;

	return x[0] == y[0] && *(const __u32 *)(x + 1) == *(const __u32 *)(y + 1);
}

static __always_inline bool is_group_mac(const void *mac)
{
	return *(const __u8 *)mac & 1;
}

/*
 * Whether the frame is meant for this host: a switch also floods us what is for others, another
 * balancer of the same VIP perhaps. Our own MAC is known on the device that leads to the backend.
 */
static __always_inline bool is_for_us(const struct xdp_md *ctx, const struct hop *hop)
{
	const struct ethernet *eth = frame_at(ctx, 0, sizeof(*eth));

	if (!eth || is_group_mac(eth->destination))
		return false;
	return hop->ifindex != ctx->ingress_ifindex || is_zero_mac(hop->own_mac) ||
	       same_mac(hop->own_mac, eth->destination);
}

/* Bytes of the IP packet, by its header. */
static __always_inline __u32 ip_length(const struct packet *pkt)
{
	return pkt->l4 - pkt->l3 + pkt->payload;
}

/*
 * Whether the packet was joined from several (GRO, or TSO of a veth's peer; xdpgeneric sees such):
 * then it is larger than what its device carries, and is split again on its way out.
 */
static __always_inline bool is_joined(struct xdp_md *ctx, const struct packet *pkt)
{
	__u32 length = ip_length(pkt);

	return bpf_check_mtu(ctx, 0, &length, 0, 0) == BPF_MTU_CHK_RET_FRAG_NEEDED;
}

/* Whether the packet and the headers put before it fit the way to the backend. */
static __always_inline bool fits(struct xdp_md *ctx, struct packet *pkt,
				 const struct backend *backend, __u32 overhead)
{
	__u32 mtu = backend->mtu[backend->flags & BACKEND_HOP];

	if (!mtu && !overhead)
		return true;
	pkt->mtu = (mtu ? mtu : DEFAULT_MTU) - overhead;
	if (ip_length(pkt) <= pkt->mtu)
		return true;
	return !overhead && is_joined(ctx, pkt);
}

static __always_inline bool ttl_expires(const struct xdp_md *ctx, const struct packet *pkt)
{
	const struct iphdr *ip4 = frame_at(ctx, pkt->l3, sizeof(*ip4));
	const struct ipv6hdr *ip6 = (const void *)ip4;

	return !ip4 || (pkt->ipv6 ? ip6->hop_limit : ip4->ttl) <= 1;
}

static __always_inline void decrement_ttl(const struct xdp_md *ctx, const struct packet *pkt)
{
	struct iphdr *ip4 = frame_at(ctx, pkt->l3, sizeof(*ip4));
	struct ipv6hdr *ip6 = (void *)ip4;

	if (!ip4)
		return;
	if (pkt->ipv6) {
		ip6->hop_limit--;
		return;
	}
	ip4->ttl--;
	ip4->check = updated_checksum(ip4->check, TTL_SUM);
}

/* Writes the addresses of a packet that leaves for `to`: always from the VIP. */
static __always_inline void set_addresses(const struct xdp_md *ctx, const struct packet *pkt,
					  const struct address *to, __u32 sum)
{
	struct iphdr *ip4 = frame_at(ctx, pkt->l3, sizeof(*ip4));
	struct ipv6hdr *ip6 = frame_at(ctx, pkt->l3, sizeof(*ip6));

	if (pkt->ipv6 && ip6) {
		copy_address((struct address *)&ip6->saddr, &pkt->vip);
		copy_address((struct address *)&ip6->daddr, to);
	} else if (!pkt->ipv6 && ip4) {
		ip4->saddr = pkt->vip.word[3];
		ip4->daddr = to->word[3];
		ip4->check = updated_checksum(ip4->check, sum);
	}
}

static __always_inline void set_ports(const struct xdp_md *ctx, const struct packet *pkt,
				      __be16 source, __be16 destination, __u32 sum)
{
	struct tcphdr *tcp = frame_at(ctx, pkt->l4, sizeof(*tcp));
	struct udphdr *udp = frame_at(ctx, pkt->l4, sizeof(*udp));

	if (pkt->protocol == IPPROTO_TCP && tcp) {
		tcp->source = source;
		tcp->dest = destination;
		tcp->check = updated_checksum(tcp->check, sum);
	} else if (pkt->protocol == IPPROTO_UDP && udp) {
		udp->source = source;
		udp->dest = destination;
		udp->check = updated_udp_checksum(udp->check, sum);
	}
}

/*
 * Sends the packet to a next hop, from our own MAC, by a device; 0, and the one that the packet
 * came in by, are XDP_TX. `macs` is the next hop's MAC and our own; without ours, that of the
 * frame.
 */
static __always_inline enum verdict transmit(const struct xdp_md *ctx, const __u8 *macs,
					     __u32 ifindex)
{
	struct ethernet *eth = frame_at(ctx, 0, sizeof(*eth));
	const __u32 *from = (const __u32 *)macs;
	__u32 *to = (__u32 *)eth;

	if (!eth)
		return VERDICT_INTERNAL;
	if (is_zero_mac(macs + ETH_ALEN)) {
		__builtin_memcpy(eth->source, eth->destination, ETH_ALEN);
		__builtin_memcpy(eth->destination, (const __u16 *)macs, ETH_ALEN);
	} else {
		to[0] = from[0];
		to[1] = from[1];
		to[2] = from[2];
	}
	if (!ifindex || ifindex == ctx->ingress_ifindex)
		return VERDICT_FORWARDED;
	bpf_redirect(ifindex, 0);
	return VERDICT_REDIRECTED;
}

static __always_inline enum verdict send_to_hop(const struct xdp_md *ctx, const struct hop *hop)
{
	return transmit(ctx, hop->mac, hop->ifindex);
}

/* A client may move behind another router, and a router to another device. */
static __always_inline void learn_way_back(const struct xdp_md *ctx, struct flow *flow)
{
	const struct ethernet *eth = frame_at(ctx, 0, sizeof(*eth));

	if (!eth)
		return;
	if (!same_mac(flow->client_mac, eth->source))
		__builtin_memcpy(flow->client_mac, eth->source, ETH_ALEN);
	if (!same_mac(flow->own_mac, eth->destination))
		__builtin_memcpy(flow->own_mac, eth->destination, ETH_ALEN);
	if (flow->ifindex != ctx->ingress_ifindex)
		flow->ifindex = ctx->ingress_ifindex;
}

/* The other side of a flow, as a packet from there sees it: its address, and the ports of its
 * packets as they are in the frame, the source in the lower half. */
struct other_side {
	const struct address *address;
	__u32 ports;
	__u32 address_sum; /* what a checksum changes by, when a packet leaves for there */
	__u32 flow_sum;
};

static __always_inline struct other_side other_side(const struct found *found,
						    const struct backend *backend)
{
	const struct flow *flow = found->flow;
	struct other_side other = { &backend->address, backend_ports(backend, flow),
				    flow->address_sum, flow->flow_sum };

	if (found->from_backend) {
		other.address = &flow->client.peer;
		other.ports = ((const __u64 *)&flow->client)[2];
		other.address_sum = negate_sum(flow->address_sum);
		other.flow_sum = negate_sum(flow->flow_sum);
	}
	return other;
}

/* Sends a packet of the flow on to its other side. */
static __always_inline enum verdict send_to_other_side(const struct xdp_md *ctx,
						       const struct found *found,
						       const struct hop *hop)
{
	const struct flow *flow = found->flow;
	enum verdict verdict = found->from_backend ?
				       transmit(ctx, flow->client_mac, flow->ifindex) :
				       send_to_hop(ctx, hop);

	return flow_gone(found) ? VERDICT_FLOW_GONE : verdict;
}

/* Translates a packet of a NAT flow for its other side. */
static __always_inline void translate(const struct xdp_md *ctx, const struct packet *pkt,
				      const struct found *found, const struct backend *backend)
{
	struct other_side other = other_side(found, backend);

	set_addresses(ctx, pkt, other.address, other.address_sum);
	decrement_ttl(ctx, pkt);
	if (!is_later_fragment(pkt))
		set_ports(ctx, pkt, other.ports >> 16, other.ports, other.flow_sum);
}

#endif
