/* SPDX-License-Identifier: GPL-2.0 */
/* How every change is made: read, change a copy, resolve what is new, write the difference. */
#ifndef CMD_CHANGE_H
#define CMD_CHANGE_H

#include "cmd/request.h"
#include "model/balancer.h"
#include "model/config.h"

struct change {
	enum status (*change)(struct configuration *config, const struct request *request);
	const struct request *request;
	bool with_denies;
	bool anew; /* ask for next hops anew */
	bool is_lenient; /* what does not answer is kept out, or kept as it was, and is no error */
	bool dry;
	char **files; /* where places of backends are */
	/* Called at the end, after success. */
	void (*report)(struct balancer *balancer, const struct request *request,
		       const struct configuration *running, const struct configuration *wanted);
};

/* Opens the balancer, loads, changes, resolves, commits. */
enum status run_change(const struct change *change);

/* The same with a balancer that is open. */
enum status change_balancer(struct balancer *balancer, const struct change *change);

/* For readers: opens the balancer and loads its configuration at one time, without the lock held
 * afterwards. */
enum status open_and_load(struct balancer *balancer, struct configuration *config,
			  bool with_denies);
void close_and_free(struct balancer *balancer, struct configuration *config);

#endif
