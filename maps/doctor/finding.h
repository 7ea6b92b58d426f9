/* SPDX-License-Identifier: GPL-2.0 */
#ifndef DOCTOR_FINDING_H
#define DOCTOR_FINDING_H

#include "doctor/examination.h"
#include "doctor/shell_command.h"

/* Says what is wrong (format), why that matters, and the command that mends it. `check` is a word
 * for programs to tell findings apart. */
void report(struct patient *patient, const char *check, const struct shell *command,
	    const char *cause, const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
