/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_SAVE_H
#define CMD_SAVE_H

#include "cmd/request.h"
#include "cmd/view.h"
#include "lib/error.h"

/* What is printed begins with one and ends with the other, so that `apply` knows it to be whole. */
#define SAVE_LAST_LINE "# end of xdp-lb save"
#define SAVE_FIRST_LINE "# xdp-lb save: for xdp-lb apply, whole with its last line: " SAVE_LAST_LINE

bool parse_save(struct words *words, struct request *request);
enum status save_config(struct view *view, const struct request *request);

#endif
