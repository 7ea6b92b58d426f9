/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_TIMEOUT_H
#define CMD_TIMEOUT_H

#include "cmd/request.h"
#include "lib/error.h"

bool parse_timeout(struct words *words, struct request *request);
enum status set_timeout(struct conf *conf, const struct request *request);
enum status show_timeouts(const struct request *request);

#endif
