/* SPDX-License-Identifier: GPL-2.0 */
/* Fragments: the first one has the ports, and leaves them here for those that follow. Where they
 * are translated it also gets an id for all of them. */
#ifndef FRAGMENT_H
#define FRAGMENT_H

#include "flow_table.h"

#define FRAGMENT_TIMEOUT 30 /* seconds; ip_frag_time of Linux, net/ipv4/ip_fragment.c */

/* What tells the answers to different clients apart, in mode dnat. */
static __always_inline __u16 tag_of_client(const struct packet *pkt)
{
	return FRAGMENT_OF_ANSWER | ((pkt->vip[0] + pkt->vip[1]) * GOLDEN_RATIO >> 49);
}

static __always_inline struct fragment_key fragment_key(const struct packet *pkt)
{
	struct fragment_key key = {
		.id = pkt->fragment_id,
		.vip = pkt->vip_number ? pkt->vip_number : tag_of_client(pkt),
		.protocol = pkt->fragment_protocol,
	};

	__builtin_memcpy(&key.peer, pkt->peer, sizeof(key.peer));
	return key;
}

/*
 * The id of a datagram that is translated (RFC 6864): to its receiver all come from the VIP, so the
 * sender's own could be that of another one, and parts of both would be joined. Counted from a
 * random number on, since what was lost of one datagram waits for up to 30 s.
 */
static __always_inline __be32 fresh_id(const struct packet *pkt)
{
	const struct flow *flow = flow_at(pkt->flow);
	const struct backend *backend = backend_at(pkt->backend);
	const __u64 *receiver;
	__u32 index, *id;

	if (!flow || !backend)
		return pkt->fragment_id;
	receiver = (const __u64 *)(pkt->from_backend ? &flow->client.peer : &backend->address);
	index = cache_index(receiver[0] ^ receiver[1], ID_BITS);
	id = bpf_map_lookup_elem(&xlb_ids, &index);
	if (!id)
		return pkt->fragment_id;
	if (!READ_ONCE(*id))
		__sync_val_compare_and_swap(id, 0, bpf_get_prandom_u32());
	index = __sync_fetch_and_add(id, 1);
	return pkt->ipv6 ? bpf_htonl(index) : bpf_htons(index);
}

/* Keeps the ports of a first fragment that is forwarded. */
GLOBAL int keep_ports(void)
{
	struct packet *pkt = slow_packet();
	struct fragment fragment = {};
	struct fragment_key key;

	if (!pkt || is_later_fragment(pkt))
		return 0;
	key = fragment_key(pkt);
	fragment.peer_port = pkt->ports;
	fragment.vip_port = pkt->ports >> 16;
	fragment.seen = pkt->now;
	fragment.protocol = pkt->protocol;
	fragment.id = pkt->mode == MODE_NAT ? fresh_id(pkt) : pkt->fragment_id;
	pkt->new_id = fragment.id;
	return bpf_map_update_elem(&xlb_fragments, &key, &fragment, BPF_ANY);
}

/* Gives a later fragment the ports of its first. */
GLOBAL int recall_ports(struct packet *pkt)
{
	struct fragment *fragment;
	struct fragment_key key;

	if (!pkt)
		return false;
	key = fragment_key(pkt);
	fragment = bpf_map_lookup_elem(&xlb_fragments, &key);
	if (!fragment || is_past(pkt->now, fragment->seen, FRAGMENT_TIMEOUT))
		return false;
	pkt->protocol = fragment->protocol;
	pkt->new_id = fragment->id;
	pkt->ports = (__u32)fragment->vip_port << 16 | fragment->peer_port;
	return true;
}

#endif
