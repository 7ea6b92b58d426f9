/* SPDX-License-Identifier: GPL-2.0 */
/* What is attached to the device, and in which mode. */
#ifndef DOCTOR_PROGRAM_H
#define DOCTOR_PROGRAM_H

#include "doctor/examination.h"
#include "doctor/shell_command.h"

bool is_native(const struct device *device);
bool is_generic(const struct device *device);

/* The largest frame that the device may meet: a veth gets what its peer sends. */
__u32 mtu_of(const struct patient *patient, const struct device *device);
/* The section of an object whose program takes frames of this size. */
const char *section_for(__u32 mtu);

struct shell attach_command(const struct patient *patient, const struct device *device,
			    const char *words);
struct shell generic_off(const struct port *port);

void check_program(struct patient *patient);
void check_mode(struct patient *patient);

#endif
