/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ICMP and ICMPv6 errors about flows are relayed to the side that they are for, and the balancer
 * answers with its own where a router would (TTL, MTU). All of it is slow path.
 */
#ifndef ICMP_H
#define ICMP_H

#include "admit.h"
#include "encap.h"
#include "parse.h"

#define MAX_QUOTE 128 /* bytes of the packet in an answer: its IP and L4 headers, with options */
#define ANSWERS_PER_SECOND 500 /* of a kind: of both 1,000, net.ipv4.icmp_msgs_per_sec of Linux */
#define ERRORS_PER_FLOW 10 /* a second; 32 flows share this when the table is full */
#define ANSWERS_TO_ONE 100 /* a second, of a kind, to the sources that share an entry */

#define MAX_IPV4_MTU 0xffff /* what the field has room for (RFC 1191) */

/* The part of an ICMP or ICMPv6 error before the packet it is about. */
struct icmp_error {
	__u8 type;
	__u8 code;
	__u16 checksum;
	__be32 info; /* of "packet too big" and "fragmentation needed": the MTU */
};

static __always_inline bool is_error(const struct packet *pkt, const struct icmp_error *icmp)
{
	if (pkt->ipv6)
		return icmp->type >= ICMPV6_DEST_UNREACH && icmp->type <= ICMPV6_PARAMPROB;
	return icmp->type == ICMP_DEST_UNREACH || icmp->type == ICMP_TIME_EXCEEDED ||
	       icmp->type == ICMP_PARAMETERPROB;
}

/*
 * Reads the quoted packet in an error, as if it were the packet: what is at pkt->quote.l3. Returns
 * false if it is not one that left from where the error goes to: the VIP, or in mode dnat a client.
 */
static __always_inline bool parse_quoted_packet(struct xdp_md *ctx, struct packet *pkt,
						const __u64 sender[2])
{
	pkt->l3 = pkt->quote.l3;
	if (!parse_destination(ctx, pkt) || parse_ip(ctx, pkt) != CONTINUE)
		return false;
	if (is_later_fragment(pkt) || pkt->peer[0] != sender[0] || pkt->peer[1] != sender[1])
		return false;
	if (pkt->protocol != IPPROTO_TCP && pkt->protocol != IPPROTO_UDP)
		return false;
	return parse_ports(ctx, pkt) && pkt->l4 + sizeof(struct ports) <= pkt->quote.end;
}

/*
 * Reads an error about a flow. The packet's addresses and ports then are those that the quoted
 * packet's receiver sends with. Returns CONTINUE, or the verdict.
 */
GLOBAL int parse_error(struct xdp_md *ctx, struct packet *pkt)
{
	__u32 l3, l4, size;
	__u8 fault;
	const struct icmp_error *icmp;
	__u64 vip[2];

	if (!pkt)
		return VERDICT_INTERNAL;
	copy_address(vip, pkt->vip);
	note_fault(pkt, !pkt->ipv6 && !is_intact_any_ipv4(ctx, pkt), VERDICT_MALFORMED);
	note_fault(pkt, is_bad_source(pkt->peer, pkt->vip, pkt->ipv6), VERDICT_BAD_SOURCE);
	note_fault(pkt, is_denied_now(pkt), VERDICT_DENIED);
	fault = pkt->fault;
	icmp = frame_at(ctx, pkt->l4, sizeof(*icmp));
	if (pkt->dry_run || pkt->fragment || !icmp || l4_size(pkt) < sizeof(*icmp) ||
	    !is_error(pkt, icmp))
		return VERDICT_NO_SERVICE;
	l3 = pkt->l3;
	l4 = pkt->l4;
	size = pkt->size;
	pkt->quote = (struct quote){ l4, l4 + sizeof(*icmp), 0, l3 + size };
	if (!parse_quoted_packet(ctx, pkt, vip))
		return VERDICT_NO_SERVICE;
	pkt->quote.l4 = pkt->l4;
	copy_address(pkt->peer, pkt->vip);
	copy_address(pkt->vip, vip);
	pkt->ports = swap_ports(pkt->ports);
	pkt->l3 = l3;
	pkt->l4 = l4;
	pkt->size = size;
	pkt->fragment = 0;
	pkt->is_error = true;
	pkt->fault = fault;
	return CONTINUE;
}

