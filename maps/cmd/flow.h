/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_FLOW_H
#define CMD_FLOW_H

#include "cmd/request.h"
#include "cmd/view.h"
#include "lib/error.h"

bool parse_flow_show(struct words *words, struct request *request);
bool parse_flow_flush(struct words *words, struct request *request);
enum status show_flows(struct view *view, const struct request *request);
enum status count_flows(struct view *view, const struct request *request);
enum status flush_flows(struct view *view, const struct request *request);

#endif
