/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stage 7, rewrite: next hop, addresses, ports, TTL, checksums, MACs; and which device the packet
 * leaves by.
 */
#ifndef REWRITE_H
#define REWRITE_H

#include "select.h"
#include "source.h"

#define DEFAULT_MTU 1500 /* of a tunnel, where the helper has not said */
#define MAX_IP_SIZE 65535
#define FRAGMENT_ID_AT 4 /* in the fragment header (RFC 8200, section 4.5) */

/* The MACs of the next hop and our own, where it is not known: that which the frame came to. */
static __always_inline const void *macs_by_frame(const struct hop *hop, const struct ethernet *eth)
{
	struct packet *scratch = slow_packet();

	if (!scratch)
		return NULL;
	__builtin_memcpy(scratch->macs, hop->mac, ETH_ALEN);
	__builtin_memcpy(scratch->macs + ETH_ALEN / 2, eth->destination, ETH_ALEN);
	return scratch->macs;
}

static __always_inline struct cached_mac *cached_mac(__u32 ifindex)
{
	__u32 index = ifindex & ((1 << MAC_CACHE_BITS) - 1);

	return bpf_map_lookup_elem(&xlb_mac_cache, &index);
}

/* Whether this CPU has found, since the last change, that frames for this MAC are ours. */
static __always_inline bool is_mac_cached(const struct frame *frame, const struct ethernet *eth,
					  const struct config *config)
{
	__u32 ifindex = frame->ctx->ingress_ifindex;
	const struct cached_mac *cached = cached_mac(ifindex);

	return cached && cached->ifindex == ifindex && same_mac(cached->mac, eth->destination) &&
	       cached->generation == current_generation(config);
}

/* Whether the helper has seen that the device takes frames for this MAC; or does not know the
 * device. */
GLOBAL int is_own_mac(struct xdp_md *ctx)
{
	const struct ethernet *eth = frame_at(ctx, 0, sizeof(*eth));
	struct own_key key = { .ifindex = ctx->ingress_ifindex };
	const struct config *config = get_config();
	struct cached_mac *cached = cached_mac(key.ifindex);

	if (!eth || !config || !cached)
		return false;
	__builtin_memcpy(key.mac, eth->destination, sizeof(key.mac));
	if (!is_own(&key)) {
		__builtin_memset(key.mac, 0, sizeof(key.mac));
		return !is_own(&key);
	}
	cached->generation = 0; /* nothing holds under that number */
	__builtin_memcpy(cached->mac, key.mac, sizeof(cached->mac));
	cached->ifindex = key.ifindex;
	cached->generation = generation_to_cache(current_generation(config));
	return true;
}

/*
 * Whether a frame is meant for this host that came to another MAC than that of the device which
 * leads to its backend: a switch also floods us what is for others, another balancer of the same
 * VIP perhaps. Returns CONTINUE, or the verdict.
 */
static __always_inline enum verdict check_other_mac(const struct frame *frame,
						    const struct ethernet *eth, bool is_known)
{
	const struct config *config = get_config();

	if (!config || is_group_mac(eth->destination) || is_zero_mac(eth->destination))
		return VERDICT_OTHER_HOST;
	if (!config->knows_macs)
		return is_known ? VERDICT_OTHER_HOST : CONTINUE;
	if (frame->fast)
		return is_mac_cached(frame, eth, config) ? CONTINUE : SLOW_OTHER_MAC;
	return is_own_mac(frame->ctx) ? CONTINUE : VERDICT_OTHER_HOST;
}

/* Whether a frame that goes to no backend is meant for this host. Returns CONTINUE, or the
 * verdict. */
static __always_inline enum verdict check_own_mac(const struct frame *frame)
{
	const struct ethernet *eth = eth_at(frame);

	return is_missing(frame, eth) ? VERDICT_OTHER_HOST : check_other_mac(frame, eth, false);
}

/*
 * Finds the MACs that a frame for the backend gets, the next hop's and our own, if the frame is
 * meant for this host. Our own MAC is known on the device that leads to the backend. Returns
 * CONTINUE, or the verdict.
 */
