/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_TRACE_H
#define CMD_TRACE_H

#include "cmd/request.h"
#include "lib/error.h"

bool parse_trace(struct words *words, struct request *request);
enum status trace_decisions(const struct request *request);

#endif
