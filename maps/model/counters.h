/* SPDX-License-Identifier: GPL-2.0 */
/* Counters: per CPU in the maps, summed up here. Functions return 0 or -errno. */
#ifndef MODEL_COUNTERS_H
#define MODEL_COUNTERS_H

#include "model/balancer.h"

int read_service_stats(const struct balancer *balancer, __u32 number, struct service_stats *sum);
int read_backend_stats(const struct balancer *balancer, __u32 number, struct backend_stats *sum);

/* The same in two steps, for many services: what the backends of each have forwarded, by the number
 * of the service, MAX_SERVICES + 1 of them; and the rest, with what is `sent` of its own. */
int read_sent_of_all(const struct balancer *balancer, struct counter *sent);
int read_stats_with(const struct balancer *balancer, __u32 number, const struct counter *sent,
		    struct service_stats *sum);

/* Whether the service has ever forwarded a packet, whatever was zeroed since. */
bool has_carried(const struct service_stats *stats);

/* Before a number is used again: its counts go to STATS_RETIRED. */
int retire_service_stats(const struct balancer *balancer, __u32 number);

/* Before a backend's record is given up: its counts stay with its service. Who reads between the
 * two writes sees them twice. */
int retire_backend_stats(const struct balancer *balancer, __u32 number, __u32 service);

int zero_service_stats(const struct balancer *balancer, __u32 number);
int zero_backend_stats(const struct balancer *balancer, __u32 number);

int read_slow_stats(const struct balancer *balancer, struct slow_stats *sum);
int zero_slow_stats(const struct balancer *balancer);

#endif
