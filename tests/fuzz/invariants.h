/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What holds of every packet, whatever comes in. Used on the host (fuzz_datapath.c) and on the real
 * program (fuzz_program.c).
 */
#ifndef FUZZ_INVARIANTS_H
#define FUZZ_INVARIANTS_H

#include <stddef.h>
#include <stdint.h>

#define POOL STRANGER /* the source that there is: an address of the pool */

/* A packet, and what became of it. */
struct trial {
	const uint8_t *in;
	size_t in_length;
	const uint8_t *out;
	size_t out_length;
	int action; /* enum xdp_action */
	int may_abort; /* some service has a mode that there is none of */
};

/* Returns what is broken, or NULL. */
const char *broken_invariant(const struct trial *trial);

#endif
