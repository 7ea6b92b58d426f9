/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Times a program behind those in front (see bench.bpf.c), in slices that count only while the CPU
 * is quiet.
 */
#ifndef BENCH_TIMING_H
#define BENCH_TIMING_H

#include <stdbool.h>
#include <stdint.h>

#include "bench.h"

/* What the programs in front go by, see bench.h. */
extern struct bench *bench;

void open_fronts(const char *pins);

/* The device that packets come in by. */
void set_device(uint32_t ifindex);

/* Sends the next `times` packets to a program. Returns its last action. */
uint32_t send_packets(int program, uint32_t times);

/* The same, by the program `opener`. */
void send_openings(int program, uint32_t times);

/* How many packets were sent to the program so far. */
uint64_t packets_sent(int program);

/* What was learnt of flows is in the programs that are pinned there, which opened them. */
void learn_from(const char *pins);

/* Sets the packets that follow: of each flow the client's, the backend's, or both in turn. */
enum direction { FROM_CLIENT, FROM_BACKEND, BOTH_DIRECTIONS };
void visit_in_order(uint32_t flows, enum direction direction);
void visit_some(uint32_t first, uint32_t flows, enum direction direction); /* shuffled, too */
void visit_shuffled(uint32_t flows, enum direction direction);
void skip_unopened(void); /* a flow that could not be opened: the first one in its place */
void visit_range(uint32_t first, uint32_t flows); /* clients', in order */

/* ns of a packet in a program above the empty one, with the store buffer drained before it or not.
 * *busy is set if the CPU was. */
double time_program(int program, bool fenced, bool *busy);

/* How many packets a program takes in a second, with what sends them; until that moment (seconds_now). */
double rate_until(int program, double end);

/* The same of the next `times` packets, once and at once. */
double time_once(int program, bool fenced, uint32_t times);

double median(double *samples, int count);
double seconds_now(void);

/* Seconds that may be lost in all by waiting for quiet. */
extern double patience;

#endif
