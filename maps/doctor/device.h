/* SPDX-License-Identifier: GPL-2.0 */
/* The device, its driver, and the other end of a veth. */
#ifndef DOCTOR_DEVICE_H
#define DOCTOR_DEVICE_H

#include "doctor/examination.h"

void check_device(struct patient *patient);
void check_stub(struct patient *patient, const struct port *peer, const struct device *device);

#endif
