/* SPDX-License-Identifier: GPL-2.0 */
/* The backends: whether they resolve and answer, and by which devices. */
#ifndef DOCTOR_BACKEND_H
#define DOCTOR_BACKEND_H

#include "doctor/examination.h"
#include "model/balancer.h"
#include "model/config.h"

void check_backends(struct patient *patient, struct balancer *balancer, const struct conf *conf);

#endif
