/* SPDX-License-Identifier: GPL-2.0 */
/* New headers in front of a packet: mode ipip's tunnel, and the answers that the balancer sends. */
#ifndef ENCAP_H
#define ENCAP_H

#include "rewrite.h"

#define NEW_TTL 64
#define IPV6_VERSION bpf_htonl(6U << 28)

/*
 * The outer source varies by flow, so that the backend's NIC spreads tunnelled packets over its
 * queues. Nothing is ever sent to these: a private /16 and the discard prefix (RFC 1918, RFC 6666).
 */
#define TUNNEL_SOURCE_IPV4 0xac100000 /* 172.16.0.0/16 */
#define TUNNEL_SOURCE_IPV6 0x01000000 /* 100::/64 */

/* What a new IP header says. */
struct outer {
	__u64 source[2]; /* as struct address */
	__u64 destination[2];
	__u32 payload; /* bytes after the header */
	__u8 protocol;
	__u8 class;
	bool ipv6;
};

static __always_inline void write_ipv4(struct ipv4_words *ip, const struct outer *outer)
{
	__u32 first = IPV4_PLAIN | outer->class << 8 |
		      (__u32)bpf_htons(outer->payload + sizeof(*ip)) << 16;
	__u32 ttl = NEW_TTL | outer->protocol << 8;
	__u32 source = outer->source[1] >> 32, destination = outer->destination[1] >> 32;
	__u64 sum = (__u64)first + bpf_htonl(IPV4_DONT_FRAGMENT) + ttl + source + destination;

	ip->first = first;
	ip->fragment = bpf_htonl(IPV4_DONT_FRAGMENT);
	ip->ttl = ttl | ~fold_sum(sum) << 16;
	ip->source = source;
	ip->destination = destination;
}

static __always_inline void write_ipv6(struct ipv6_words *ip, const struct outer *outer)
{
	ip->first = IPV6_VERSION | bpf_htonl((__u32)outer->class << 20);
	ip->ttl = bpf_htons(outer->payload) | outer->protocol << 16 | (__u32)NEW_TTL << 24;
	copy_address(ip->source, outer->source);
	copy_address(ip->destination, outer->destination);
}

/* Where the L2 headers and an IP header of `size` bytes are, in a frame that has grown. Returns
 * whether they are there. */
static __always_inline bool locate_headers(struct frame *frame, const struct packet *pkt,
					   __u32 size)
{
	__u32 l2 = sizeof(struct ethernet), most = l2 + VLAN_SIZE + size;

	if (!frame->fast) {
		frame->eth = frame_at(frame->ctx, 0, l2);
		frame->l3 = frame_at(frame->ctx, pkt->l3, size);
		return frame->eth && frame->l3;
	}
	frame->eth = frame_start(frame->ctx);
	if (frame->eth + most > frame_end(frame->ctx))
		return false;
	frame->l3 = frame->eth + l2 + (pkt->tags ? VLAN_SIZE : 0);
	return true;
}

/* Writes the VLAN tags and the EtherType of the frame anew, as the IP packet is now at pkt->l3. */
static __always_inline void write_tags(const struct frame *frame, const struct packet *pkt,
				       __be16 type)
{
	struct ethernet *eth = frame->eth;
	__be16 *last;

	if (!pkt->tags) {
		eth->type = type;
		return;
	}
	last = frame_at(frame->ctx, pkt->l3 - sizeof(type), sizeof(type));
#pragma unroll
	for (__u32 i = 0; i < MAX_VLAN_TAGS; i++) {
		__u32 *tag = frame_at(frame->ctx,
				      offsetof(struct ethernet, type) + i * sizeof(*tag),
				      sizeof(*tag));

		if (i < pkt->tags && tag)
			*tag = pkt->tag[i];
	}
	if (last)
		*last = type;
}

/* Reads the one VLAN tag that the fast path allows for, before the frame moves. */
static __always_inline void read_tag(const struct frame *frame, struct packet *pkt)
{
	const struct ethernet *eth = frame->eth;

	pkt->tags = is_vlan(eth->type);
	pkt->l3 = sizeof(*eth) + (pkt->tags ? VLAN_SIZE : 0);
	if (pkt->tags)
		pkt->tag[0] = *(const __u32 *)&eth->type;
}

/*
 * Makes room of `size` bytes before the IP packet, and writes the L2 headers anew, but for the
 * MACs, which then are any. Returns where the new IP header goes; NULL if there is no room.
 */
static __always_inline void *grow_head(struct frame *frame, struct packet *pkt, __u32 size,
				       bool ipv6)
{
	if (frame->fast)
		read_tag(frame, pkt);
	if (bpf_xdp_adjust_head(frame->ctx, -(int)size))
		return NULL;
	if (!locate_headers(frame, pkt, ip_header_size(ipv6)))
		return NULL;
	write_tags(frame, pkt, ipv6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP));
	return frame->l3;
}

/* Traffic class of the packet: IPv4's TOS byte. */
static __always_inline __u8 traffic_class(const struct frame *frame, const struct packet *pkt)
{
	const __be32 *first = l3_at(frame, pkt, sizeof(*first));

	if (is_missing(frame, first))
		return 0;
	return bpf_ntohl(*first) >> (pkt->ipv6 ? 20 : 16);
}

/* Puts the packet into a tunnel (RFC 2003, 2473, 4213). `ipv6` is of the tunnel. */
static __always_inline bool put_into_tunnel(struct frame *frame, struct packet *pkt,
					    const struct backend *backend, bool ipv6)
{
	struct outer outer = {
		.payload = pkt->size,
		.protocol = pkt->ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP,
		.class = traffic_class(frame, pkt),
	};
	void *l3 = grow_head(frame, pkt, ip_header_size(ipv6), ipv6);

	if (!l3)
		return false;
	outer.source[0] = bpf_htonl(TUNNEL_SOURCE_IPV6);
	outer.source[1] = (__u64)pkt->hash << 32;
	copy_address(outer.destination, &backend->address);
	if (!ipv6) {
		outer.source[1] = mapped_ipv4(bpf_htonl(TUNNEL_SOURCE_IPV4 | (pkt->hash & 0xffff)));
		write_ipv4(l3, &outer);
	} else {
		write_ipv6(l3, &outer);
	}
	return true;
}

/* Bytes of headers that a packet to the backend gets in front. */
static __always_inline __u32 overhead_of(__u32 mode, const struct backend *backend)
{
	if (mode != MODE_IPIP)
		return 0;
	return ip_header_size(!is_ipv4(&backend->address));
}

/* Mode ipip. Returns false if there is no room in front of the packet. */
static __always_inline bool encapsulate(struct frame *frame, struct packet *pkt,
					const struct backend *backend)
{
	decrement_ttl(frame, pkt);
	return is_ipv4(&backend->address) ? put_into_tunnel(frame, pkt, backend, false) :
					    put_into_tunnel(frame, pkt, backend, true);
}

#endif
