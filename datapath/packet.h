/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stage 1, parse: from the frame to a struct packet. Nothing is written to the frame here, and
 * nothing is decided: a packet too broken to say whose it is belongs to no service, and one that
 * says whose it is but lies about its lengths is marked `malformed`, for the service to drop.
 */
#ifndef PACKET_H
#define PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "maps/xdp_lb.h"

#define MAX_VLAN_TAGS 2
#define MAX_EXTENSION_HEADERS 6 /* IPv6; RFC 8504, section 5.3 allows a limit */

#define IPV4_MORE_FRAGMENTS 0x2000 /* RFC 791, of the 16 bits that hold flags and offset */
#define IPV4_FRAGMENT_OFFSET 0x1fff
#define IPV6_OFFSET_SHIFT 3 /* RFC 8200, section 4.5: the offset is above, "more" is bit 0 */
#define IPV6_MORE_FRAGMENTS 0x0001
#define IPV4_MAPPED bpf_htonl(0x0000ffff) /* third word of ::ffff:0:0/96 */

#define TCP_FIN 0x01 /* byte 13 of the header */
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10
#define TCP_FLAGS_AT 13

#define MAX_OFFSET 0x3fff /* of a header in the frame */

/*
 * Makes a function that is verified by itself, once, and not again on every path that leads to it.
 * It knows of its arguments only what their types say: so a packet has no pointers.
 */
#define GLOBAL __attribute__((noinline))

#define READ_ONCE(x) (*(volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile typeof(x) *)&(x) = (value))

/* The Ethernet header as the words it is aligned to; <linux/if_ether.h> has it packed, by bytes. */
struct ethernet {
	__u16 destination[3];
	__u16 source[3];
	__be16 type;
};

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

struct ports {
	__be16 source;
	__be16 destination;
};

/* A packet on its way through the stages. Nothing changes tuple and hash once they are set. */
struct packet {
	struct tuple tuple;
	struct address vip; /* the destination */
	__u32 length; /* of the frame, in bytes */
	__u32 hash; /* of the tuple */
	__u32 now; /* tick; 0: not read yet */
	__u32 payload; /* bytes from l4 to the packet's end, as the IP header has it */
	__u32 l3; /* offset of the IP header */
	__u32 l4; /* offset of the TCP, UDP or ICMP header */
	__be32 fragment_id;
	__u16 fragment; /* as in IPv4: IPV4_MORE_FRAGMENTS, IPV4_FRAGMENT_OFFSET; 0: it is whole */
	__u8 fragment_protocol; /* part of the fragment's key */
	__u8 tcp_flags; /* 0 for all that is not TCP, and for later fragments */
	__u8 ipv6;
	__u8 malformed;
	__u8 dry_run; /* see struct decision */
	__u8 from_backend; /* an answer, in mode nat */
	/* Found on the way: */
	__u16 service; /* number, or 0 */
	__u16 backend; /* or 0 */
	__u16 choice; /* enum choice */
	__u16 mtu; /* of the way on, for a packet that is too big */
	__u32 flow; /* index of the flow that it began */
};

/* `size` bytes of the frame from `offset` on, or NULL if it ends before. */
static __always_inline void *frame_at(const struct xdp_md *ctx, __u32 offset, __u32 size)
{
	void *at = (void *)(long)ctx->data + (offset & MAX_OFFSET);

	return at + size > (void *)(long)ctx->data_end ? NULL : at;
}

/* The tick now; the clock is read when first asked for, since not every packet needs it. */
static __always_inline __u32 tick_now(struct packet *pkt)
{
	if (!pkt->now)
		pkt->now = bpf_ktime_get_coarse_ns() >> TICK_SHIFT;
	return pkt->now;
}

static __always_inline bool same_address(const struct address *a, const struct address *b)
{
	return a->word[3] == b->word[3] && a->word[2] == b->word[2] && a->word[1] == b->word[1] &&
	       a->word[0] == b->word[0];
}

