/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mode dnat: a client's packet gets the address and port of a backend, and an answer those of the
 * service back. Nothing is remembered: an answer is known by where it comes from.
 */
#ifndef DNAT_H
#define DNAT_H

#include "icmp.h"
#include "vip.h"

#define PORT_SPREAD 0x01000193 /* odd: ports of one backend get entries of their own */

/* Looks up the backend that sends such packets, and keeps it in the entry `index` of the cache.
 * `tail` is port and protocol. */
GLOBAL int look_up_sender(__u64 first, __u64 second, __u32 tail, __u32 index, __u32 generation)
{
	struct cached_real *cached = bpf_map_lookup_elem(&xlb_real_cache, &index);
	__u64 address[] = { first, second };
	struct real_key key = { .port = tail, .protocol = tail >> 16 };
	__u32 *number;

	if (!cached)
		return 0;
	__builtin_memcpy(&key.address, address, sizeof(key.address));
	cached->key = key;
	number = bpf_map_lookup_elem(&xlb_reals, &key);
	if (!number) {
		key.port = ANY_PORT;
		number = bpf_map_lookup_elem(&xlb_reals, &key);
	}
	cached->backend = number ? *number : 0;
	cached->generation = generation_to_cache(generation);
	return 0;
}

/* The backend that sends such packets, by its number; 0: none. */
static __always_inline __u32 find_sender(const struct packet *pkt, const struct config *config)
{
	__u32 tail = (pkt->ports & 0xffff) | (__u32)pkt->protocol << 16;
	__u32 index = cache_index(pkt->peer[0] ^ pkt->peer[1] ^ tail * PORT_SPREAD,
				  REAL_CACHE_BITS);
	struct cached_real *cached = bpf_map_lookup_elem(&xlb_real_cache, &index);
	__u32 generation = current_generation(config);
	const __u32 *word = (const __u32 *)cached;

	if (!cached)
		return 0;
	if (cached->generation != generation || word[4] != tail ||
	    *(const __u64 *)word != pkt->peer[0] || *(const __u64 *)(word + 2) != pkt->peer[1])
		look_up_sender(pkt->peer[0], pkt->peer[1], tail, index, generation);
	return cached->backend;
}

/* Whether a packet of no VIP may be an answer. What comes to the balancer itself never is one. */
static __always_inline bool may_be_answer(const struct packet *pkt, const struct config *config,
					  const struct cached_vip *vip)
{
	return config->flags & CONFIG_DNAT && !pkt->dry_run &&
	       (pkt->is_to_others || !(vip->vip.flags & VIP_OWN));
}

/* What becomes of a packet: the end that changes has this address, and the packet these ports. */
struct translation {
	__u64 address[2];
	__u32 ports; /* as in struct packet */
	__u32 address_sum; /* what a checksum changes by */
	__u32 flow_sum;
};

static __always_inline __u32 replacement_sum(const __u64 from[2], const __u64 to[2], bool ipv6)
{
	if (ipv6)
		return add_sums(address_sum(to), negate_sum(address_sum(from)));
	return fold_sum((to[1] >> 32) + (__u32) ~(from[1] >> 32));
}

/* Forward the destination changes; back, where `answer` is not NULL, the source. */
static __always_inline struct translation translation_of(const struct packet *pkt,
							 const struct backend *backend,
							 const struct answer *answer)
{
	struct translation new = { .ports = pkt->ports };
	const __u64 *from = answer ? pkt->peer : pkt->vip;
	__be16 port = answer ? answer->port : backend->port;

	copy_address(new.address, answer ? &answer->vip : &backend->address);
	if (port)
		new.ports = answer ? (pkt->ports & 0xffff0000) | port :
				     (pkt->ports & 0xffff) | (__u32)port << 16;
	new.address_sum = replacement_sum(from, new.address, pkt->ipv6);
	new.flow_sum = fold_sum((__u64) new.address_sum + new.ports + (__u32)~pkt->ports);
	return new;
}

/* Writes the address of the end that changes, and takes a hop. */
static __always_inline void set_end(const struct frame *frame, const struct packet *pkt,
				    const __u64 address[2], __u32 sum)
{
	if (pkt->ipv6) {
		struct ipv6_words *ip = l3_at(frame, pkt, sizeof(*ip));

		if (is_missing(frame, ip))
			return;
		age_ipv6(ip);
		copy_address(pkt->from_backend ? ip->source : ip->destination, address);
	} else {
		struct ipv4_words *ip = l3_at(frame, pkt, sizeof(*ip));

		if (is_missing(frame, ip))
			return;
		age_ipv4(ip, sum);
		if (pkt->from_backend)
			ip->source = address[1] >> 32;
		else
			ip->destination = address[1] >> 32;
	}
}

