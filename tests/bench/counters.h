/* SPDX-License-Identifier: GPL-2.0 */
/* What became of the packets, as the balancer's own helper counts them. */
#ifndef BENCH_COUNTERS_H
#define BENCH_COUNTERS_H

#include <stdint.h>

struct counters {
	unsigned long long reason; /* packets of the reason that was asked for */
	unsigned long long all;
	unsigned long long slow; /* that took the slow path, where the helper says so */
};

/* `helper` is the command and its selector. */
struct counters read_counters(const char *helper, const char *reason);

#endif
