/* SPDX-License-Identifier: GPL-2.0 */
/* Sources that no honest packet has: an answer to one is for nobody, for everybody, or a loop. */
#ifndef SOURCE_H
#define SOURCE_H

#include "hash.h"

/*
 * Whether the source cannot be: of IPv4 0/8, 127/8, 224/4, 240/4 and so the broadcast address
 * (RFC 6890); of IPv6 multicast and what begins with 64 zero bits: ::, ::1, and IPv4-mapped ones,
 * which are malformed; or the packet's own destination.
 */
static __always_inline bool is_bad_source(const __u64 source[2], const __u64 destination[2],
					  bool ipv6)
{
	__u8 first = ipv6 ? source[0] : source[1] >> 32;

	if (source[1] == destination[1] && (!ipv6 || source[0] == destination[0]))
		return true;
	if (ipv6)
		return first == 0xff || !source[0];
	return (__u8)(first - 1) >= 224 - 1 || first == 127;
}

static __always_inline bool is_own(const struct own_key *key)
{
	return bpf_map_lookup_elem(&xlb_own, key);
}

/*
 * Whether a flow of this client would lead back here: a VIP, an address of the host, or the port
 * on which a backend serves, be it of another service. Two servers that each take what the other
 * says for a question would talk through us without end. `port` is in network byte order.
 */
GLOBAL int is_own_source(__u64 first, __u64 second, __u32 port, __u32 protocol)
{
	__u64 address[] = { first, second };
	struct own_key key = {};
	const __u32 *own;

	if (bpf_map_lookup_elem(&xlb_vips, address))
		return true;
	copy_address(&key.address, address);
	own = bpf_map_lookup_elem(&xlb_own, &key);
	if (!own || *own & OWN_HOST)
		return own != NULL;
	key.protocol = protocol;
	if (is_own(&key)) /* ANY_PORT */
		return true;
	key.port = port;
	return is_own(&key);
}

#endif
