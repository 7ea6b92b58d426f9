/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_FINGERPRINT_H
#define CMD_FINGERPRINT_H

#include "cmd/request.h"
#include "cmd/view.h"
#include "lib/error.h"

enum status show_fingerprint(struct view *view, const struct request *request);

#endif
