/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The census: goes through all flows once, counts them, and keeps house. `refresh` takes one, and
 * so does whoever runs beside the balancer.
 */
#ifndef MODEL_CENSUS_H
#define MODEL_CENSUS_H

#include <stdbool.h>

#include "lib/error.h"
#include "model/balancer.h"
#include "model/config.h"

/* The flows of a source, of a service that limits them. */
struct source_flows {
	struct source_key key; /* service 0: the place is free */
	__u32 flows;
};

struct census {
	__u32 *flows; /* living ones of each backend, by its number */
	/* Of services with a limit of `conns`: */
	struct source_flows *sources; /* by a hash of the key; `room` places, a power of two */
	__u32 count, room;
	__u32 retired; /* records of dead flows that were freed */
};

/*
 * Takes a census: writes how many flows each limited source has, frees the records of dead flows
 * and ends transitions that are over. The lock is held, and `config` is what runs. `census` has the
 * counts; it is to be freed in any case.
 */
enum status take_census(struct balancer *balancer, const struct configuration *config,
			struct census *census);
void free_census(struct census *census);

/* A census of what runs, with the lock. */
enum status keep_house(struct balancer *balancer);

#endif
