/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ICMP and ICMPv6 errors about NAT flows are relayed to the side that they are for, and the
 * balancer answers with its own where a router would (TTL, MTU).
 */
#ifndef ICMP_H
#define ICMP_H

#include "header.h"

#define MAX_QUOTE 128 /* bytes of the packet in an answer: its IP and L4 headers, with options */
#define ANSWERS_PER_SECOND 1000 /* all together, as Linux has it: net.ipv4.icmp_msgs_per_sec */

/* The part of an ICMP or ICMPv6 error before the packet it is about. */
struct icmp_error {
	__u8 type;
	__u8 code;
	__u16 checksum;
	__be32 info; /* of "packet too big" and "fragmentation needed": the MTU */
};

/* Where the parts of an error are in the frame. The packet's l3 and l4 are those of the quote. */
struct error_place {
	__u32 l3; /* the error's own IP header */
	__u32 icmp;
	__u32 end; /* of the quote */
};

static __always_inline bool is_icmp(const struct packet *pkt)
{
	return pkt->protocol == (pkt->ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

static __always_inline bool is_error(const struct packet *pkt, const struct icmp_error *icmp)
{
	if (pkt->ipv6)
		return icmp->type >= ICMPV6_DEST_UNREACH && icmp->type <= ICMPV6_PARAMPROB;
	return icmp->type == ICMP_DEST_UNREACH || icmp->type == ICMP_TIME_EXCEEDED ||
	       icmp->type == ICMP_PARAMETERPROB;
}

/*
 * Reads the quoted packet in an error: pkt->l3 and l4 then are those of the quote, and the tuple is
 * what the quoted packet's receiver would send, the quote being one that left from the VIP.
 */
static __always_inline bool parse_quote(struct xdp_md *ctx, struct packet *pkt,
					const struct error_place *place)
{
	struct address vip = pkt->vip;
	__u32 ports;

	pkt->l3 = pkt->l4 + sizeof(struct icmp_error);
	if (!read_destination(ctx, pkt) || parse_ip(ctx, pkt) != VERDICTS)
		return false;
	if (is_later_fragment(pkt) || !same_address(&pkt->tuple.peer, &vip))
		return false;
	if (pkt->protocol != IPPROTO_TCP && pkt->protocol != IPPROTO_UDP)
		return false;
	if (!parse_ports(ctx, pkt) || pkt->l4 + sizeof(struct ports) > place->end)
		return false;
	ports = (__u32)pkt->tuple.peer_port << 16 | pkt->tuple.vip_port;
	set_ports_of_tuple(pkt, ports);
	pkt->tuple.peer = pkt->vip;
	pkt->vip = vip;
	pkt->fragment = 0;
	return true;
}

/* Updates the quoted L4 checksum if the quote reaches so far. Returns whether it did. */
static __always_inline bool translate_quoted_checksum(struct xdp_md *ctx, struct packet *pkt,
						      const struct error_place *place, __u32 sum)
{
	bool tcp = pkt->protocol == IPPROTO_TCP;
	__u32 offset = pkt->l4 +
		       (tcp ? offsetof(struct tcphdr, check) : offsetof(struct udphdr, check));
	__u16 *check = frame_at(ctx, offset, sizeof(*check));

	if (!check || offset + sizeof(*check) > place->end || (!tcp && !*check))
		return false;
	*check = tcp ? updated_checksum(*check, sum) : updated_udp_checksum(*check, sum);
	return true;
}

/*
 * Translates the quote to what the other side once sent. Returns what that adds to the ICMP
 * checksum. An IPv4 header's own checksum makes up for the change of its addresses, an L4 checksum
 * for that of addresses and ports; what is not made up for is left.
 */
static __always_inline __u32 translate_quote(struct xdp_md *ctx, struct packet *pkt,
					     const struct error_place *place,
					     const struct other_side *other)
{
	struct iphdr *ip4 = frame_at(ctx, pkt->l3, sizeof(*ip4));
	struct ipv6hdr *ip6 = frame_at(ctx, pkt->l3, sizeof(*ip6));
	struct ports *ports = frame_at(ctx, pkt->l4, sizeof(*ports));
	__u32 sum = add_sums(other->flow_sum, negate_sum(other->address_sum));

	if (!ports)
		return 0;
	ports->source = other->ports;
	ports->destination = other->ports >> 16;
	if (translate_quoted_checksum(ctx, pkt, place, other->flow_sum))
		sum = negate_sum(other->address_sum);
	if (pkt->ipv6 && ip6) {
		__builtin_memcpy(&ip6->saddr, other->address, sizeof(struct address));
		__builtin_memcpy(&ip6->daddr, &pkt->vip, sizeof(struct address));
		return add_sums(sum, other->address_sum);
	}
	if (ip4) {
		ip4->saddr = other->address->word[3];
		ip4->daddr = pkt->vip.word[3];
		ip4->check = updated_checksum(ip4->check, other->address_sum);
	}
	return sum;
}

/* What replacing the source of the packet at pkt->l3 by `to` adds to a checksum. */
static __always_inline __u32 source_sum(struct xdp_md *ctx, const struct packet *pkt,
					const struct address *to)
{
	const struct iphdr *ip4 = frame_at(ctx, pkt->l3, sizeof(*ip4));
	const struct ipv6hdr *ip6 = frame_at(ctx, pkt->l3, sizeof(*ip6));
	struct address source = { .word[2] = IPV4_MAPPED };

	if (pkt->ipv6 && ip6)
		__builtin_memcpy(&source, &ip6->saddr, sizeof(source));
	else if (ip4)
		source.word[3] = ip4->saddr;
	return add_sums(address_sum(to), negate_sum(address_sum(&source)));
}

/* Translates an error about a NAT flow, inside and out, for the side that it is for. */
static __always_inline void translate_error(struct xdp_md *ctx, struct packet *pkt,
					    const struct error_place *place,
					    const struct found *found,
					    const struct backend *backend)
{
	struct icmp_error *icmp = frame_at(ctx, place->icmp, sizeof(*icmp));
	struct other_side other = other_side(found, backend);
	__u32 sum = translate_quote(ctx, pkt, place, &other);
	__u32 outer_sum;

	pkt->l3 = place->l3;
	outer_sum = source_sum(ctx, pkt, other.address);
	if (pkt->ipv6)
		sum = add_sums(sum, outer_sum);
	if (icmp)
		icmp->checksum = updated_checksum(icmp->checksum, sum);
	set_addresses(ctx, pkt, other.address, outer_sum);
	decrement_ttl(ctx, pkt);
}

/* Whether the packet's source is one host: neither a group, nor nobody, nor a loopback. */
static __always_inline bool is_from_one_host(const struct packet *pkt)
{
	const __be32 *word = pkt->tuple.peer.word;
	__u32 first = bpf_ntohl(pkt->ipv6 ? word[0] : word[3]) >> 24;

	if (pkt->ipv6)
		return first != 0xff && (word[0] | word[1] | word[2] | (bpf_ntohl(word[3]) >> 1));
	return first != 0 && first != 127 && first < 224;
}

/*
 * Whether an answer may be sent: RFC 1122, 3.2.2, and RFC 4443, 2.4 say when not; and not too many.
 */
static __always_inline bool may_answer(struct xdp_md *ctx, const struct packet *pkt)
{
	const struct ethernet *eth = frame_at(ctx, 0, sizeof(*eth));
	__u32 zero = 0;
	struct limit *limit = bpf_map_lookup_elem(&xlb_limits, &zero);

	if (!eth || is_group_mac(eth->destination) || is_group_mac(eth->source))
		return false;
	if (pkt->is_error || is_later_fragment(pkt) || !is_from_one_host(pkt))
		return false;
	return limit && conforms(&limit->next_flow, ANSWERS_PER_SECOND, ANSWERS_PER_SECOND, false);
}

/* The sum of an answer's ICMP header and quote, `size` bytes from `offset` on, whole words. */
static __always_inline __u64 sum_words(struct xdp_md *ctx, __u32 offset, __u32 size)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < MAX_QUOTE + sizeof(struct icmp_error); i += sizeof(__u32)) {
		__u32 *word = frame_at(ctx, offset + i, sizeof(*word));

		if (i >= size || !word)
			break;
		sum += *word;
	}
	return sum;
}