static __always_inline bool is_ipv4(const struct address *address)
{
	return !address->word[0] && !address->word[1] && address->word[2] == IPV4_MAPPED;
}

static __always_inline bool is_later_fragment(const struct packet *pkt)
{
	return pkt->fragment & IPV4_FRAGMENT_OFFSET;
}

/* Steps over the Ethernet header and VLAN tags. Returns the EtherType, 0 if the frame is too short. */
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

		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
			break;
		vlan = frame_at(ctx, pkt->l3, sizeof(*vlan));
		if (!vlan)
			return 0;
		type = vlan->type;
		pkt->l3 += sizeof(*vlan);
	}
	return type;
}

static __always_inline enum verdict parse_ipv4(struct xdp_md *ctx, struct packet *pkt)
{
	struct iphdr *ip = frame_at(ctx, pkt->l3, sizeof(*ip));
	__u32 header, total;

	if (!ip || ip->version != 4 || ip->ihl < 5)
		return VERDICT_NO_SERVICE;
	header = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);

	pkt->ipv6 = false;
	pkt->l4 = pkt->l3 + header;
	pkt->malformed = total < header || total > pkt->length - pkt->l3;
	pkt->payload = total < header ? 0 : total - header;
	pkt->tuple.protocol = ip->protocol;
	pkt->tuple.peer.word[2] = IPV4_MAPPED;
	pkt->tuple.peer.word[3] = ip->saddr;
	pkt->vip.word[2] = IPV4_MAPPED;
	pkt->vip.word[3] = ip->daddr;
	pkt->fragment = bpf_ntohs(ip->frag_off) & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET);
	pkt->fragment_id = ip->id;
	pkt->fragment_protocol = ip->protocol;
	return VERDICTS;
}

static __always_inline bool is_extension(__u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_FRAGMENT ||
	       next == IPPROTO_DSTOPTS;
}

static __always_inline void parse_fragment_header(struct packet *pkt,
						  const struct fragment_header *header)
{
	__u32 offset = bpf_ntohs(header->offset);

	pkt->fragment = offset >> IPV6_OFFSET_SHIFT;
	if (offset & IPV6_MORE_FRAGMENTS)
		pkt->fragment |= IPV4_MORE_FRAGMENTS;
	pkt->fragment_id = header->id;
	pkt->fragment_protocol = header->next;
}

/*
 * Steps over one extension header, of type pkt->tuple.protocol (RFC 8200, section 4). Returns false
 * if it is not all there, or if the packet's destination is not its final one.
 */
static __always_inline bool parse_extension(struct xdp_md *ctx, struct packet *pkt)
{
	struct fragment_header *fragment = frame_at(ctx, pkt->l4, sizeof(*fragment));
	struct ipv6_rt_hdr *routing = (void *)fragment;
	__u32 size = sizeof(*fragment);

	if (!fragment)
		return false;
	if (pkt->tuple.protocol == IPPROTO_FRAGMENT)
		parse_fragment_header(pkt, fragment);
	else if (pkt->tuple.protocol == IPPROTO_ROUTING && routing->segments_left)
		return false;
	else
		size = (routing->hdrlen + 1) * 8;
	if (size > pkt->payload || pkt->l4 + size > MAX_OFFSET)
		return false;
	pkt->tuple.protocol = fragment->next;
	pkt->payload -= size;
	pkt->l4 += size;
	return true;
}

/* Steps over all extension headers. */
GLOBAL int parse_extensions(struct xdp_md *ctx, struct packet *pkt)
{
	if (!pkt)
		return VERDICT_INTERNAL;
	for (int i = 0; i < MAX_EXTENSION_HEADERS; i++) {
		if (!is_extension(pkt->tuple.protocol) || is_later_fragment(pkt))
			return VERDICTS;
		if (!parse_extension(ctx, pkt))
			return VERDICT_NO_SERVICE;
	}
	return is_extension(pkt->tuple.protocol) ? VERDICT_TOO_MANY_HEADERS : VERDICTS;
}

