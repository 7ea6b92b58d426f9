// SPDX-License-Identifier: GPL-2.0
/* refresh */
#include "cmd/change.h"
#include "cmd/options.h"
#include "cmd/refresh.h"
#include "model/census.h"
#include "model/discover.h"

static enum status look_up_all(struct configuration *config, const struct request *request)
{
	(void)request;
	for_each_service(service, config) {
		for_each_record(record, service)
			record->is_pending = true;
	}
	return DONE;
}

static enum status count_flows_anew(void)
{
	struct balancer balancer;
	enum status status = open_balancer(&options.selection, &balancer);

	if (status)
		return status;
	status = keep_house(&balancer);
	close_balancer(&balancer);
	return status;
}

enum status refresh_backends(const struct request *request)
{
	struct change change = {
		.change = look_up_all,
		.request = request,
		.anew = true,
		.is_lenient = true,
	};
	enum status status;

	status = run_change(&change);
	return status ? status : count_flows_anew();
}
