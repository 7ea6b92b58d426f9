/* SPDX-License-Identifier: GPL-2.0 */
/* What is attached to the device, and in which mode. */
#ifndef DOCTOR_PROGRAM_H
#define DOCTOR_PROGRAM_H

#include "doctor/examination.h"
#include "doctor/command_line.h"

bool is_native(const struct device *device);
bool is_generic(const struct device *device);

/* The largest frame that the device may meet: a veth gets what its peer sends. */
__u32 mtu_of(const struct exam *exam, const struct device *device);
/* The section of an object whose program takes frames of this size. */
const char *section_for(__u32 mtu);

struct command_line attach_command(const struct exam *exam, const struct device *device,
				   const char *words);
struct command_line generic_off(const struct netns_device *device);

void check_program(struct exam *exam);
void check_mode(struct exam *exam);

#endif
