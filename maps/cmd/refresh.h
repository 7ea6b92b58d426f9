/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_REFRESH_H
#define CMD_REFRESH_H

#include "cmd/request.h"
#include "lib/error.h"

enum status refresh_backends(const struct request *request);

#endif
