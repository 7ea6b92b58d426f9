/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_SOURCE_H
#define CMD_SOURCE_H

#include "cmd/request.h"
#include "cmd/view.h"
#include "lib/error.h"

bool parse_source_add(struct words *words, struct request *request);
bool parse_source(struct words *words, struct request *request);
enum status add_sources(struct configuration *config, const struct request *request);
enum status delete_source(struct configuration *config, const struct request *request);
enum status show_sources(struct view *view, const struct request *request);

#endif
