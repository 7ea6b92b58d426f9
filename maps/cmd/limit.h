/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_LIMIT_H
#define CMD_LIMIT_H

#include "cmd/request.h"
#include "cmd/view.h"
#include "lib/error.h"

bool parse_limit(struct words *words, struct request *request);
bool parse_pmtu(struct words *words, struct request *request);
enum status set_pmtu(struct configuration *config, const struct request *request);
enum status set_limit(struct configuration *config, const struct request *request);
enum status delete_limit(struct configuration *config, const struct request *request);
enum status show_limits(struct view *view, const struct request *request);

#endif
