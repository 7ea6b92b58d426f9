/* SPDX-License-Identifier: GPL-2.0 */
/* The VIPs, and who answers for them. */
#ifndef DOCTOR_VIP_H
#define DOCTOR_VIP_H

#include "doctor/examination.h"
#include "model/config.h"

/* Where a VIP belongs, by this host's routes. */
__u8 place_of_vip(const struct patient *patient, const struct address *address);

void check_vips(struct patient *patient, const struct conf *conf);

#endif
