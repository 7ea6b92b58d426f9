/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_METRICS_H
#define CMD_METRICS_H

#include "cmd/request.h"
#include "cmd/view.h"
#include "lib/error.h"

enum status show_metrics(struct view *view, const struct request *request);

#endif
