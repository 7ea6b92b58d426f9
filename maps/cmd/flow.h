/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_FLOW_H
#define CMD_FLOW_H

#include "cmd/request.h"
#include "lib/error.h"

bool parse_flow_flush(struct words *words, struct request *request);
enum status show_flows(const struct request *request);
enum status count_flows(const struct request *request);
enum status flush_flows(const struct request *request);

#endif
