/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_BACKEND_H
#define CMD_BACKEND_H

#include "cmd/request.h"
#include "lib/error.h"

bool parse_backend_add(struct words *words, struct request *request);
bool parse_backend_set(struct words *words, struct request *request);
enum status add_backend(struct configuration *config, const struct request *request);
enum status set_backend(struct configuration *config, const struct request *request);
enum status drain_backend(struct configuration *config, const struct request *request);
enum status down_backend(struct configuration *config, const struct request *request);
enum status up_backend(struct configuration *config, const struct request *request);
bool parse_backend_health(struct words *words, struct request *request);
enum status set_health(struct configuration *config, const struct request *request);
enum status delete_backend(struct configuration *config, const struct request *request);

#endif
