// SPDX-License-Identifier: GPL-2.0
/*
 * For a backend of a service in mode ipip that has no tunnel device: takes packets out of the
 * tunnel (IPv4 or IPv6 in IPv4 or IPv6; VLAN tags stay) and passes them to the host's stack. All
 * else passes as it came, and so does what has an outer header that is not as the balancer writes
 * it: fragments, options, extension headers, lengths or a checksum that are wrong.
 *
 * What it takes out looks as if its inner source had sent it. So only the balancers may be able to
 * send this host tunnelled packets (IP protocols 4 and 41): whoever else can, speaks in any name,
 * and past any filter that goes by addresses. A router on the way has to see to that. Nor is it
 * asked whom the outer packet is for: a host that forwards tunnels of others is no place for this.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define MAX_VLAN_TAGS 2
#define MAX_OFFSET 255 /* of a header in the frame */
#define GROUP_MAC 1 /* bit of a MAC's first byte */
#define ANY_FRAGMENT 0x3fff /* of IPv4: "more", and the offset (RFC 791) */
#define CHECKSUM_OK 0xffff /* what an IPv4 header sums to, with its checksum */
#define ECN_MASK 3 /* of the traffic class (RFC 3168) */
#define ECN_CE 3

struct vlan_header {
	__be16 tag;
	__be16 type; /* EtherType of what follows */
};

struct tunnel {
	__u32 outer; /* offset of the outer IP header: where the L2 headers end */
	__u32 inner; /* offset of the inner IP header */
	__u32 room; /* bytes that the outer packet carries */
	__u8 protocol; /* IPPROTO_IPIP or IPPROTO_IPV6: what it carries */
	__u8 ecn; /* of the outer header */
};

/* `size` bytes of the frame from `offset` on, or NULL if it ends before. */
static __always_inline void *frame_at(const struct xdp_md *ctx, __u32 offset, __u32 size)
{
	void *at = (void *)(long)ctx->data + (offset & MAX_OFFSET);

	return at + size > (void *)(long)ctx->data_end ? NULL : at;
}

