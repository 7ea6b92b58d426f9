/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ending the flows that a change of the configuration does not allow any more: those of a denied
 * source, and those in mode nat whose port has become a service's.
 */
#ifndef MODEL_SWEEP_H
#define MODEL_SWEEP_H

#include <stdbool.h>

#include "model/balancer.h"
#include "model/config.h"

/* Before the change: sweep_flows() is due, also for who comes after a helper that was killed. */
void request_sweep(struct balancer *balancer);

/* Whether a new service can have the port of a NAT flow of its VIP. */
bool takes_ports(const struct configuration *running, const struct configuration *wanted);

/* After the change, if a sweep is due. `config` is what is in force. */
void sweep_flows(struct balancer *balancer, const struct configuration *config);

#endif
