// SPDX-License-Identifier: GPL-2.0
/* limit set, del, show */
#include <stdio.h>

#include "cmd/change.h"
#include "cmd/json.h"
#include "cmd/limit.h"
#include "cmd/options.h"
#include "lib/text.h"
#include "model/balancer.h"

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
	const char *word = next_word(words, "a service");

	if (!word || !parse_vip(word, &request->vip) || !parse_options(words, limit_options, 3))
		return false;
	if (request->pps && !request->burst)
		request->burst = default_burst(request->pps);
	if (request->burst && !request->pps)
		fail(WRONG, "'burst': pps expected before it");
	else if (!request->pps && !request->flows)
		fail(WRONG, "pps or flows expected at the end");
	else
		return true;
	return false;
}

enum status set_limit(struct conf *conf, const struct request *request)
{
	struct conf_service *service = conf_need(conf, &request->vip);

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

enum status delete_limit(struct conf *conf, const struct request *request)
{
	struct conf_service *service = conf_need(conf, &request->vip);

	if (!service)
		return FAILED;
	if (!service->limit.pps && !service->limit.flows)
		return fail(FAILED, "'%s': has no limit", text_of_vip(&service->vip).s);
	service->limit.pps = 0;
	service->limit.burst = 0;
	service->limit.flows = 0;
	return DONE;
}

static void show_limit(const struct conf_service *service)
{
	const struct limit *limit = &service->limit;

	if (!limit->pps && !limit->flows)
		return;
	if (!options.json) {
		printf("%s", text_of_vip(&service->vip).s);
		if (limit->pps)
			printf(" pps %u burst %u", limit->pps, limit->burst);
		if (limit->flows)
			printf(" flows %u", limit->flows);
		printf("\n");
		return;
	}
	json_object(NULL);
	json_string("vip", text_of_vip(&service->vip).s);
	json_number("pps", limit->pps);
	json_number("burst", limit->burst);
	json_number("flows", limit->flows);
	json_end();
}

enum status show_limits(const struct request *request)
{
	struct balancer balancer;
	enum status status;
	struct conf conf;

	(void)request;
	status = open_and_load(&balancer, &conf, false);
	if (status)
		return status;
	if (options.json)
		json_array(NULL);
	for (unsigned int i = 0; i < conf.count; i++)
		show_limit(&conf.services[i]);
	if (options.json)
		json_end();
	close_and_free(&balancer, &conf);
	return DONE;
}
