/* SPDX-License-Identifier: GPL-2.0 */
/* From the maps to the configuration in memory. */
#ifndef MODEL_READ_CONFIG_H
#define MODEL_READ_CONFIG_H

#include "model/balancer.h"
#include "model/config.h"

enum status read_config(struct balancer *balancer, struct configuration *config, bool with_denies);

#endif