/* Translates an error about a packet, inside and out: each side gets a quote of what it sent. The
 * side that it is for does not see who is behind the VIP: that is where it comes from. */
static __always_inline void translate_dnat_error(const struct frame *frame,
						 const struct packet *pkt,
						 const struct translation *new)
{
	__u32 sum = pkt->from_backend ? source_sum(frame->ctx, pkt, new->address) :
					new->address_sum;
	struct packet *slow = slow_packet();

	if (!slow)
		return;
	copy_address(slow->quoted.source, pkt->from_backend ? pkt->vip : new->address);
	copy_address(slow->quoted.destination, pkt->from_backend ? new->address : pkt->peer);
	slow->quoted.ports = swap_ports(new->ports);
	slow->quoted.address_sum = new->address_sum;
	slow->quoted.flow_sum = new->flow_sum;
	slow->quoted.outer_sum = sum;
	translate_quote(frame->ctx);
	set_end(frame, pkt, new->address, sum);
}

/* Translates a packet of a service in mode dnat, in either direction. */
static __always_inline void translate_dnat(const struct frame *frame, const struct packet *pkt,
					   const struct backend *backend,
					   const struct answer *answer)
{
	struct translation new = translation_of(pkt, backend, answer);

	if (!frame->fast && pkt->is_error) {
		translate_dnat_error(frame, pkt, &new);
		return;
	}
	set_end(frame, pkt, new.address, new.address_sum);
	if (!is_later_fragment(pkt))
		set_ports(frame, pkt, new.ports, new.flow_sum);
}

/* Gives the hop back that set_end() took, as the host takes one too. */
static __always_inline void give_hop_back(const struct frame *frame, const struct packet *pkt)
{
	void *l3 = l3_at(frame, pkt, ip_header_size(false));
	struct ipv6_words *ip6 = l3;
	struct iphdr *ip4 = l3;

	if (is_missing(frame, l3))
		return;
	if (pkt->ipv6) {
		ip6->ttl += 1U << 24;
		return;
	}
	ip4->ttl++;
	ip4->check = updated_checksum(ip4->check, negate_sum(TTL_SUM));
}

/*
 * Asks the kernel how it would route the answer that struct packet in xlb_scratch describes. The
 * result is left there. Returns BPF_FIB_LKUP_RET_*.
 */
GLOBAL int look_up_fib(struct xdp_md *ctx)
{
	struct packet *pkt = slow_packet();
	struct answer *answer = pkt ? answer_at(pkt->service) : NULL;
	struct bpf_fib_lookup fib = {};
	int result;

	if (!answer)
		return BPF_FIB_LKUP_RET_BLACKHOLE;
	fib.family = pkt->ipv6 ? AF_INET6 : AF_INET;
	fib.l4_protocol = pkt->protocol;
	fib.sport = pkt->ports;
	fib.dport = pkt->ports >> 16;
	fib.ifindex = ctx->ingress_ifindex;
	if (pkt->ipv6) {
		copy_words(fib.ipv6_src, &answer->vip);
		copy_words(fib.ipv6_dst, pkt->vip);
	} else {
		fib.ipv4_src = answer->vip.word[3];
		fib.ipv4_dst = pkt->vip[1] >> 32;
	}
	result = bpf_fib_lookup(ctx, &fib, sizeof(fib), 0);
	pkt->fib_ifindex = fib.ifindex;
	pkt->fib_mtu = fib.mtu_result;
	__builtin_memcpy(pkt->macs, fib.dmac, ETH_ALEN);
	__builtin_memcpy(pkt->macs + ETH_ALEN / 2, fib.smac, ETH_ALEN);
	return result;
}

/* The same of any packet, wherever it is described. */
static __always_inline int look_up_route(const struct frame *frame, const struct packet *pkt)
{
	struct packet *scratch = slow_packet();

	if (!scratch)
		return BPF_FIB_LKUP_RET_BLACKHOLE;
	if (frame->fast) {
		copy_address(scratch->vip, pkt->vip);
		scratch->ports = pkt->ports;
		scratch->protocol = pkt->protocol;
		scratch->ipv6 = pkt->ipv6;
		scratch->service = pkt->service;
	}
	return look_up_fib(frame->ctx);
}

#endif
