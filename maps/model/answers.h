/* SPDX-License-Identifier: GPL-2.0 */
/* Mode dnat: which packets are answers, and what becomes of them. */
#ifndef MODEL_ANSWERS_H
#define MODEL_ANSWERS_H

#include "model/balancer.h"
#include "model/config.h"

/* Makes the data path know all that the configuration's backends send. Returns 0 or -errno. */
int write_answers(struct balancer *balancer, const struct configuration *config);

/* The same, and makes it forget what is no backend's any more. */
void reconcile_answers(struct balancer *balancer, const struct configuration *config);

#endif