static __always_inline void swap_macs(struct xdp_md *ctx)
{
	struct ethernet *eth = frame_at(ctx, 0, sizeof(*eth));
	__u16 mac[3];

	if (!eth)
		return;
	__builtin_memcpy(mac, eth->source, sizeof(mac));
	__builtin_memcpy(eth->source, eth->destination, sizeof(mac));
	__builtin_memcpy(eth->destination, mac, sizeof(mac));
}

/* Writes the IP header of an answer from the VIP. Returns its part of the ICMP checksum. */
static __always_inline __u64 write_answer_header(struct xdp_md *ctx, const struct packet *pkt,
						 __u32 payload)
{
	if (!pkt->ipv6) {
		write_ipv4_header(ctx, pkt->l3, pkt->vip.word[3], pkt->tuple.peer.word[3],
				  IPPROTO_ICMP, payload, 0);
		return 0;
	}
	write_ipv6_header(ctx, pkt->l3, &pkt->vip, &pkt->tuple.peer, IPPROTO_ICMPV6, payload, 0);
	return (__u64)address_sum(&pkt->vip) + address_sum(&pkt->tuple.peer) + bpf_htons(payload) +
	       bpf_htons(IPPROTO_ICMPV6);
}

/*
 * Turns the packet into an ICMP error to its sender, from the VIP, the way it came (RFC 792, 4443).
 * The quote is cut to MAX_QUOTE bytes and to whole words. Returns false if there is none to send.
 */
