/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_WHERE_H
#define CMD_WHERE_H

#include "cmd/request.h"
#include "cmd/view.h"
#include "lib/error.h"

bool parse_where(struct words *words, struct request *request);
enum status show_where(struct view *view, const struct request *request);

#endif
