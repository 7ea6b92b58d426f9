/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_DENY_H
#define CMD_DENY_H

#include "cmd/request.h"
#include "lib/error.h"

bool parse_deny(struct words *words, struct request *request);
enum status add_deny(struct conf *conf, const struct request *request);
enum status run_deny_add(const struct request *request);
enum status run_deny_delete(const struct request *request);
enum status show_denies(const struct request *request);

#endif
