/* SPDX-License-Identifier: GPL-2.0 */
#ifndef DOCTOR_DOCTOR_H
#define DOCTOR_DOCTOR_H

#include "cmd/request.h"
#include "lib/error.h"

bool parse_doctor(struct words *words, struct request *request);
enum status run_doctor(const struct request *request);

#endif
