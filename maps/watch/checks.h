/* SPDX-License-Identifier: GPL-2.0 */
/* The part of `watch` that checks backends. */
#ifndef WATCH_CHECKS_H
#define WATCH_CHECKS_H

#include "watch/watch.h"

extern const struct part checks;

/* Why the last check of a backend was bad: "" if it was good, or there was none. */
const char *check_reason(const struct endpoint *vip, const struct endpoint *real);

#endif
