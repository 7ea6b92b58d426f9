/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_APPLY_H
#define CMD_APPLY_H

#include "cmd/request.h"
#include "lib/error.h"

bool parse_apply(struct words *words, struct request *request);
enum status apply_files(const struct request *request);

#endif