static __always_inline enum verdict parse_ipv6(struct xdp_md *ctx, struct packet *pkt)
{
	struct ipv6hdr *ip = frame_at(ctx, pkt->l3, sizeof(*ip));

	if (!ip || ip->version != 6)
		return VERDICT_NO_SERVICE;
	__builtin_memcpy(&pkt->tuple.peer, &ip->saddr, sizeof(struct address));
	__builtin_memcpy(&pkt->vip, &ip->daddr, sizeof(struct address));
	/* Addresses that stand for IPv4 must not be on the wire, and must not match an IPv4 key. */
	if (is_ipv4(&pkt->vip))
		return VERDICT_NO_SERVICE;
	pkt->ipv6 = true;
	pkt->l4 = pkt->l3 + sizeof(*ip);
	pkt->payload = bpf_ntohs(ip->payload_len);
	pkt->malformed = pkt->payload > pkt->length - pkt->l4 || is_ipv4(&pkt->tuple.peer);
	pkt->tuple.protocol = ip->nexthdr;
	pkt->fragment = 0;
	return is_extension(ip->nexthdr) ? parse_extensions(ctx, pkt) : VERDICTS;
}

/* From the frame to the IP header's end. Returns VERDICTS to go on, or the verdict. */
GLOBAL int parse_headers(struct xdp_md *ctx, struct packet *pkt)
{
	__be16 type;

	if (!pkt)
		return VERDICT_INTERNAL;
	type = parse_ethernet(ctx, pkt);
	if (type == bpf_htons(ETH_P_IP))
		return parse_ipv4(ctx, pkt);
	if (type == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(ctx, pkt);
	return VERDICT_NOT_IP;
}

/* Reads the ports, if the packet has them. */
static __always_inline bool parse_ports(struct xdp_md *ctx, struct packet *pkt)
{
	struct ports *ports = frame_at(ctx, pkt->l4, sizeof(*ports));

	if (pkt->payload < sizeof(*ports) || !ports)
		return false;
	pkt->tuple.peer_port = ports->source;
	pkt->tuple.vip_port = ports->destination;
	return true;
}

#define CHECKSUM_OK 0xffff /* what an IPv4 header sums to, with its checksum (RFC 791) */
#define MAX_IPV4_WORDS 15

static __always_inline __u32 fold_sum(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* Whether the IPv4 header, options included, has the checksum that it should have. */
static __always_inline bool ipv4_intact(struct xdp_md *ctx, struct packet *pkt)
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

static __always_inline bool tcp_intact(struct xdp_md *ctx, struct packet *pkt)
{
	struct tcphdr *tcp = frame_at(ctx, pkt->l4, sizeof(*tcp));

	if (pkt->payload < sizeof(*tcp) || !tcp)
		return false;
	pkt->tcp_flags = ((__u8 *)tcp)[TCP_FLAGS_AT];
	return tcp->doff >= 5 && tcp->doff * 4U <= pkt->payload;
}

static __always_inline bool udp_intact(struct xdp_md *ctx, const struct packet *pkt)
{
	struct udphdr *udp = frame_at(ctx, pkt->l4, sizeof(*udp));
	__u32 length;

	if (pkt->payload < sizeof(*udp) || !udp)
		return false;
	length = bpf_ntohs(udp->len);
	return length >= sizeof(*udp) && (pkt->fragment || length <= pkt->payload);
}

/* Checks what the headers claim. Where it is wrong the packet is malformed: its service drops it. */
static __always_inline void check_headers(struct xdp_md *ctx, struct packet *pkt)
{
	if (!pkt->ipv6 && !ipv4_intact(ctx, pkt))
		pkt->malformed = true;
	if (is_later_fragment(pkt))
		return;
	if (pkt->tuple.protocol == IPPROTO_TCP ? !tcp_intact(ctx, pkt) : !udp_intact(ctx, pkt))
		pkt->malformed = true;
}

#endif
