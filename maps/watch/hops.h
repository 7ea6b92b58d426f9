/* SPDX-License-Identifier: GPL-2.0 */
/* The part of `watch` that follows next hops: their MAC addresses, and routes. */
#ifndef WATCH_HOPS_H
#define WATCH_HOPS_H

#include "watch/watch.h"

extern const struct part hops;

#endif