/*
 * A path MTU below the least one is relayed as that: one client of a backend sets the size of the
 * segments for all, as they all have the VIP's address there. Returns what it adds to the checksum.
 */
static __always_inline __u32 raise_mtu(const struct packet *pkt, struct icmp_error *icmp)
{
	const struct config *config = get_config();
	bool is_too_big = pkt->ipv6 ?
				  icmp->type == ICMPV6_PKT_TOOBIG :
				  icmp->type == ICMP_DEST_UNREACH && icmp->code == ICMP_FRAG_NEEDED;
	__u32 mtu = bpf_ntohl(icmp->info), before = icmp->info;

	if (!pkt->ipv6)
		mtu &= MAX_IPV4_MTU;
	if (!config || !is_too_big || mtu >= least_pmtu(config))
		return 0;
	icmp->info = bpf_htonl(least_pmtu(config));
	return add_sums(fold_sum(icmp->info), negate_sum(fold_sum(before)));
}

/* Updates the quoted L4 checksum if the quote reaches so far. Returns whether it did. */
static __always_inline bool translate_quoted_checksum(struct xdp_md *ctx, const struct packet *pkt,
						      __u32 sum)
{
	bool tcp = pkt->protocol == IPPROTO_TCP;
	__u32 offset = pkt->quote.l4 +
		       (tcp ? offsetof(struct tcphdr, check) : offsetof(struct udphdr, check));
	__u16 *check = frame_at(ctx, offset, sizeof(*check));

	if (!check || offset + sizeof(*check) > pkt->quote.end || (!tcp && !*check))
		return false;
	*check = tcp ? updated_checksum(*check, sum) : updated_udp_checksum(*check, sum);
	return true;
}

/*
 * Writes the packet in an error. Returns what that adds to the ICMP checksum. An IPv4 header's own
 * checksum makes up for the change of its addresses, an L4 checksum for that of addresses and
 * ports; what is not made up for is left.
 */
static __always_inline __u32 write_quote(struct xdp_md *ctx, const struct packet *pkt)
{
	const struct quoted *quoted = &pkt->quoted;
	struct iphdr *ip4 = frame_at(ctx, pkt->quote.l3, sizeof(*ip4));
	struct ipv6_words *ip6 = frame_at(ctx, pkt->quote.l3, sizeof(*ip6));
	__u32 *ports = frame_at(ctx, pkt->quote.l4, sizeof(*ports));
	__u32 sum = add_sums(quoted->flow_sum, negate_sum(quoted->address_sum));

	if (!ports)
		return 0;
	*ports = quoted->ports;
	if (translate_quoted_checksum(ctx, pkt, quoted->flow_sum))
		sum = negate_sum(quoted->address_sum);
	if (pkt->ipv6 && ip6) {
		copy_address(ip6->source, quoted->source);
		copy_address(ip6->destination, quoted->destination);
		return add_sums(sum, quoted->address_sum);
	}
	if (ip4) {
		ip4->saddr = quoted->source[1] >> 32;
		ip4->daddr = quoted->destination[1] >> 32;
		ip4->check = updated_checksum(ip4->check, quoted->address_sum);
	}
	return sum;
}

/* The same, as pkt->quoted says, and brings the ICMP checksum in line. */
GLOBAL int translate_quote(struct xdp_md *ctx)
{
	struct packet *pkt = slow_packet();
	struct icmp_error *icmp;
	__u32 sum;

	if (!pkt)
		return 0;
	icmp = frame_at(ctx, pkt->quote.icmp, sizeof(*icmp));
	sum = write_quote(ctx, pkt);
	if (pkt->ipv6)
		sum = add_sums(sum, pkt->quoted.outer_sum);
	if (icmp)
		icmp->checksum = updated_checksum(icmp->checksum,
						  add_sums(sum, raise_mtu(pkt, icmp)));
	return 0;
}

