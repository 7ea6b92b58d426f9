/* SPDX-License-Identifier: GPL-2.0 */
/* Sources that no honest packet has: an answer to one is for nobody, for everybody, or a loop. */
#ifndef SOURCE_H
#define SOURCE_H

#include "packet.h"

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

#endif
