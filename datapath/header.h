/* SPDX-License-Identifier: GPL-2.0 */
/* New headers in front of a packet: for a tunnel, and for the answers that the balancer sends. */
#ifndef HEADER_H
#define HEADER_H

#include "rewrite.h"

#define NEW_TTL 64
#define IPV4_DONT_FRAGMENT 0x4000
#define IPV6_VERSION bpf_htonl(6U << 28)

/* Makes room of `size` bytes between the L2 headers, which move to the new front, and the rest. */
static __always_inline bool grow_head(struct xdp_md *ctx, const struct packet *pkt, __u32 size)
{
	struct ethernet *to, *from;

	if (bpf_xdp_adjust_head(ctx, -(int)size))
		return false;
	to = frame_at(ctx, 0, sizeof(*to));
	from = frame_at(ctx, size, sizeof(*from));
	if (!to || !from)
		return false;
	*to = *from;
#pragma unroll
	for (__u32 at = sizeof(*to); at < sizeof(*to) + MAX_VLAN_TAGS * sizeof(struct vlan_header);
	     at += sizeof(struct vlan_header)) {
		struct vlan_header *tag = frame_at(ctx, at, sizeof(*tag));
		struct vlan_header *old = frame_at(ctx, size + at, sizeof(*old));

		if (at >= pkt->l3 || !tag || !old)
			break;
		*tag = *old;
	}
	return true;
}

/* Writes the EtherType of what is at l3: the last two bytes of the L2 headers. */
static __always_inline void set_type(struct xdp_md *ctx, const struct packet *pkt, __be16 type)
{
	__be16 *at = frame_at(ctx, pkt->l3 - sizeof(type), sizeof(type));

	if (at)
		*at = type;
}

static __always_inline void write_ipv4_header(struct xdp_md *ctx, __u32 offset, __be32 source,
					      __be32 destination, __u8 protocol, __u32 payload,
					      __u8 tos)
{
	struct iphdr *ip = frame_at(ctx, offset, sizeof(*ip));
	__u64 sum = 0;

	if (!ip)
		return;
	ip->version = 4;
	ip->ihl = sizeof(*ip) / sizeof(__u32);
	ip->tos = tos;
	ip->tot_len = bpf_htons(sizeof(*ip) + payload);
	ip->id = 0;
	ip->frag_off = bpf_htons(IPV4_DONT_FRAGMENT);
	ip->ttl = NEW_TTL;
	ip->protocol = protocol;
	ip->check = 0;
	ip->saddr = source;
	ip->daddr = destination;
#pragma unroll
	for (__u32 i = 0; i < sizeof(*ip) / sizeof(__u32); i++)
		sum += ((__u32 *)ip)[i];
	ip->check = negate_sum(fold_sum(sum));
}

static __always_inline void write_ipv6_header(struct xdp_md *ctx, __u32 offset,
					      const struct address *source,
					      const struct address *destination, __u8 next,
					      __u32 payload, __u8 class)
{
	struct ipv6hdr *ip = frame_at(ctx, offset, sizeof(*ip));

	if (!ip)
		return;
	*(__be32 *)ip = IPV6_VERSION | bpf_htonl((__u32) class << 20);
	ip->payload_len = bpf_htons(payload);
	ip->nexthdr = next;
	ip->hop_limit = NEW_TTL;
	__builtin_memcpy(&ip->saddr, source, sizeof(*source));
	__builtin_memcpy(&ip->daddr, destination, sizeof(*destination));
}

#endif
