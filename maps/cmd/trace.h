/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_TRACE_H
#define CMD_TRACE_H

#include "cmd/request.h"
#include "cmd/view.h"
#include "lib/error.h"

bool parse_trace(struct words *words, struct request *request);
enum status trace_decisions(struct view *view, const struct request *request);

#endif
