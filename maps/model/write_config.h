/* SPDX-License-Identifier: GPL-2.0 */
/* From the configuration in memory to the maps. */
#ifndef MODEL_WRITE_CONFIG_H
#define MODEL_WRITE_CONFIG_H

#include "model/balancer.h"
#include "model/config.h"

/* Makes `wanted` run. With `dry` it only finds out what would move. */
enum status conf_commit(struct balancer *balancer, const struct conf *running, struct conf *wanted,
			bool dry);

#endif
