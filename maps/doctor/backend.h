/* SPDX-License-Identifier: GPL-2.0 */
/* The next hops of backends: whether they resolve, and by which devices they are reached. */
#ifndef DOCTOR_BACKEND_H
#define DOCTOR_BACKEND_H

#include "doctor/address_probe.h"
#include "doctor/examination.h"
#include "model/balancer.h"
#include "model/config.h"
#include "model/next_hop.h"

/* The next hops as routes and neighbours say now. */
struct next_hops {
	struct hop_lookups found;
	struct address_claim *claims; /* of each: whether it answers a question from no address */
};

bool find_next_hops(const struct exam *exam, struct balancer *balancer,
		    const struct configuration *config, struct next_hops *hops);
void free_next_hops(struct next_hops *hops);

void check_next_hops(struct exam *exam, const struct configuration *config,
		     const struct next_hops *hops);
/* The devices by which backends are reached. */
void check_arms(struct exam *exam, const struct balancer *balancer,
		const struct configuration *config);

#endif
