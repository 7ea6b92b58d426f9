/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_SERVICE_H
#define CMD_SERVICE_H

#include "cmd/request.h"
#include "cmd/view.h"
#include "lib/error.h"

bool parse_service_add(struct words *words, struct request *request);
enum status add_service(struct configuration *config, const struct request *request);
enum status run_service_add(const struct request *request);
enum status delete_service(struct configuration *config, const struct request *request);
enum status show_services(struct view *view, const struct request *request);

#endif
