/* SPDX-License-Identifier: GPL-2.0 */
/* What commands that show something look at. */
#ifndef CMD_VIEW_H
#define CMD_VIEW_H

#include "model/balancer.h"
#include "model/config.h"

struct view {
	struct balancer balancer;
	struct configuration config;
	struct config_service *services; /* the one that was asked for, or all */
	unsigned int count;
};

#endif
