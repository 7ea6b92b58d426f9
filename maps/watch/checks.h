/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The part of `watch` that checks backends. In status.json it says why the last check of a backend
 * was bad: "checks": [{"vip", "backend": {"address", "port"}, "reason"}].
 */
#ifndef WATCH_CHECKS_H
#define WATCH_CHECKS_H

#include "watch/watch.h"

extern const struct part checks;

#endif
