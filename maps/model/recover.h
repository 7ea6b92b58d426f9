/* SPDX-License-Identifier: GPL-2.0 */
/* The configuration that is in force, whatever a helper that was killed has left. */
#ifndef MODEL_RECOVER_H
#define MODEL_RECOVER_H

#include "model/balancer.h"
#include "model/config.h"

/* Completes a change that was under way, reads the configuration, and brings the maps in line with
 * it. The lock is held. A reader brings in line only what a change leaves to do. */
enum status recover_config(struct balancer *balancer, struct configuration *config,
			   bool with_denies, bool is_reader);

#endif
