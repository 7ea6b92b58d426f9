/* SPDX-License-Identifier: GPL-2.0 */
/* The pool: addresses that flows in mode nat have as source instead of their VIP. */
#ifndef MODEL_POOL_H
#define MODEL_POOL_H

#include "model/balancer.h"
#include "model/config.h"

int load_sources(const struct balancer *balancer, struct configuration *config); /* or -errno */

/* The address of a VIP, before it is in xlb_vips, or of a source. */
void write_address(struct balancer *balancer, __u16 number, const struct address *address);

/*
 * Makes the sources of `config` run, and ends what is left of others. What runs already is not
 * touched. Returns 0 or -errno.
 */
int sync_pool(struct balancer *balancer, const struct configuration *config);

/* Takes out of `wanted` what drains, as it did in `running`, and has no flow left. */
void release_sources(struct balancer *balancer, const struct configuration *running,
		     struct configuration *wanted);

#endif
