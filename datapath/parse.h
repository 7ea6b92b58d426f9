/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stage 1, parse, slow path: any frame. Nothing is written to the frame here, and nothing is
 * decided: a packet too broken to say whose it is belongs to no service, and one that says whose it
 * is but lies about its lengths, say, has a `fault`, for its service to drop it.
 */
#ifndef PARSE_H
#define PARSE_H

#include "parse_fast.h"

#define MAX_EXTENSION_HEADERS 6 /* IPv6; RFC 8504, section 5.3 allows a limit */
#define IPV6_OFFSET_SHIFT 3 /* RFC 8200, section 4.5: the offset is above, "more" is bit 0 */
#define IPV6_MORE_FRAGMENTS 0x0001
#define TCP_FLAGS_AT 13
#define MAX_IPV4_WORDS 15
#define MAX_IPV4_OPTIONS 40 /* bytes */
#define IPV4_END_OF_OPTIONS 0
#define IPV4_NO_OPERATION 1
#define IPV4_LOOSE_ROUTE 131 /* source and record route, RFC 791 */
#define IPV4_STRICT_ROUTE 137
#define TINY_OFFSET 1 /* RFC 3128: of a fragment that has TCP's flags, in units of 8 bytes */

struct vlan_header {
	__be16 tag;
	__be16 type; /* EtherType of what follows */
};

struct fragment_header {
	__u8 next;
	__u8 reserved;
	__be16 offset; /* and flags */
	__be32 id;
};

/* Notes what is wrong with the packet; the first fault counts. */
static __always_inline void note_fault(struct packet *pkt, bool is_faulty, enum verdict fault)
{
	if (is_faulty && !pkt->fault)
		pkt->fault = fault;
}

/* Bytes from L4 on to the packet's end, as the IP header has it. */
static __always_inline __u32 l4_size(const struct packet *pkt)
{
	return pkt->size - (pkt->l4 - pkt->l3);
}

/*
 * Steps over the Ethernet header and VLAN tags. Returns the EtherType, 0 if the frame is too short.
 */
static __always_inline __be16 parse_ethernet(struct xdp_md *ctx, struct packet *pkt)
{
	struct ethernet *eth = frame_at(ctx, 0, sizeof(*eth));
	__be16 type;

	if (!eth)
		return 0;
	type = eth->type;
	pkt->l3 = sizeof(*eth);
#pragma unroll
	for (int i = 0; i < MAX_VLAN_TAGS; i++) {
		struct vlan_header *vlan;

		if (!is_vlan(type))
			break;
		vlan = frame_at(ctx, pkt->l3, sizeof(*vlan));
		if (!vlan)
			return 0;
		pkt->tag[i] = type | (__u32)vlan->tag << 16;
		pkt->tags = i + 1;
		type = vlan->type;
		pkt->l3 += sizeof(*vlan);
	}
	return type;
}

/* Reads where the IP packet at `l3` is sent to. */
static __always_inline bool parse_destination(struct xdp_md *ctx, struct packet *pkt)
{
	struct iphdr *ip4 = frame_at(ctx, pkt->l3, sizeof(*ip4));
	void *ip6 = frame_at(ctx, pkt->l3, sizeof(struct ipv6_words));

	if (pkt->ipv6)
		return ip6 && parse_destination_fast(pkt, ip6, true);
	if (!ip4 || ip4->version != 4)
		return false;
	pkt->vip[0] = 0;
	pkt->vip[1] = mapped_ipv4(ip4->daddr);
	return true;
}

/*
 * From the frame to the destination. Returns CONTINUE, or the verdict. The packet lies in a map,
 * whose contents the verifier does not follow: so it has one path from here on.
 */
static __always_inline enum verdict parse_frame(struct xdp_md *ctx, struct packet *pkt)
{
	__be16 type = parse_ethernet(ctx, pkt);

	if (type != bpf_htons(ETH_P_IP) && type != bpf_htons(ETH_P_IPV6))
		return VERDICT_NOT_IP;
	pkt->ipv6 = type == bpf_htons(ETH_P_IPV6);
	return parse_destination(ctx, pkt) ? CONTINUE : VERDICT_NO_SERVICE;
}

