/* SPDX-License-Identifier: GPL-2.0 */
/* Mode dnat: clients that speak to a backend by its own address, through the balancer. */
#ifndef DOCTOR_DIRECT_H
#define DOCTOR_DIRECT_H

#include "doctor/examination.h"
#include "model/config.h"

/* Begins to watch the device. Returns a socket, or -1 where nothing is to be seen. */
int begin_direct(const struct exam *exam, const struct configuration *config);
/* Reports what has come since then, and closes the socket. */
void end_direct(struct exam *exam, const struct configuration *config, int fd);

#endif
