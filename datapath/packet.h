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

#define barrier() asm volatile("" ::: "memory")
/* Keeps clang from computing with a pointer before it is checked, which the verifier refuses. */
#define keep_order(pointer) asm volatile("" : "+r"(pointer))

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
	__u32 hash; /* of the tuple: picks its slot */
	__u32 flow_hash; /* of the tuple: finds its flow */
	__u32 payload; /* bytes from l4 to the packet's end, as the IP header has it */
	__u32 l3; /* offset of the IP header */
	__u32 l4; /* offset of the TCP, UDP or ICMP header */
	__be32 fragment_id;
	/* All above is set before it is read; all below begins as 0. */
	__u32 now; /* tick; 0: not read yet */
	__u32 flow; /* index of the flow that it began */
	__u16 fragment; /* as in IPv4: IPV4_MORE_FRAGMENTS, IPV4_FRAGMENT_OFFSET; 0: it is whole */
	__u8 fragment_protocol; /* part of the fragment's key */
	__u8 protocol; /* of L4 */
	__u8 tcp_flags; /* 0 for all that is not TCP, and for later fragments */
	__u8 ipv6;
	__u8 is_error; /* an ICMP error: never answered with another */
	__u8 malformed;
	__u8 dry_run; /* see struct decision */
	__u8 from_backend; /* an answer, in mode nat */
	/* Found on the way: */
	__u16 vip_number;
	__u16 service; /* number, or 0 */
	__u16 backend; /* or 0 */
	__u16 choice; /* enum choice */
	__u16 mtu; /* of the way on, for a packet that is too big */
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
	const __u64 *x = (const __u64 *)a;
	const __u64 *y = (const __u64 *)b;

	return x[1] == y[1] && x[0] == y[0];
}

/*
 * Addresses and tuples are written by the words that they are compared by: a load waits for a
 * narrower store before it (measured: some 5 ns each).
 */
static __always_inline void copy_address(struct address *to, const void *from)
{
	((__u64 *)to)[0] = ((const __u64 *)from)[0];
	((__u64 *)to)[1] = ((const __u64 *)from)[1];
}

static __always_inline void map_ipv4(struct address *to, __be32 address)
{
	((__u64 *)to)[0] = 0;
	((__u64 *)to)[1] = (__u64)address << 32 | IPV4_MAPPED;
}

/* Completes the tuple; `ports` are the first four bytes of the L4 header. */
static __always_inline void set_ports_of_tuple(struct packet *pkt, __u32 ports)
{
	((__u64 *)&pkt->tuple)[2] = ports | (__u64)pkt->vip_number << 32 |
				    (__u64)pkt->protocol << 48;
}

static __always_inline bool is_ipv4(const struct address *address)
{
	return !address->word[0] && !address->word[1] && address->word[2] == IPV4_MAPPED;
}

static __always_inline bool is_later_fragment(const struct packet *pkt)
{
	return pkt->fragment & IPV4_FRAGMENT_OFFSET;
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

/* Reads where the packet is sent to: nothing else is read of what is not for the balancer. */
static __always_inline bool read_destination(struct xdp_md *ctx, struct packet *pkt)
{
	struct iphdr *ip4 = frame_at(ctx, pkt->l3, sizeof(*ip4));
	struct ipv6hdr *ip6 = frame_at(ctx, pkt->l3, sizeof(*ip6));

	if (pkt->ipv6) {
		if (!ip6 || ip6->version != 6)
			return false;
		copy_address(&pkt->vip, &ip6->daddr);
		/* What stands for IPv4 must not be on the wire, and must not match an IPv4 key. */
		return !is_ipv4(&pkt->vip);
	}
	if (!ip4 || ip4->version != 4)
		return false;
	map_ipv4(&pkt->vip, ip4->daddr);
	return true;
}

static __always_inline bool parse_ipv4(struct xdp_md *ctx, struct packet *pkt)
{
	struct iphdr *ip = frame_at(ctx, pkt->l3, sizeof(*ip));
	__u32 header, total;

	if (!ip || ip->ihl < 5)
		return false;
	header = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);

	pkt->l4 = pkt->l3 + header;
	pkt->malformed = total > pkt->length - pkt->l3;
	pkt->payload = total > header ? total - header : 0;
	pkt->protocol = ip->protocol;
	map_ipv4(&pkt->tuple.peer, ip->saddr);
	pkt->fragment = bpf_ntohs(ip->frag_off) & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET);
	pkt->fragment_id = ip->id;
	pkt->fragment_protocol = ip->protocol;
	return true;
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
	if (size > pkt->payload || pkt->l4 + size > MAX_OFFSET)
		return false;
	pkt->protocol = fragment->next;
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
		if (!is_extension(pkt->protocol) || is_later_fragment(pkt))
			return VERDICTS;
		if (!parse_extension(ctx, pkt))
			return VERDICT_NO_SERVICE;
	}
	return is_extension(pkt->protocol) ? VERDICT_TOO_MANY_HEADERS : VERDICTS;
}

