/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_HELP_H
#define CMD_HELP_H

#include "cmd/request.h"
#include "lib/error.h"

bool parse_help(struct words *words, struct request *request);
enum status show_help(const struct request *request);
enum status show_version(const struct request *request);

#endif
