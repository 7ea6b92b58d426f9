/* SPDX-License-Identifier: GPL-2.0 */
/* From any bytes to packets and events, given to a balancer one after the other. */
#ifndef FUZZ_SEQUENCE_H
#define FUZZ_SEQUENCE_H

#include <stddef.h>
#include <stdint.h>

/* A balancer with a service of each mode, protocol and family: set up once, and again and again. */
void set_up_world(void);

/* Plays the bytes. Aborts with a report if an invariant is broken. */
void play(const uint8_t *bytes, size_t size);

/*
 * Ends the test if the counters have not exactly one verdict for each packet since the last call.
 */
void check_counters(void);

extern unsigned long packets_played, packets_sent, paths_compared;

#endif