static __always_inline enum verdict find_macs(const struct frame *frame, const struct hop *hop,
					      const void **macs)
{
	const struct ethernet *eth = eth_at(frame);
	bool same_device = hop->ifindex == frame->ctx->ingress_ifindex;
	enum verdict verdict;

	if (is_missing(frame, eth))
		return VERDICT_OTHER_HOST;
	*macs = hop;
	if (same_device && same_mac(hop->own_mac, eth->destination))
		return CONTINUE;
	verdict = check_other_mac(frame, eth, same_device && !is_zero_mac(hop->own_mac));
	if (verdict == CONTINUE && is_zero_mac(hop->own_mac))
		*macs = macs_by_frame(hop, eth);
	return verdict;
}

/*
 * Whether the packet was joined from several (GRO, or TSO of a veth's peer; xdpgeneric sees such):
 * then it is larger than what its device carries, and is split again on its way out.
 */
GLOBAL int is_joined(struct xdp_md *ctx, __u32 size)
{
	return bpf_check_mtu(ctx, 0, &size, 0, 0) == BPF_MTU_CHK_RET_FRAG_NEEDED;
}

/*
 * Whether the packet, with `overhead` bytes of headers in front of it, fits the way to its backend.
 * Returns CONTINUE or the verdict.
 */
static __always_inline enum verdict check_size(const struct frame *frame, struct packet *pkt,
					       __u32 mtu, __u32 overhead)
{
	if (pkt->size + overhead <= mtu)
		return CONTINUE;
	if (!mtu)
		mtu = overhead ? DEFAULT_MTU : MAX_IP_SIZE;
	if (pkt->size + overhead <= mtu)
		return CONTINUE;
	if (frame->fast)
		return SLOW_TOO_BIG;
	pkt->mtu = mtu - overhead;
	return !overhead && is_joined(frame->ctx, pkt->size) ? CONTINUE : VERDICT_TOO_BIG;
}

/* Takes 1 from the TTL, and adds `sum` to the header's checksum. */
static __always_inline void age_ipv4(struct ipv4_words *ip, __u32 sum)
{
	__u32 check = ~fold_two(fold_two((~ip->ttl >> 16) + TTL_SUM + sum));

	ip->ttl = ((ip->ttl - 1) & 0xffff) | check << 16;
}

static __always_inline void age_ipv6(struct ipv6_words *ip)
{
	ip->ttl -= 1U << 24;
}

static __always_inline void decrement_ttl(const struct frame *frame, const struct packet *pkt)
{
	void *l3 = l3_at(frame, pkt, ip_header_size(false));

	if (is_missing(frame, l3))
		return;
	if (pkt->ipv6)
		age_ipv6(l3);
	else
		age_ipv4(l3, 0);
}

/* The other side of a flow, as a packet from there sees it. */
struct other_side {
	const struct address *address;
	__u32 ports; /* of its packets, as in struct packet */
	__u32 address_sum; /* what a checksum changes by, when a packet leaves for there */
	__u32 flow_sum;
};

static __always_inline struct other_side other_side(const struct packet *pkt,
						    const struct found *found)
{
	const struct flow *flow = found->flow;
	struct other_side other = { &found->backend->address, backend_ports(found->backend, flow),
				    flow->address_sum, flow->flow_sum };

	if (pkt->from_backend) {
		other.address = &flow->client.peer;
		other.ports = ((const __u64 *)&flow->client)[2];
		other.address_sum = negate_sum(flow->address_sum);
		other.flow_sum = negate_sum(flow->flow_sum);
	}
	return other;
}

/* Writes the addresses of a packet that leaves for `to`, and takes a hop. It leaves by the address
 * that it came to, or by `own` if that is not NULL. */
