/* SPDX-License-Identifier: GPL-2.0 */
/* Counters that climb, in the time between the two calls. */
#ifndef DOCTOR_COUNTERS_H
#define DOCTOR_COUNTERS_H

#include "doctor/examination.h"
#include "model/balancer.h"

struct watch {
	struct device_counter *device;
	int device_count;
	__u64 internal; /* packets that the program aborted */
};

void begin_watch(struct exam *exam, const struct balancer *balancer, struct watch *watch);
void end_watch(struct exam *exam, const struct balancer *balancer, struct watch *watch);

#endif