static __always_inline bool parse_ipv4(struct xdp_md *ctx, struct packet *pkt)
{
	struct iphdr *ip = frame_at(ctx, pkt->l3, sizeof(*ip));
	__u32 header;

	if (!ip || ip->ihl < 5)
		return false;
	header = ip->ihl * 4;
	pkt->size = bpf_ntohs(ip->tot_len);
	note_fault(pkt, pkt->size > pkt->length - pkt->l3, VERDICT_MALFORMED);
	if (pkt->size < header)
		pkt->size = header;
	pkt->l4 = pkt->l3 + header;
	pkt->protocol = ip->protocol;
	pkt->peer[0] = 0;
	pkt->peer[1] = mapped_ipv4(ip->saddr);
	pkt->fragment = bpf_ntohs(ip->frag_off) & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET);
	pkt->fragment_id = ip->id;
	pkt->fragment_protocol = ip->protocol;
	return true;
}

static __always_inline void parse_fragment_header(struct packet *pkt,
						  const struct fragment_header *header)
{
	__u32 offset = bpf_ntohs(header->offset);

	pkt->fragment = offset >> IPV6_OFFSET_SHIFT;
	if (offset & IPV6_MORE_FRAGMENTS)
		pkt->fragment |= IPV4_MORE_FRAGMENTS;
	pkt->fragment_id = header->id;
	pkt->fragment_at = pkt->l4;
	pkt->fragment_protocol = header->next;
}

/* Hop-by-hop options come first, or the packet is not to be taken (RFC 8200, section 4). */
static __always_inline void check_order(struct packet *pkt)
{
	bool is_first = pkt->l4 == pkt->l3 + sizeof(struct ipv6_words);

	note_fault(pkt, pkt->protocol == IPPROTO_HOPOPTS && !is_first, VERDICT_MALFORMED);
}

/*
 * Steps over one extension header, of type pkt->protocol (RFC 8200, section 4). Returns false
 * if it is not all there, or if the packet's destination is not its final one.
 */
static __always_inline bool parse_extension(struct xdp_md *ctx, struct packet *pkt)
{
	struct fragment_header *fragment = frame_at(ctx, pkt->l4, sizeof(*fragment));
	struct ipv6_rt_hdr *routing = (void *)fragment;
	__u32 size = sizeof(*fragment);

	if (!fragment)
		return false;
	if (pkt->protocol == IPPROTO_FRAGMENT)
		parse_fragment_header(pkt, fragment);
	else if (pkt->protocol == IPPROTO_ROUTING && routing->segments_left)
		return false;
	else
		size = (routing->hdrlen + 1) * 8;
	if (size > l4_size(pkt) || pkt->l4 + size > MAX_OFFSET)
		return false;
	pkt->protocol = fragment->next;
	pkt->l4 += size;
	return true;
}

/* Steps over all extension headers. */
GLOBAL int parse_extensions(struct xdp_md *ctx, struct packet *pkt)
{
	if (!pkt)
		return VERDICT_INTERNAL;
	for (int i = 0; i < MAX_EXTENSION_HEADERS; i++) {
		if (!is_extension(pkt->protocol) || is_later_fragment(pkt))
			return CONTINUE;
		check_order(pkt);
		if (!parse_extension(ctx, pkt))
			return VERDICT_NO_SERVICE;
	}
	return is_extension(pkt->protocol) ? VERDICT_TOO_MANY_HEADERS : CONTINUE;
}

static __always_inline enum verdict parse_ipv6(struct xdp_md *ctx, struct packet *pkt)
{
	struct ipv6_words *ip = frame_at(ctx, pkt->l3, sizeof(*ip));
	__u32 payload;

	if (!ip)
		return VERDICT_NO_SERVICE;
	copy_address(pkt->peer, ip->source);
	payload = bpf_ntohs(ip->ttl & 0xffff);
	pkt->l4 = pkt->l3 + sizeof(*ip);
	pkt->size = sizeof(*ip) + payload;
	note_fault(pkt, payload > pkt->length - pkt->l4 || is_ipv4(pkt->peer), VERDICT_MALFORMED);
	pkt->protocol = ip->ttl >> 16;
	pkt->fragment = 0;
	return is_extension(pkt->protocol) ? parse_extensions(ctx, pkt) : CONTINUE;
}

/* Parses the IP headers. Returns CONTINUE, or the verdict. */
static __always_inline enum verdict parse_ip(struct xdp_md *ctx, struct packet *pkt)
{
	if (pkt->ipv6)
		return parse_ipv6(ctx, pkt);
	return parse_ipv4(ctx, pkt) ? CONTINUE : VERDICT_NO_SERVICE;
}

