// SPDX-License-Identifier: GPL-2.0
/* refresh */
#include "cmd/change.h"
#include "cmd/refresh.h"

static enum status look_up_all(struct configuration *config, const struct request *request)
{
	(void)request;
	for (unsigned int i = 0; i < config->count; i++) {
		for (unsigned int j = 0; j < config->services[i].count; j++)
			config->services[i].backends[j].is_pending = true;
	}
	return DONE;
}

enum status refresh_backends(const struct request *request)
{
	struct change change = {
		.change = look_up_all,
		.request = request,
		.anew = true,
		.is_lenient = true,
	};

	return run_change(&change);
}
