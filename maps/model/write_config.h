/* SPDX-License-Identifier: GPL-2.0 */
/* From the configuration in memory to the maps. */
#ifndef MODEL_WRITE_CONFIG_H
#define MODEL_WRITE_CONFIG_H

#include "model/balancer.h"
#include "model/config.h"

/* Makes `wanted` run. With `dry` it only finds out what would move. */
enum status write_config(struct balancer *balancer, const struct configuration *running,
			 struct configuration *wanted, bool dry);

#endif
