/* SPDX-License-Identifier: GPL-2.0 */
/* The device, its driver, and the other end of a veth. */
#ifndef DOCTOR_DEVICE_H
#define DOCTOR_DEVICE_H

#include "doctor/examination.h"

void check_device(struct exam *exam);
void check_stub(struct exam *exam, const struct netns_device *peer, const struct device *device);

#endif
