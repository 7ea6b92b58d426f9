/* SPDX-License-Identifier: GPL-2.0 */
/* Modes dsr and ipip: the packet goes to its backend as it is, or in a tunnel. */
#ifndef TUNNEL_H
#define TUNNEL_H

#include "header.h"

/*
 * The outer source varies by flow, so that the backend's NIC spreads tunnelled packets over its
 * queues. Nothing is ever sent to these: a private /16 and the discard prefix (RFC 1918, RFC 6666).
 */
#define TUNNEL_SOURCE_IPV4 0xac100000 /* 172.16.0.0/16 */
#define TUNNEL_SOURCE_IPV6 0x01000000 /* 100::/64 */

/* Traffic class of the packet: IPv4's TOS byte. */
static __always_inline __u8 traffic_class(const struct xdp_md *ctx, const struct packet *pkt)
{
	const __be32 *word = frame_at(ctx, pkt->l3, sizeof(*word));

	if (!word)
		return 0;
	return bpf_ntohl(*word) >> (pkt->ipv6 ? 20 : 16);
}

/* Puts the packet into a tunnel to its backend (RFC 2003, 2473, 4213). */
static __always_inline bool encapsulate(struct xdp_md *ctx, struct packet *pkt,
					const struct backend *backend, bool outer_ipv4)
{
	struct address source = { .word = { bpf_htonl(TUNNEL_SOURCE_IPV6), 0, 0, pkt->hash } };
	__u8 protocol = pkt->ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	__u8 tos = traffic_class(ctx, pkt);
	__u32 size = ip_length(pkt);

	if (!grow_head(ctx, pkt, outer_ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)))
		return false;
	if (outer_ipv4 == pkt->ipv6)
		set_type(ctx, pkt, outer_ipv4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6));
	if (outer_ipv4)
		write_ipv4_header(ctx, pkt->l3,
				  bpf_htonl(TUNNEL_SOURCE_IPV4 | (pkt->hash & 0xffff)),
				  backend->address.word[3], protocol, size, tos);
	else
		write_ipv6_header(ctx, pkt->l3, &source, &backend->address, protocol, size, tos);
	return true;
}

/*
 * Mode ipip: to a backend anywhere. The balancer is a router on the packet's way (RFC 2003, 3.1).
 */
static __always_inline enum verdict tunnel_packet(struct xdp_md *ctx, struct packet *pkt,
						  struct backend *backend)
{
	bool outer_ipv4 = is_ipv4(&backend->address);

	if (ttl_expires(ctx, pkt))
		return VERDICT_TTL;
	if (!fits(ctx, pkt, backend, outer_ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)))
		return VERDICT_TOO_BIG;
	decrement_ttl(ctx, pkt);
	if (!encapsulate(ctx, pkt, backend, outer_ipv4))
		return VERDICT_INTERNAL;
	return send_to_hop(ctx, current_hop(backend));
}

/* Mode dsr: to the backend's MAC; the IP packet stays as it is. */
static __always_inline enum verdict direct_packet(struct xdp_md *ctx, struct packet *pkt,
						  struct backend *backend)
{
	if (!fits(ctx, pkt, backend, 0))
		return VERDICT_TOO_BIG;
	return send_to_hop(ctx, current_hop(backend));
}

#endif