static __always_inline bool answer_error(struct xdp_md *ctx, struct packet *pkt,
					 const struct icmp_error *error)
{
	__u32 header = pkt->ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	__u32 size = ip_length(pkt) & ~3U;
	struct icmp_error *icmp;
	__u64 sum;

	if (size > MAX_QUOTE)
		size = MAX_QUOTE;
	if (pkt->length - pkt->l3 > size &&
	    bpf_xdp_adjust_tail(ctx, size - (pkt->length - pkt->l3)))
		return false;
	if (!grow_head(ctx, pkt, header + sizeof(*icmp)))
		return false;
	icmp = frame_at(ctx, pkt->l3 + header, sizeof(*icmp));
	if (!icmp)
		return false;
	*icmp = *error;
	size += sizeof(*icmp);
	swap_macs(ctx);
	sum = write_answer_header(ctx, pkt, size);
	sum += sum_words(ctx, pkt->l3 + header, size);
	icmp = frame_at(ctx, pkt->l3 + header, sizeof(*icmp));
	if (icmp)
		icmp->checksum = negate_sum(fold_sum(sum));
	return icmp;
}

/* Answers a packet that ends here as a router would, if that can be; the verdict says which. */
GLOBAL int answer_sender(struct xdp_md *ctx, struct packet *pkt, __u32 verdict)
{
	struct icmp_error error = {};

	if (!pkt)
		return VERDICT_INTERNAL;
	if (!may_answer(ctx, pkt))
		return verdict;
	error.type = pkt->ipv6 ? ICMPV6_TIME_EXCEED : ICMP_TIME_EXCEEDED;
	if (verdict == VERDICT_TOO_BIG) {
		error.type = pkt->ipv6 ? ICMPV6_PKT_TOOBIG : ICMP_DEST_UNREACH;
		error.code = pkt->ipv6 ? 0 : ICMP_FRAG_NEEDED;
		error.info = bpf_htonl(pkt->mtu);
	}
	if (!answer_error(ctx, pkt, &error))
		return VERDICT_INTERNAL;
	return verdict == VERDICT_TTL ? VERDICT_TTL_ANSWERED : VERDICT_TOO_BIG_ANSWERED;
}

#endif