static __always_inline enum verdict parse_ipv6(struct xdp_md *ctx, struct packet *pkt)
{
	struct ipv6hdr *ip = frame_at(ctx, pkt->l3, sizeof(*ip));

	if (!ip)
		return VERDICT_NO_SERVICE;
	copy_address(&pkt->tuple.peer, &ip->saddr);
	pkt->l4 = pkt->l3 + sizeof(*ip);
	pkt->payload = bpf_ntohs(ip->payload_len);
	pkt->malformed = pkt->payload > pkt->length - pkt->l4 || is_ipv4(&pkt->tuple.peer);
	pkt->protocol = ip->nexthdr;
	pkt->fragment = 0;
	return is_extension(ip->nexthdr) ? parse_extensions(ctx, pkt) : VERDICTS;
}

/* Parses the IP headers. Returns VERDICTS to go on, or the verdict. */
static __always_inline enum verdict parse_ip(struct xdp_md *ctx, struct packet *pkt)
{
	if (pkt->ipv6)
		return parse_ipv6(ctx, pkt);
	return parse_ipv4(ctx, pkt) ? VERDICTS : VERDICT_NO_SERVICE;
}

/*
 * From the frame to the destination. Returns VERDICTS to go on, or the verdict. The packet lies in
 * a map, whose contents the verifier does not follow: so it has one path from here on.
 */
static __always_inline enum verdict parse_frame(struct xdp_md *ctx, struct packet *pkt)
{
	__be16 type = parse_ethernet(ctx, pkt);

	if (type != bpf_htons(ETH_P_IP) && type != bpf_htons(ETH_P_IPV6))
		return VERDICT_NOT_IP;
	pkt->ipv6 = type == bpf_htons(ETH_P_IPV6);
	return read_destination(ctx, pkt) ? VERDICTS : VERDICT_NO_SERVICE;
}

/* Reads the ports, if the packet has them. */
static __always_inline bool parse_ports(struct xdp_md *ctx, struct packet *pkt)
{
	struct ports *ports = frame_at(ctx, pkt->l4, sizeof(*ports));

	if (pkt->payload < sizeof(*ports) || !ports)
		return false;
	set_ports_of_tuple(pkt, *(__u32 *)ports);
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

static __always_inline __u32 add_sums(__u32 a, __u32 b)
{
	return fold_sum((__u64)a + b);
}

static __always_inline __u32 negate_sum(__u32 sum)
{
	return ~sum & 0xffff;
}

static __always_inline __u32 address_sum(const struct address *address)
{
	__u64 sum = 0;

#pragma unroll
	for (int i = 0; i < 4; i++)
		sum += address->word[i];
	return fold_sum(sum);
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

/*
 * Checks what the headers claim. Where it is wrong the packet is malformed: its service drops it.
 */
static __always_inline void check_headers(struct xdp_md *ctx, struct packet *pkt)
{
	if (!pkt->ipv6 && !ipv4_intact(ctx, pkt))
		pkt->malformed = true;
	if (is_later_fragment(pkt))
		return;
	if (pkt->protocol == IPPROTO_TCP ? !tcp_intact(ctx, pkt) : !udp_intact(ctx, pkt))
		pkt->malformed = true;
}

#endif
