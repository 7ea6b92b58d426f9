/* SPDX-License-Identifier: GPL-2.0 */
/* Fragments: the first one has the ports, and leaves them here for those that follow. */
#ifndef FRAGMENT_H
#define FRAGMENT_H

#include "packet.h"

#define FRAGMENT_TIMEOUT 30 /* seconds; ip_frag_time of Linux, net/ipv4/ip_fragment.c */

static __always_inline struct fragment_key fragment_key(const struct packet *pkt)
{
	struct fragment_key key = {
		.id = pkt->fragment_id,
		.vip = pkt->vip_number,
		.protocol = pkt->fragment_protocol,
	};

	__builtin_memcpy(&key.peer, pkt->peer, sizeof(key.peer));
	return key;
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
	pkt->ports = (__u32)fragment->vip_port << 16 | fragment->peer_port;
	return true;
}

#endif
