// SPDX-License-Identifier: GPL-2.0
/* limit set, del, pmtu, show */
#include <string.h>

#include "cmd/limit.h"
#include "cmd/print.h"
#include "lib/text.h"

#define LEAST_BURST 10 /* packets: a handshake and a request come at once */
#define LEAST_PMTU 68 /* that IPv4 allows for (RFC 791) */
#define MOST_PMTU 65535
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
		{ "per-source", NULL, &request->per_source, false },
		{ "conns", parse_rate, &request->conns, false },
	};

	if (!take_vip(words, request) ||
	    !parse_options(words, limit_options, sizeof(limit_options) / sizeof(*limit_options)))
		return false;
	if (request->pps && !request->burst)
		request->burst = default_burst(request->pps);
	if (request->burst && !request->pps)
		fail(WRONG, "'burst': expected pps, too");
	else if (request->per_source && !request->flows)
		fail(WRONG, "'per-source': expected flows, too");
	else if (!request->pps && !request->flows && !request->conns)
		fail(WRONG, "expected pps, flows or conns at the end");
	else
		return true;
	return false;
}

enum status set_limit(struct configuration *config, const struct request *request)
{
	struct config_service *service = config_need(config, &request->vip);

	if (!service)
		return FAILED;
	if (request->conns && service->mode != MODE_NAT)
		return fail(WRONG,
			    "'conns': expected pps or flows in mode %s, which does not see flows "
			    "end",
			    mode_name(service->mode));
	if (request->pps) {
		service->limit.pps = request->pps;
		service->limit.burst = request->burst;
	}
	if (request->flows) {
		service->limit.flows = request->flows;
		service->limit.flags = request->per_source ? LIMIT_PER_SOURCE : 0;
	}
	if (request->conns)
		service->limit.conns = request->conns;
	return DONE;
}

bool parse_pmtu(struct words *words, struct request *request)
{
	const char *word = next_word(words, "a number of bytes");

	return word && parse_number(word, LEAST_PMTU, MOST_PMTU, &request->pmtu) &&
	       no_more_words(words);
}

/* Of the balancer: clients of all services share the backends' idea of the path to the VIP. */
enum status set_pmtu(struct configuration *config, const struct request *request)
{
	config->pmtu = request->pmtu;
	return DONE;
}

enum status delete_limit(struct configuration *config, const struct request *request)
{
	struct config_service *service = config_need(config, &request->vip);

	if (!service)
		return FAILED;
	if (!has_limit(&service->limit))
		return fail(FAILED, "%s has no limit", text_of_vip(&service->vip).s);
	memset(&service->limit, 0, sizeof(service->limit));
	return DONE;
}

static void show_limit(const struct config_service *service)
{
	const struct limit *limit = &service->limit;

	bool per_source = limit->flags & LIMIT_PER_SOURCE;

	if (!has_limit(limit))
		return;
	open_object(NULL);
	print_string("vip", "%s", text_of_vip(&service->vip).s);
	print_number("pps", limit->pps ? " pps %llu" : NULL, limit->pps);
	print_number("burst", limit->pps ? " burst %llu" : NULL, limit->burst);
	print_number("flows", limit->flows ? " flows %llu" : NULL, limit->flows);
	print_bool("per_source", per_source ? " per-source" : NULL, per_source);
	print_number("conns", limit->conns ? " conns %llu" : NULL, limit->conns);
	print_text("\n");
	close_level();
}

enum status show_limits(struct view *view, const struct request *request)
{
	(void)request;
	open_array(NULL);
	for_each_service(service, view)
		show_limit(service);
	if (view->config.pmtu != DEFAULT_PMTU) {
		open_object(NULL);
		print_number("pmtu", "pmtu %llu\n", view->config.pmtu);
		close_level();
	}
	close_level();
	return DONE;
}