/* What replacing the source of the packet by `to` adds to a checksum. */
static __always_inline __u32 source_sum(struct xdp_md *ctx, const struct packet *pkt,
					const __u64 to[2])
{
	const struct ipv4_words *ip4 = frame_at(ctx, pkt->l3, sizeof(*ip4));
	const struct ipv6_words *ip6 = frame_at(ctx, pkt->l3, sizeof(*ip6));
	__u64 source[2] = {};

	if (pkt->ipv6 && ip6)
		copy_address(source, ip6->source);
	else if (ip4)
		source[1] = mapped_ipv4(ip4->source);
	return add_sums(address_sum(to), negate_sum(address_sum(source)));
}

/* Translates an error about a NAT flow, inside and out, for the side that it is for. */
static __always_inline void translate_error(const struct frame *frame, const struct packet *pkt,
					    const struct found *found)
{
	struct other_side other = other_side(pkt, found);
	const struct address *own = other_own_address(pkt, found->flow);
	__u32 sum = source_sum(frame->ctx, pkt, (const __u64 *)other.address);
	struct packet *slow = slow_packet();

	if (!slow)
		return;
	copy_address(slow->quoted.destination, pkt->vip);
	if (own) {
		copy_address(slow->quoted.destination, own);
		sum = add_sums(sum, add_sums(address_sum(own), negate_sum(address_sum(pkt->vip))));
	}
	copy_address(slow->quoted.source, other.address);
	slow->quoted.ports = other.ports;
	slow->quoted.address_sum = other.address_sum;
	slow->quoted.flow_sum = other.flow_sum;
	slow->quoted.outer_sum = sum;
	translate_quote(frame->ctx);
	set_addresses(frame, pkt, other.address, own, sum);
}

/* Whether one more error about the flow may be relayed: they cost its side more than they cost who
 * sends them. */
GLOBAL int error_conforms(__u32 index)
{
	__u32 part = ANSWER_SOURCES + ANSWER_KINDS + index % ERROR_PARTS;
	__u64 *next = bpf_map_lookup_elem(&xlb_answers, &part);

	return next && conforms(next, ERRORS_PER_FLOW, ERRORS_PER_FLOW, false);
}

/* Whether the budget of all answers of a kind has one left, and that of this source. So none can
 * use up what another needs: sources share an entry by a secret hash. An IPv6 source is its /64. */
GLOBAL int answers_conform(__u64 first, __u64 second, __u32 is_first_kind)
{
	const __u64 source[] = { first, second }, whole[] = { first, is_ipv4(source) ? second : 0 };
	__u32 kind = is_first_kind ? 0 : 1, of_kind, of_source;
	const struct config *config = get_config();
	__u64 *next;

	if (!config)
		return false;
	of_kind = ANSWER_SOURCES + kind;
	of_source = flow_hash(config, whole, kind) % ANSWER_SOURCES;
	next = bpf_map_lookup_elem(&xlb_answers, &of_source);
	if (!next || !conforms(next, ANSWERS_TO_ONE, ANSWERS_TO_ONE, false))
		return false;
	next = bpf_map_lookup_elem(&xlb_answers, &of_kind);
	return next && conforms(next, ANSWERS_PER_SECOND, ANSWERS_PER_SECOND, false);
}

/*
 * Whether an answer may be sent: RFC 1122, 3.2.2, and RFC 4443, 2.4 say when not (sources that are
 * no single host end earlier, see source.h); and not too many.
 */
static __always_inline bool may_answer(struct xdp_md *ctx, const struct packet *pkt,
				       enum verdict verdict)
{
	const struct ethernet *eth = frame_at(ctx, 0, sizeof(*eth));

