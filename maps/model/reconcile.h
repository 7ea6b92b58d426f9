/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bringing the maps in line with the configuration. A helper may be killed between any two stores:
 * what it did before its commit is thrown away here, what it left to do after is done.
 */
#ifndef MODEL_RECONCILE_H
#define MODEL_RECONCILE_H

#include "model/balancer.h"
#include "model/config.h"
#include "model/numbers.h"

/* Brings everything in line with what `used` has and `config` says of it. */
void bring_in_line(struct balancer *balancer, const struct configuration *config,
		   const struct used *used);

/* Completes what a killed helper has left half-done. A reader completes only what was committed. */
void reconcile(struct balancer *balancer, const struct configuration *running, bool is_reader);

#endif
