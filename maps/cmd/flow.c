// SPDX-License-Identifier: GPL-2.0
/* flow show, count, flush */
#include <stdio.h>
#include <string.h>

#include "cmd/change.h"
#include "cmd/flow.h"
#include "cmd/json.h"
#include "cmd/options.h"
#include "lib/clock.h"
#include "lib/text.h"
#include "model/balancer.h"
#include "model/flow_table.h"

/* The ends of a flow as they are shown. */
struct ends {
	struct endpoint client, vip, backend;
};

static const struct conf_service *service_of(const struct conf *conf, __u16 vip)
{
	for (unsigned int i = 0; i < conf->count; i++) {
		if (conf->services[i].vip_number == vip)
			return &conf->services[i];
	}
	return NULL;
}

static bool find_ends(const struct balancer *balancer, const struct conf *conf,
		      const struct flow *flow, struct ends *ends)
{
	const struct conf_service *service = service_of(conf, flow->client.vip);
	const struct backend *backend = &balancer->backends[flow->backend];

	if (!service)
		return false;
	memset(ends, 0, sizeof(*ends));
	ends->client.address = flow->client.peer;
	ends->client.port = flow->client.peer_port;
	ends->vip.address = service->vip.address;
	ends->vip.port = flow->client.vip_port;
	ends->backend.address = backend->address;
	ends->backend.port = backend->port ? backend->port : flow->client.vip_port;
	return true;
}

static void write_flow(const struct flow *flow, const struct ends *ends, __u32 age)
{
	json_object(NULL);
	json_string("proto", protocol_name(flow->client.protocol));
	json_string("client", text_of_socket(&ends->client).s);
	json_string("vip", text_of_socket(&ends->vip).s);
	json_string("backend", text_of_socket(&ends->backend).s);
	json_number("age", age);
	json_end();
}

static void show_flow(const struct balancer *balancer, const struct conf *conf,
		      const struct flow *flow, __u32 now)
{
	__s32 ticks = now - flow->seen;
	__u32 age = ticks > 0 ? ticks / TICKS_PER_SECOND : 0;
	struct ends ends;

	if (!find_ends(balancer, conf, flow, &ends))
		return;
	if (options.json)
		write_flow(flow, &ends, age);
	else
		printf("%s %-22s %-22s %-22s idle %u s\n", protocol_name(flow->client.protocol),
		       text_of_socket(&ends.client).s, text_of_socket(&ends.vip).s,
		       text_of_socket(&ends.backend).s, age);
}

enum status show_flows(const struct request *request)
{
	__u32 now = tick_now();
	struct balancer balancer;
	enum status status;
	struct conf conf;
	struct flow flow;

	(void)request;
	status = open_and_load(&balancer, &conf, false);
	if (status)
		return status;
	status = map_flows(&balancer);
	if (!status && options.json)
		json_array(NULL);
	for (__u32 i = 0; !status && i < FLOWS; i++) {
		if (read_flow(&balancer, i, now, &flow))
			show_flow(&balancer, &conf, &flow, now);
	}
	if (!status && options.json)
		json_end();
	close_and_free(&balancer, &conf);
	return status;
}

enum status count_flows(const struct request *request)
{
	struct balancer balancer;
	enum status status;
	struct conf conf;

	(void)request;
	status = open_and_load(&balancer, &conf, false);
	if (status)
		return status;
	status = map_flows(&balancer);
	if (!status && options.json) {
		json_object(NULL);
		json_number("flows", count_living_flows(&balancer));
		json_end();
	} else if (!status) {
		printf("%u\n", count_living_flows(&balancer));
	}
	close_and_free(&balancer, &conf);
	return status;
}

bool parse_flow_flush(struct words *words, struct request *request)
{
	const char *word;

	if (!words->left)
		return true;
	word = next_word(words, "a service");
	if (!parse_vip(word, &request->vip))
		return false;
	request->has_vip = true;
	if (!words->left)
		return true;
	word = next_word(words, "a backend");
	request->has_real = parse_real(word, &request->real);
	return request->has_real && no_more_words(words);
}

/* Ends a flow, unless the data path has put another one in its place meanwhile. */
static void end_flow(struct flow *flow)
{
	__u32 life = __atomic_load_n(&flow->cookie, __ATOMIC_ACQUIRE);

	if (life)
		__atomic_compare_exchange_n(&flow->cookie, &life, 0, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED);
}

/* Ends the flows of a service, of one of its backends, or (NULL) of all. */
static void flush(struct balancer *balancer, const struct conf_service *service,
		  const struct conf_backend *backend)
{
	for (__u32 i = 0; i < FLOWS; i++) {
		struct flow *flow = &balancer->flows[i];

		if (!flow->cookie || flow->backend > MAX_BACKENDS)
			continue;
		if ((!service || balancer->backends[flow->backend].service == service->number) &&
		    (!backend || flow->backend == backend->number))
			end_flow(flow);
	}
}

enum status flush_flows(const struct request *request)
{
	const struct conf_service *service = NULL;
	const struct conf_backend *backend = NULL;
	struct balancer balancer;
	enum status status;
	struct conf conf;

	status = open_and_load(&balancer, &conf, false);
	if (status)
		return status;
	if (request->has_vip)
		service = conf_need(&conf, &request->vip);
	if (service && request->has_real)
		backend = backend_need(service, &request->real);
	if ((request->has_vip && !service) || (request->has_real && !backend))
		status = FAILED;
	if (!status)
		status = map_flows(&balancer);
	if (!status)
		flush(&balancer, service, backend);
	close_and_free(&balancer, &conf);
	return status;
}
