/* SPDX-License-Identifier: GPL-2.0 */
/* What backends do with packets for them: whether they answer the VIP, or send them back. */
#ifndef DOCTOR_ANSWER_H
#define DOCTOR_ANSWER_H

#include "doctor/backend.h"

void check_answers(struct exam *exam, const struct configuration *config,
		   const struct next_hops *hops);
void check_returned(struct exam *exam, const struct configuration *config);

#endif
