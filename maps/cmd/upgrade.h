/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_UPGRADE_H
#define CMD_UPGRADE_H

#include "cmd/request.h"
#include "lib/error.h"

bool parse_upgrade(struct words *words, struct request *request);
enum status run_upgrade(const struct request *request);

#endif
