/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_TIMEOUT_H
#define CMD_TIMEOUT_H

#include "cmd/request.h"
#include "cmd/view.h"
#include "lib/error.h"

#define TIMEOUTS 3
extern const char *const timeout_names[TIMEOUTS];
__u32 timeout_of(const struct configuration *config, unsigned int i); /* seconds */

bool parse_timeout(struct words *words, struct request *request);
enum status set_timeout(struct configuration *config, const struct request *request);
enum status show_timeouts(struct view *view, const struct request *request);

#endif
