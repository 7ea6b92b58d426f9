/* SPDX-License-Identifier: GPL-2.0 */
/* A reading of all counters at one time. */
#ifndef MODEL_SNAPSHOT_H
#define MODEL_SNAPSHOT_H

#include "model/balancer.h"
#include "model/config.h"
#include "model/flow_table.h"

struct reading {
	struct service_stats total; /* of all services, deleted ones too, and of no service */
	struct service_stats *services; /* in the order of the configuration */
	struct backend_stats *backends; /* of all services, in this order */
	struct slow_stats slow;
	struct flow_counts *flows; /* NULL: the flow table is not mapped */
	double seconds; /* when, on CLOCK_MONOTONIC */
};

enum status read_counters(const struct balancer *balancer, const struct config_service *services,
			  unsigned int count, struct reading *reading);
void free_reading(struct reading *reading);
/* The same without flows, to be freed; false: no memory. */
bool copy_reading(struct reading *to, const struct reading *from,
		  const struct config_service *services, unsigned int count);

/* Whether packets of this verdict have got to where the service sends them. */
bool is_forwarding(enum verdict verdict);

/* What the service has forwarded. */
struct counter forwarded(const struct service_stats *stats);

#endif
