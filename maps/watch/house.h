/* SPDX-License-Identifier: GPL-2.0 */
/* A part of `watch`: a census every ten seconds, as `refresh` takes one. */
#ifndef WATCH_HOUSE_H
#define WATCH_HOUSE_H

#include "watch/watch.h"

extern const struct part house;

#endif
