/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_METRICS_H
#define CMD_METRICS_H

#include "cmd/request.h"
#include "cmd/view.h"
#include "lib/error.h"

void print_gauge(const char *name, const char *help, __u64 value);
enum status show_metrics(struct view *view, const struct request *request);

#endif
