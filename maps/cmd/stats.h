/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_STATS_H
#define CMD_STATS_H

#include "cmd/request.h"
#include "cmd/view.h"
#include "lib/error.h"

bool parse_stats(struct words *words, struct request *request);
enum status show_stats(struct view *view, const struct request *request);
enum status zero_stats(struct balancer *balancer, const struct request *request);

#endif
