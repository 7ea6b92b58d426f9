/* SPDX-License-Identifier: GPL-2.0 */
/*
 * `watch drain` and `watch up`: whether this balancer is drained. That is so as long as there is a
 * file in the directory of `watch`, which this command writes and `watch announce` follows; in it
 * the former says what is asked for, and then the latter how far it is. It goes with /run.
 */
#ifndef WATCH_DRAIN_H
#define WATCH_DRAIN_H

#include <stdbool.h>

#include "cmd/request.h"
#include "lib/error.h"

#define DRAIN_FILE "drain"
#define DRAIN_WITHIN "within" /* and seconds, 0: however long it takes */
#define DRAIN_EMPTY "empty" /* the first word when nothing is announced any more */

bool parse_watch_drain(struct words *words, struct request *request);
bool parse_watch_up(struct words *words, struct request *request);
enum status run_watch_drain(const struct request *request);
enum status run_watch_up(const struct request *request);

#endif
