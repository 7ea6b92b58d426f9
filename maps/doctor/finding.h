/* SPDX-License-Identifier: GPL-2.0 */
#ifndef DOCTOR_FINDING_H
#define DOCTOR_FINDING_H

#include "doctor/command_line.h"
#include "doctor/examination.h"

/* How sure a finding is. */
enum certainty {
	CERTAIN, /* it was seen */
	LIKELY, /* what was seen has hardly another cause */
	POSSIBLE, /* what was seen has other causes as well */
};

/* Says what was seen (format), why that matters, and a command. `check` is a word for programs to
 * tell findings apart. */
void report(struct exam *exam, const char *check, enum certainty certainty,
	    const struct command_line *command, const char *cause, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

#endif
