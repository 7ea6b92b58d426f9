/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_DIFFERENCE_H
#define CMD_DIFFERENCE_H

#include "cmd/request.h"
#include "model/balancer.h"

/* Prints what changes, as commands where there are such, else as comments. */
void report_difference(struct balancer *balancer, const struct request *request,
		       const struct configuration *running, const struct configuration *wanted);

/* Prints the commands that make the service, its backends and its limits. */
void say_new_service(const struct config_service *service);

#endif
