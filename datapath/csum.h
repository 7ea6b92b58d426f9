/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checksum arithmetic. A sum is a ones' complement sum of 16-bit words in network byte order, kept
 * in a wider register until it is folded.
 */
#ifndef CSUM_H
#define CSUM_H

#include "packet.h"

#define CHECKSUM_OK 0xffff /* what an IPv4 header sums to, with its checksum (RFC 791) */

/* What the loss of 1 in a TTL adds to the header checksum: TTL is the high byte of its word. */
#define TTL_SUM (~bpf_htons(0x0100) & 0xffff)

static __always_inline __u32 fold_sum(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* Folds a sum of two 16-bit words. */
static __always_inline __u32 fold_two(__u32 sum)
{
	return (sum & 0xffff) + (sum >> 16);
}

static __always_inline __u32 add_sums(__u32 a, __u32 b)
{
	return fold_two(a + b);
}

static __always_inline __u32 negate_sum(__u32 sum)
{
	return ~sum & 0xffff;
}

static __always_inline __u32 address_sum(const void *address)
{
	const __u32 *word = address;

	return fold_sum((__u64)word[0] + word[1] + word[2] + word[3]);
}

/* RFC 1624, equation 3: HC' = ~(~HC + ~m + m'), where `sum` is ~m + m', of 16 bits. */
static __always_inline __u16 updated_checksum(__u16 check, __u32 sum)
{
	return negate_sum(add_sums(negate_sum(check), sum));
}

/* UDP: 0 means that there is none, so one that comes out as 0 is sent as 0xffff (RFC 768). */
static __always_inline __u16 updated_udp_checksum(__u16 check, __u32 sum)
{
	if (!check)
		return 0;
	check = updated_checksum(check, sum);
	return check ? check : 0xffff;
}

#endif