static __always_inline void set_addresses(const struct frame *frame, const struct packet *pkt,
					  const struct address *to, const struct address *own,
					  __u32 sum)
{
	const __u64 *half = (const __u64 *)to;

	if (pkt->ipv6) {
		struct ipv6_words *ip = l3_at(frame, pkt, sizeof(*ip));

		if (is_missing(frame, ip))
			return;
		age_ipv6(ip);
		if (own)
			copy_address(ip->source, own);
		else
			copy_address(ip->source, ip->destination);
		copy_address(ip->destination, half);
	} else {
		struct ipv4_words *ip = l3_at(frame, pkt, sizeof(*ip));

		if (is_missing(frame, ip))
			return;
		age_ipv4(ip, sum);
		ip->source = own ? own->word[3] : ip->destination;
		ip->destination = half[1] >> 32;
	}
}

/* Writes the ports of a packet. */
static __always_inline void set_ports(const struct frame *frame, const struct packet *pkt,
				      __u32 ports, __u32 sum)
{
	if (pkt->protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = l4_at(frame, pkt, sizeof(*tcp));

		if (is_missing(frame, tcp))
			return;
		*(__u32 *)tcp = ports;
		tcp->check = updated_checksum(tcp->check, sum);
	} else {
		struct udphdr *udp = l4_at(frame, pkt, sizeof(*udp));

		if (is_missing(frame, udp))
			return;
		*(__u32 *)udp = ports;
		udp->check = updated_udp_checksum(udp->check, sum);
	}
}

/* Gives a fragment the id that its datagram has for the receiver: see fresh_id(). */
GLOBAL int set_fragment_id(struct xdp_md *ctx)
{
	struct packet *pkt = slow_packet();
	struct iphdr *ip;
	__be32 *id;

	if (!pkt)
		return 0;
	if (pkt->ipv6) {
		id = frame_at(ctx, pkt->fragment_at + FRAGMENT_ID_AT, sizeof(*id));
		if (id)
			*id = pkt->new_id;
		return 0;
	}
	ip = frame_at(ctx, pkt->l3, sizeof(*ip));
	if (!ip)
		return 0;
	ip->check = updated_checksum(ip->check, add_sums(negate_sum(ip->id), pkt->new_id & 0xffff));
	ip->id = pkt->new_id;
	return 0;
}

/* Translates a packet of a NAT flow for its other side. */
static __always_inline void translate(const struct frame *frame, const struct packet *pkt,
				      const struct found *found)
{
	struct other_side other = other_side(pkt, found);

	set_addresses(frame, pkt, other.address, other_own_address(pkt, found->flow),
		      other.address_sum);
	if (!frame->fast && pkt->fragment)
		set_fragment_id(frame->ctx);
	if (!is_later_fragment(pkt))
		set_ports(frame, pkt, swap_ports(other.ports), other.flow_sum);
}

/* A client may move behind another router, and a router to another device. What counts is a packet
 * that is plausible (flow_state.h), from a MAC that can be answered. */
static __always_inline void learn_client_hop(const struct frame *frame, struct flow *flow)
{
	const struct ethernet *eth = eth_at(frame);

	if (is_missing(frame, eth))
		return;
	if (!same_mac(flow->client_mac, eth->source) && is_host_mac(eth->source) &&
	    !same_mac(eth->source, eth->destination))
		__builtin_memcpy(flow->client_mac, eth->source, ETH_ALEN);
	if (!same_mac(flow->own_mac, eth->destination))
		__builtin_memcpy(flow->own_mac, eth->destination, ETH_ALEN);
	if (flow->ifindex != frame->ctx->ingress_ifindex)
		flow->ifindex = frame->ctx->ingress_ifindex;
}

/* Sends the packet on: XDP_TX, or a redirect if it leaves by another device. */
static __always_inline enum verdict transmit(const struct frame *frame, const void *macs,
					     __u32 ifindex)
{
	__u32 *to = (__u32 *)eth_at(frame);
	const __u32 *from = macs;

	/* Linux 6.1 does not see that there are MACs; clang does. */
	keep_order(from);
	if (is_missing(frame, to) || !from)
		return VERDICT_INTERNAL;
	to[0] = from[0];
	to[1] = from[1];
	to[2] = from[2];
	if (ifindex == frame->ctx->ingress_ifindex || !ifindex)
		return VERDICT_FORWARDED;
	bpf_redirect(ifindex, 0);
	return VERDICT_REDIRECTED;
}

#endif
