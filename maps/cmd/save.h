/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_SAVE_H
#define CMD_SAVE_H

#include "cmd/request.h"
#include "cmd/view.h"
#include "lib/error.h"

enum status save_conf(struct view *view, const struct request *request);

#endif
