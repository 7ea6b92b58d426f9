/* SPDX-License-Identifier: GPL-2.0 */
/* Services that pick the backend with the fewest flows: which backends, and how many flows. */
#ifndef MODEL_LEAST_H
#define MODEL_LEAST_H

#include "model/balancer.h"
#include "model/config.h"

/* Lists the backends that get new flows, with their weights, as `config` has them. */
void sync_least(struct balancer *balancer, const struct configuration *config);

/* All flows of the backend end. */
void forget_live(struct balancer *balancer, __u16 backend);

/* The flow ends: see FLOW_COUNTED. */
void uncount_flow(const struct balancer *balancer, const struct flow *flow);

/* What a census counts of them. */
struct live_count {
	__s32 before[MAX_BACKENDS + 1]; /* as the data path has it when the census begins */
	__s32 counted[MAX_BACKENDS + 1];
	bool is_least[MAX_BACKENDS + 1]; /* of a service that picks so */
};

void begin_live_count(const struct balancer *balancer, const struct configuration *config,
		      struct live_count *count);
/* A flow that lives; one that is not counted yet is from now on. */
void count_live_flow(const struct balancer *balancer, const struct flow *flow,
		     struct live_count *count);
/* Corrects what flows that begin and end meanwhile do not explain. */
void mend_live(const struct balancer *balancer, const struct live_count *count);

#endif