static __always_inline __u32 fold_sum(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* Steps over Ethernet header and VLAN tags. Returns the EtherType behind; 0: not for this host. */
static __always_inline __be16 parse_ethernet(struct xdp_md *ctx, struct tunnel *tunnel)
{
	struct ethhdr *eth = frame_at(ctx, 0, sizeof(*eth));
	__be16 type;

	if (!eth || eth->h_dest[0] & GROUP_MAC)
		return 0;
	type = eth->h_proto;
	tunnel->outer = sizeof(*eth);
#pragma unroll
	for (int i = 0; i < MAX_VLAN_TAGS; i++) {
		struct vlan_header *vlan = frame_at(ctx, tunnel->outer, sizeof(*vlan));

		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
			break;
		if (!vlan)
			return 0;
		type = vlan->type;
		tunnel->outer += sizeof(*vlan);
	}
	return type;
}

/* `length` is that of the frame. Returns whether there is a whole header, and what it claims. */
static __always_inline bool parse_outer_ipv4(struct xdp_md *ctx, struct tunnel *tunnel,
					     __u32 length)
{
	struct iphdr *ip = frame_at(ctx, tunnel->outer, sizeof(*ip));
	__u32 total;

	if (!ip || ip->version != 4 || ip->ihl != sizeof(*ip) / 4)
		return false;
	if (ip->frag_off & bpf_htons(ANY_FRAGMENT) ||
	    fold_sum(bpf_csum_diff(NULL, 0, (__be32 *)ip, sizeof(*ip), 0)) != CHECKSUM_OK)
		return false;
	total = bpf_ntohs(ip->tot_len);
	if (total < sizeof(*ip) || total > length - tunnel->outer)
		return false;
	tunnel->inner = tunnel->outer + sizeof(*ip);
	tunnel->room = total - sizeof(*ip);
	tunnel->protocol = ip->protocol;
	tunnel->ecn = ip->tos & ECN_MASK;
	return true;
}

static __always_inline bool parse_outer_ipv6(struct xdp_md *ctx, struct tunnel *tunnel,
					     __u32 length)
{
	struct ipv6hdr *ip = frame_at(ctx, tunnel->outer, sizeof(*ip));

	if (!ip || ip->version != 6)
		return false;
	tunnel->inner = tunnel->outer + sizeof(*ip);
	tunnel->room = bpf_ntohs(ip->payload_len);
	tunnel->protocol = ip->nexthdr;
	tunnel->ecn = bpf_ntohl(*(__be32 *)ip) >> 20 & ECN_MASK;
	return tunnel->room <= length - tunnel->inner;
}

/* Whether the inner packet is of the family that it should be, and has room in the outer one. */
static __always_inline bool has_inner(struct xdp_md *ctx, const struct tunnel *tunnel)
{
	struct iphdr *ip4 = frame_at(ctx, tunnel->inner, sizeof(*ip4));
	struct ipv6hdr *ip6 = frame_at(ctx, tunnel->inner, sizeof(*ip6));

	if (tunnel->protocol == IPPROTO_IPV6)
		return ip6 && ip6->version == 6 &&
		       sizeof(*ip6) + bpf_ntohs(ip6->payload_len) <= tunnel->room;
	return ip4 && tunnel->protocol == IPPROTO_IPIP && ip4->version == 4 && ip4->ihl >= 5 &&
	       ip4->ihl * 4U <= bpf_ntohs(ip4->tot_len) && bpf_ntohs(ip4->tot_len) <= tunnel->room;
}

/*
 * Congestion that was met in the tunnel is the inner packet's (RFC 6040, section 4.2). Returns
 * false if that cannot carry the mark: then it must be dropped.
 */
static __always_inline bool hand_congestion_on(struct xdp_md *ctx, const struct tunnel *tunnel)
{
	struct iphdr *ip = frame_at(ctx, tunnel->inner, sizeof(*ip));
	__u32 shift = tunnel->protocol == IPPROTO_IPV6 ? 20 : 16;
	__be16 before;

	if (!ip || tunnel->ecn != ECN_CE)
		return ip;
	if (!(*(__be32 *)ip & bpf_htonl(ECN_MASK << shift)))
		return false;
	before = *(__be16 *)ip;
	*(__be32 *)ip |= bpf_htonl(ECN_CE << shift);
	/* RFC 1624, equation 3. */
	if (tunnel->protocol == IPPROTO_IPIP)
		ip->check = ~fold_sum((__u16)~ip->check + (__u16)~before + *(__be16 *)ip);
	return true;
}

/*
 * Moves the L2 headers up to the inner packet and drops what is before them. They move from their
 * end to their start, as they may overlap with what they were.
 */
static __always_inline bool drop_outer(struct xdp_md *ctx, const struct tunnel *tunnel)
{
	__u32 size = tunnel->inner - tunnel->outer;
	struct ethhdr *to = frame_at(ctx, size, sizeof(*to));
	struct ethhdr *from = frame_at(ctx, 0, sizeof(*from));
	__be16 *type = frame_at(ctx, tunnel->inner - sizeof(*type), sizeof(*type));

	if (!to || !from || !type)
		return false;
#pragma unroll
	for (int i = MAX_VLAN_TAGS - 1; i >= 0; i--) {
		__u32 at = sizeof(*to) + i * sizeof(struct vlan_header);
		struct vlan_header *tag = frame_at(ctx, size + at, sizeof(*tag));
		struct vlan_header *old = frame_at(ctx, at, sizeof(*old));

		if (at < tunnel->outer && tag && old)
			*tag = *old;
	}
	*to = *from;
	*type = tunnel->protocol == IPPROTO_IPV6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	return !bpf_xdp_adjust_head(ctx, size);
}

static __always_inline int decapsulate(struct xdp_md *ctx, __u32 length)
{
	struct tunnel tunnel = {};
	__be16 type = parse_ethernet(ctx, &tunnel);
	bool right = false;

	if (type == bpf_htons(ETH_P_IP))
		right = parse_outer_ipv4(ctx, &tunnel, length);
	else if (type == bpf_htons(ETH_P_IPV6))
		right = parse_outer_ipv6(ctx, &tunnel, length);
	if (!right || !has_inner(ctx, &tunnel))
		return XDP_PASS;
	if (!hand_congestion_on(ctx, &tunnel))
		return XDP_DROP;
	return drop_outer(ctx, &tunnel) ? XDP_PASS : XDP_ABORTED;
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
