/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_CHECK_H
#define CMD_CHECK_H

#include "cmd/request.h"
#include "cmd/view.h"
#include "lib/error.h"

bool parse_check_set(struct words *words, struct request *request);
enum status set_check(struct configuration *config, const struct request *request);
enum status run_check_set(const struct request *request);
enum status delete_check(struct configuration *config, const struct request *request);
enum status show_checks(struct view *view, const struct request *request);

#endif
