/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stage 1, parse, fast path: an ordinary frame, in registers. Ordinary is a frame with at most one
 * VLAN tag, no IPv4 options or IPv6 extension headers, no fragment, and lengths that are right.
 * Returns before any doubt is settled otherwise: the slow path's parser (parse.h) then reads all
 * anew. Each bound is checked once.
 */
#ifndef PARSE_FAST_H
#define PARSE_FAST_H

#include "hash.h"
#include "source.h"

/* Bytes that the headers of an ordinary packet take from its IP header on: to the end of a TCP
 * header without options. */
static __always_inline __u32 headers_size(bool ipv6)
{
	return ip_header_size(ipv6) + sizeof(struct tcphdr);
}

/* Reads where the packet is sent to. Nothing else is read of what is not for the balancer. An IPv4
 * header with options is not ordinary. */
static __always_inline bool parse_destination_fast(struct packet *pkt, const void *l3, bool ipv6)
{
	const struct ipv4_words *ip4 = l3;
	const struct ipv6_words *ip6 = l3;

	if (!ipv6) {
		pkt->vip[0] = 0;
		pkt->vip[1] = mapped_ipv4(ip4->destination);
		return (ip4->first & 0xff) == IPV4_PLAIN;
	}
	pkt->vip[0] = ip6->destination[0];
	pkt->vip[1] = ip6->destination[1];
	return (ip6->first & 0xf0) == 6 << 4 && !is_ipv4(pkt->vip);
}

/* Reads where the packet comes from. */
static __always_inline void parse_source_fast(struct packet *pkt, const void *l3, bool ipv6)
{
	const struct ipv4_words *ip4 = l3;
	const struct ipv6_words *ip6 = l3;

	pkt->peer[0] = ipv6 ? ip6->source[0] : 0;
	pkt->peer[1] = ipv6 ? ip6->source[1] : mapped_ipv4(ip4->source);
	pkt->ports = *(const __u32 *)(l3 + ip_header_size(ipv6));
}

/* Hashes that, before it is known whether the packet is ordinary: the lookup of flow or slot waits
 * for the hash, and the checks do not. */
static __always_inline void hash_source_fast(struct packet *pkt, const struct config *config,
					     bool stateless)
{
	if (stateless) {
		pkt->hash = slot_hash(pkt->peer, pkt->ports);
		keep_order(pkt->hash);
	} else {
		pkt->flow_hash = flow_hash(config, pkt->peer,
					   hashed_tail(pkt->ports, pkt->vip_number));
		keep_order(pkt->flow_hash);
	}
}

static __always_inline bool is_intact_ipv4(const struct ipv4_words *ip)
{
	__u64 sum = (__u64)ip->first + ip->fragment + ip->ttl + ip->source + ip->destination;

	sum = (__u32)sum + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == CHECKSUM_OK || sum == 2 * CHECKSUM_OK;
}

/* Checks TCP's or UDP's length, and reads TCP's flags; `payload` is the bytes after the IP
 * header. */
static __always_inline bool parse_l4_fast(struct packet *pkt, const __u32 *l4, __u32 payload)
{
	__u32 size;

	if (pkt->protocol == IPPROTO_TCP) {
		pkt->tcp_flags = l4[3] >> 8;
		size = l4[3] >> 2 & 0x3c; /* the upper half of the byte, in words */
		return size >= sizeof(struct tcphdr) && size <= payload;
	}
	pkt->tcp_flags = 0;
	size = bpf_ntohs(l4[1] & 0xffff);
	return pkt->protocol == IPPROTO_UDP && size >= sizeof(struct udphdr) && size <= payload;
}

/* Whether the bytes after the IP header are a UDP header at least, and are in the frame, which has
 * `room` bytes for them. */
static __always_inline bool is_payload_there(__u32 payload, __u32 room)
{
	return payload - sizeof(struct udphdr) <= room - sizeof(struct udphdr);
}

static __always_inline bool parse_ipv4_fast(struct packet *pkt, const struct ipv4_words *ip,
					    __u32 room)
{
	pkt->protocol = ip->ttl >> 8;
	pkt->size = bpf_ntohs(ip->first >> 16);
	if (!is_payload_there(pkt->size - sizeof(*ip), room - sizeof(*ip)))
		return false;
	if (ip->fragment & (__u32)bpf_htonl(IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET))
		return false;
	return is_intact_ipv4(ip) &&
	       parse_l4_fast(pkt, (const __u32 *)(ip + 1), pkt->size - sizeof(*ip));
}

static __always_inline bool parse_ipv6_fast(struct packet *pkt, const struct ipv6_words *ip,
					    __u32 room)
{
	__u32 payload = bpf_ntohs(ip->ttl & 0xffff);

	pkt->protocol = ip->ttl >> 16;
	pkt->size = payload + sizeof(*ip);
	if (!is_payload_there(payload, room - sizeof(*ip)))
		return false;
	return parse_l4_fast(pkt, (const __u32 *)(ip + 1), payload);
}

static __always_inline bool is_extension(__u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_FRAGMENT ||
	       next == IPPROTO_DSTOPTS;
}

/*
 * Reads the source and L4 protocol of a packet that is to no VIP, as far as an ordinary answer has
 * them (mode dnat). Returns CONTINUE if it may be one; SLOW_HEADERS if only the slow path can tell,
 * as of fragments and ICMP; else its verdict.
 */
static __always_inline enum verdict parse_sender_fast(struct packet *pkt, const void *l3, bool ipv6)
{
	const struct ipv4_words *ip4 = l3;
	const struct ipv6_words *ip6 = l3;

	parse_source_fast(pkt, l3, ipv6);
	pkt->protocol = ipv6 ? ip6->ttl >> 16 : ip4->ttl >> 8;
	if (!ipv6 && ip4->fragment & (__u32)bpf_htonl(IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET))
		return SLOW_HEADERS;
	if (pkt->protocol == IPPROTO_TCP || pkt->protocol == IPPROTO_UDP)
		return CONTINUE;
	return is_icmp(pkt) || (ipv6 && is_extension(pkt->protocol)) ? SLOW_HEADERS :
								       VERDICT_NO_SERVICE;
}

/* Checks the rest. Returns false if the packet is not ordinary. */
static __always_inline bool parse_packet_fast(struct packet *pkt, struct frame *frame, bool ipv6)
{
	__u32 room = pkt->length - pkt->l3;

	frame->l4 = frame->l3 + ip_header_size(ipv6);
	if (is_bad_source(pkt->peer, pkt->vip, ipv6))
		return false;
	return ipv6 ? parse_ipv6_fast(pkt, frame->l3, room) : parse_ipv4_fast(pkt, frame->l3, room);
}

#endif
