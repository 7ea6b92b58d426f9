/* SPDX-License-Identifier: GPL-2.0 */
/* What became of the packets for VIPs, in all and in the time that doctor watches. */
#ifndef DOCTOR_TRAFFIC_H
#define DOCTOR_TRAFFIC_H

#include "doctor/examination.h"
#include "model/balancer.h"
#include "model/config.h"
#include "model/snapshot.h"

struct traffic {
	struct reading before, now;
	struct service_stats retired; /* of services that are deleted */
	struct slow_stats slow;
};

/* Reads all counters, at the beginning of the watch and at its end. */
enum status begin_traffic(const struct balancer *balancer, const struct configuration *config,
			  struct traffic *traffic);
enum status end_traffic(const struct balancer *balancer, const struct configuration *config,
			struct traffic *traffic);
void free_traffic(struct traffic *traffic);

/* Whether packets for the service, by its index, came while they were counted. */
bool has_traffic(const struct traffic *traffic, unsigned int service);

/* Checks that nobody makes. */
void check_watched(struct exam *exam, const struct balancer *balancer,
		   const struct configuration *config);
/* Services without a backend for new flows. */
void check_idle_services(struct exam *exam, const struct configuration *config);
void check_refused(struct exam *exam, const struct balancer *balancer,
		   const struct configuration *config, const struct traffic *traffic);
void check_slow_path(struct exam *exam, const struct configuration *config,
		     const struct traffic *traffic);

#endif
