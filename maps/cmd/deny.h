/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_DENY_H
#define CMD_DENY_H

#include "cmd/request.h"
#include "cmd/view.h"
#include "lib/error.h"

bool parse_deny(struct words *words, struct request *request);
enum status add_deny(struct configuration *config, const struct request *request);
enum status insert_deny(struct balancer *balancer, const struct request *request);
enum status delete_deny(struct balancer *balancer, const struct request *request);
enum status show_denies(struct view *view, const struct request *request);

#endif
