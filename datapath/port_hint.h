/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where to look for a free port of a source towards a backend: a bit for each port that a flow has
 * taken, 32 ports to a word, a line of 512 ports to a look. A hint only: the bucket has the truth.
 * A bit is set when a flow takes the port, or was found to have it; it is cleared when the flow's
 * record is used for another one, or freed by a census.
 */
#ifndef PORT_HINT_H
#define PORT_HINT_H

#include "packet.h"

#define PORT_BITS 32 /* of a word */
#define LINE_WORDS 16 /* a cache line of them */
#define PORT_LINES (65536 / PORT_BITS / LINE_WORDS)
#define RESERVED_LINES 2 /* of ports up to 1,023 */

static __always_inline struct port_hints *hints_of(__u32 backend, __u32 source)
{
	__u32 index = hints_index(backend, source);

	return bpf_map_lookup_elem(&xlb_ports, &index);
}

static __always_inline __u32 *hint_word(struct port_hints *hints, __u32 port)
{
	__u32 word = port / PORT_BITS;

	/* Else clang leaves out the mask, which Linux 6.1 needs. */
	keep_order(word);
	return &hints->taken[word & (65536 / PORT_BITS - 1)];
}

/* `port` is in network byte order. */
GLOBAL int note_port_taken(__u32 backend, __u32 source, __u32 port)
{
	struct port_hints *hints = hints_of(backend, source);
	__u32 number = bpf_ntohs(port);
	__u32 bit = 1U << number % PORT_BITS;

	if (hints && !(*hint_word(hints, number) & bit))
		__sync_fetch_and_or(hint_word(hints, number), bit);
	return 0;
}

GLOBAL int note_port_free(__u32 backend, __u32 source, __u32 port)
{
	struct port_hints *hints = hints_of(backend, source);
	__u32 number = bpf_ntohs(port);

	if (hints)
		__sync_fetch_and_and(hint_word(hints, number), ~(1U << number % PORT_BITS));
	return 0;
}

/* Number of a bit that is set; there is one. */
static __always_inline __u32 lowest_bit(__u32 word)
{
	__u32 number = 0;

	word &= -word;
	number |= !!(word & 0xaaaaaaaa);
	number |= !!(word & 0xcccccccc) << 1;
	number |= !!(word & 0xf0f0f0f0) << 2;
	number |= !!(word & 0xff00ff00) << 3;
	return number | !!(word & 0xffff0000) << 4;
}

/*
 * A port of the backend that seems free, in network byte order: of one line, chosen at random, so
 * that it costs the same however few are left; 0: all of the line are taken. CPUs that look in one
 * line begin at different words.
 */
GLOBAL __u32 suggest_port(__u32 backend, __u32 source, __u32 random)
{
	struct port_hints *hints = hints_of(backend, source);
	__u32 line = RESERVED_LINES + (random & 0xffff) * (PORT_LINES - RESERVED_LINES) / 65536;

	if (!hints)
		return 0;
	for (__u32 i = 0; i < LINE_WORDS; i++) {
		__u32 port = (line * LINE_WORDS + ((random >> 16) + i) % LINE_WORDS) * PORT_BITS;
		__u32 free = ~READ_ONCE(*hint_word(hints, port));

		if (free)
			return bpf_htons(port + lowest_bit(free));
	}
	return 0;
}

#endif
