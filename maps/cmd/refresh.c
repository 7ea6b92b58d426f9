// SPDX-License-Identifier: GPL-2.0
/* refresh */

#include "cmd/change.h"
#include "cmd/options.h"
#include "cmd/refresh.h"
#include "model/balancer.h"
#include "model/discover.h"

static enum status look_up_all(struct conf *conf, const struct request *request)
{
	(void)request;
	for (unsigned int i = 0; i < conf->count; i++) {
		for (unsigned int j = 0; j < conf->services[i].count; j++)
			conf->services[i].backends[j].is_pending = true;
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
	struct balancer balancer;
	enum status status = open_balancer(&options.selection, &balancer);

	if (status)
		return status;
	status = make_change(&balancer, &change);
	close_balancer(&balancer);
	return status;
}