/* Reads the ports, if the packet has them. */
static __always_inline bool parse_ports(struct xdp_md *ctx, struct packet *pkt)
{
	__u32 *ports = frame_at(ctx, pkt->l4, sizeof(*ports));

	if (l4_size(pkt) < sizeof(*ports) || !ports)
		return false;
	pkt->ports = *ports;
	return true;
}

/* Whether the IPv4 header, options included, has the checksum that it should have. */
static __always_inline bool is_intact_any_ipv4(struct xdp_md *ctx, struct packet *pkt)
{
	__u32 *word = frame_at(ctx, pkt->l3, sizeof(struct iphdr));
	__u32 words = (pkt->l4 - pkt->l3) / sizeof(*word);
	__u64 sum = 0;

	if (!word)
		return false;
#pragma unroll
	for (__u32 i = 0; i < sizeof(struct iphdr) / sizeof(*word); i++)
		sum += word[i];
	for (__u32 i = sizeof(struct iphdr) / sizeof(*word); i < MAX_IPV4_WORDS; i++) {
		if (i >= words)
			break;
		word = frame_at(ctx, pkt->l3 + i * sizeof(*word), sizeof(*word));
		if (!word)
			return false;
		sum += *word;
	}
	return fold_sum(sum) == CHECKSUM_OK;
}

/* Whether the sender chose the packet's way: LSRR or SSRR (RFC 7126 has them dropped). */
GLOBAL int is_source_routed(struct xdp_md *ctx, struct packet *pkt)
{
	__u32 at;

	if (!pkt)
		return false;
	at = pkt->l3 + sizeof(struct iphdr);
	for (__u32 i = 0; i < MAX_IPV4_OPTIONS; i++) {
		const __u8 *type = frame_at(ctx, at, sizeof(*type)), *size;

		if (at >= pkt->l4 || !type || *type == IPV4_END_OF_OPTIONS)
			return false;
		if (*type == IPV4_LOOSE_ROUTE || *type == IPV4_STRICT_ROUTE)
			return true;
		size = frame_at(ctx, at + 1, sizeof(*size));
		at += *type == IPV4_NO_OPERATION ? 1 : size && *size ? *size : 1;
	}
	return false;
}

static __always_inline bool is_intact_tcp(struct xdp_md *ctx, struct packet *pkt)
{
	struct tcphdr *tcp = frame_at(ctx, pkt->l4, sizeof(*tcp));

	if (l4_size(pkt) < sizeof(*tcp) || !tcp)
		return false;
	pkt->tcp_flags = ((__u8 *)tcp)[TCP_FLAGS_AT];
	return tcp->doff >= 5 && tcp->doff * 4U <= l4_size(pkt);
}

static __always_inline bool is_intact_udp(struct xdp_md *ctx, const struct packet *pkt)
{
	struct udphdr *udp = frame_at(ctx, pkt->l4, sizeof(*udp));
	__u32 length;

	if (l4_size(pkt) < sizeof(*udp) || !udp)
		return false;
	length = bpf_ntohs(udp->len);
	return length >= sizeof(*udp) && (pkt->fragment || length <= l4_size(pkt));
}

/*
 * Checks what the headers claim. Where that is wrong the packet has a fault: its service drops it.
 */
static __always_inline void check_headers(struct xdp_md *ctx, struct packet *pkt)
{
	bool is_intact = pkt->ipv6 || is_intact_any_ipv4(ctx, pkt);

	note_fault(pkt, !is_intact, VERDICT_MALFORMED);
	if (!is_later_fragment(pkt)) {
		is_intact = pkt->protocol == IPPROTO_TCP ? is_intact_tcp(ctx, pkt) :
							   is_intact_udp(ctx, pkt);
		note_fault(pkt, !is_intact, VERDICT_MALFORMED);
	}
	note_fault(pkt, is_bad_source(pkt->peer, pkt->vip, pkt->ipv6), VERDICT_BAD_SOURCE);
	if (!pkt->ipv6 && pkt->l4 > pkt->l3 + sizeof(struct iphdr))
		note_fault(pkt, is_source_routed(ctx, pkt), VERDICT_SOURCE_ROUTE);
}

/* Whether it would write over the flags of a TCP header that has been looked at (RFC 3128). */
static __always_inline bool is_tiny_fragment(const struct packet *pkt)
{
	return (pkt->fragment & IPV4_FRAGMENT_OFFSET) == TINY_OFFSET &&
	       pkt->fragment_protocol == IPPROTO_TCP;
}

#endif
