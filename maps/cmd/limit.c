// SPDX-License-Identifier: GPL-2.0
/* limit set, del, show */
#include "cmd/limit.h"
#include "cmd/print.h"
#include "lib/text.h"

#define LEAST_BURST 10 /* packets: a handshake and a request come at once */
#define BURST_PART 10 /* a tenth of a second's worth */

static __u32 default_burst(__u32 pps)
{
	return pps / BURST_PART > LEAST_BURST ? pps / BURST_PART : LEAST_BURST;
}

bool parse_limit(struct words *words, struct request *request)
{
	struct option limit_options[] = {
		{ "pps", parse_rate, &request->pps, false },
		{ "burst", parse_rate, &request->burst, false },
		{ "flows", parse_rate, &request->flows, false },
	};

	if (!take_vip(words, request) || !parse_options(words, limit_options, 3))
		return false;
	if (request->pps && !request->burst)
		request->burst = default_burst(request->pps);
	if (request->burst && !request->pps)
		fail(WRONG, "'burst': expected pps, too");
	else if (!request->pps && !request->flows)
		fail(WRONG, "expected pps or flows at the end");
	else
		return true;
	return false;
}

enum status set_limit(struct configuration *config, const struct request *request)
{
	struct config_service *service = config_need(config, &request->vip);

	if (!service)
		return FAILED;
	if (request->pps) {
		service->limit.pps = request->pps;
		service->limit.burst = request->burst;
	}
	if (request->flows)
		service->limit.flows = request->flows;
	return DONE;
}

enum status delete_limit(struct configuration *config, const struct request *request)
{
	struct config_service *service = config_need(config, &request->vip);

	if (!service)
		return FAILED;
	if (!service->limit.pps && !service->limit.flows)
		return fail(FAILED, "%s has no limit", text_of_vip(&service->vip).s);
	service->limit.pps = 0;
	service->limit.burst = 0;
	service->limit.flows = 0;
	return DONE;
}

static void show_limit(const struct config_service *service)
{
	const struct limit *limit = &service->limit;

	if (!limit->pps && !limit->flows)
		return;
	open_object(NULL);
	print_string("vip", "%s", text_of_vip(&service->vip).s);
	print_number("pps", limit->pps ? " pps %llu" : NULL, limit->pps);
	print_number("burst", limit->pps ? " burst %llu" : NULL, limit->burst);
	print_number("flows", limit->flows ? " flows %llu" : NULL, limit->flows);
	print_text("\n");
	close_level();
}

enum status show_limits(struct view *view, const struct request *request)
{
	(void)request;
	open_array(NULL);
	for (unsigned int i = 0; i < view->count; i++)
		show_limit(&view->services[i]);
	close_level();
	return DONE;
}
