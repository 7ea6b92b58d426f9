/* SPDX-License-Identifier: GPL-2.0 */
/* What the balancer needs of its host. */
#ifndef DOCTOR_HOST_H
#define DOCTOR_HOST_H

#include "doctor/examination.h"
#include "model/config.h"
#include "model/balancer.h"

void check_bpffs(struct exam *exam);
void check_pins(struct exam *exam, const struct balancer *balancer);
void check_ip(struct exam *exam);

/* Mode dnat without `via`: whether the kernel, which routes the answers, forwards packets. */
void check_forwarding(struct exam *exam, const struct configuration *config);

#endif
