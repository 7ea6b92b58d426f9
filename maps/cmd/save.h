/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_SAVE_H
#define CMD_SAVE_H

#include "cmd/request.h"
#include "lib/error.h"

enum status save_conf(const struct request *request);

#endif