	if (!eth || is_group_mac(eth->destination) || is_group_mac(eth->source))
		return false;
	if (pkt->is_error || is_later_fragment(pkt))
		return false;
	return answers_conform(pkt->peer[0], pkt->peer[1], verdict == VERDICT_TTL);
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

/* The address that the balancer answers the sender from: the VIP. */
static __always_inline const void *own_address(const struct packet *pkt)
{
	const struct answer *answer = is_dnat_answer(pkt) ? answer_at(pkt->service) : NULL;

	return answer ? (const void *)&answer->vip : pkt->vip;
}

/*
 * Makes room for an answer's headers, and writes the IP header, from the VIP. Returns its part of
 * the ICMP checksum, or a negative number if there is no room.
 */
static __always_inline __s64 write_answer_header(struct frame *frame, struct packet *pkt,
						 __u32 payload, bool ipv6)
{
	struct outer outer = {
		.payload = payload,
		.protocol = ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
	};
	void *l3 = grow_head(frame, pkt, ip_header_size(ipv6) + sizeof(struct icmp_error), ipv6);

	if (!l3)
		return -1;
	copy_address(outer.source, own_address(pkt));
	copy_address(outer.destination, pkt->peer);
	if (!ipv6) {
		write_ipv4(l3, &outer);
		return 0;
	}
	write_ipv6(l3, &outer);
	return (__s64)address_sum(outer.source) + address_sum(pkt->peer) + bpf_htons(payload) +
	       bpf_htons(IPPROTO_ICMPV6);
}

/*
 * Turns the packet into an ICMP error to its sender, from the VIP, the way it came (RFC 792, 4443).
 * The quote is cut to MAX_QUOTE bytes and to whole words. Returns false if there is none to send.
 */
static __always_inline bool answer_error(struct frame *frame, struct packet *pkt,
					 const struct icmp_error *error)
{
	struct xdp_md *ctx = frame->ctx;
	__u32 at = pkt->l3 + ip_header_size(pkt->ipv6);
	__u32 size = pkt->size & ~3U;
	const struct ethernet *eth = frame_at(ctx, 0, sizeof(*eth));
	struct icmp_error *icmp;
	__u16 macs[6];
	__s64 sum;

	if (!eth)
		return false;
	__builtin_memcpy(macs, eth->source, ETH_ALEN);
	__builtin_memcpy(macs + 3, eth->destination, ETH_ALEN);
	if (size > MAX_QUOTE)
		size = MAX_QUOTE;
	if (pkt->length - pkt->l3 > size &&
	    bpf_xdp_adjust_tail(ctx, size - (pkt->length - pkt->l3)))
		return false;
	size += sizeof(*icmp);
	sum = pkt->ipv6 ? write_answer_header(frame, pkt, size, true) :
			  write_answer_header(frame, pkt, size, false);
	icmp = frame_at(ctx, at, sizeof(*icmp));
	if (sum < 0 || !icmp)
		return false;
	__builtin_memcpy(frame->eth, macs, sizeof(macs));
	*icmp = *error;
	icmp->checksum = 0;
	sum += sum_words(ctx, at, size);
	icmp->checksum = negate_sum(fold_sum(sum));
	return true;
}

/* Answers a packet that ends here as a router would, if that can be; the verdict says which. */
GLOBAL int answer_sender(struct xdp_md *ctx, __u32 verdict)
{
	struct packet *pkt = slow_packet();
	struct frame frame = { .ctx = ctx };
	struct icmp_error error = {};

	if (!pkt)
		return VERDICT_INTERNAL;
	if (!may_answer(ctx, pkt, verdict))
		return verdict;
	error.type = pkt->ipv6 ? ICMPV6_TIME_EXCEED : ICMP_TIME_EXCEEDED;
	if (verdict == VERDICT_TOO_BIG) {
		error.type = pkt->ipv6 ? ICMPV6_PKT_TOOBIG : ICMP_DEST_UNREACH;
		error.code = pkt->ipv6 ? 0 : ICMP_FRAG_NEEDED;
		error.info = bpf_htonl(pkt->mtu);
	}
	if (!answer_error(&frame, pkt, &error))
		return VERDICT_INTERNAL;
	return verdict == VERDICT_TTL ? VERDICT_TTL_ANSWERED : VERDICT_TOO_BIG_ANSWERED;
}

#endif
