/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_METRICS_H
#define CMD_METRICS_H

#include "cmd/request.h"
#include "lib/error.h"

enum status show_metrics(const struct request *request);

#endif
