/* SPDX-License-Identifier: GPL-2.0 */
/* What doctor says, asked for now and then by a process of its own: it takes seconds. */
#ifndef WATCH_EXAMINATION_H
#define WATCH_EXAMINATION_H

#include "watch/watch.h"

/* Asks, if nothing was asked for a while and there is a balancer on a device. */
void examine_now_and_then(const struct watch *watch);

/* The answer that came last, as JSON; NULL: none came. */
const char *last_findings(void);
__u64 last_examined(void); /* when, ns of CLOCK_MONOTONIC */

void forget_findings(void);

#endif
