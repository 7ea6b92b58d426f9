// SPDX-License-Identifier: GPL-2.0
/* flow show, count, flush */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "flow.h"
#include "json.h"
#include "table.h"

static __u32 value_or(__u32 value, __u32 standard)
{
	return value ? value : standard;
}

/* Seconds that the flow may be idle; as in datapath/flow.h. */
static __u32 idle_timeout(const struct config *config, const struct flow *flow)
{
	if (flow->client.protocol == IPPROTO_UDP)
		return value_or(config->udp_timeout, DEFAULT_UDP_TIMEOUT);
	if (flow->state & (FLOW_CLIENT_FIN | FLOW_BACKEND_FIN | FLOW_RESET))
		return value_or(config->fin_timeout, DEFAULT_FIN_TIMEOUT);
	if (flow->state & FLOW_ESTABLISHED)
		return value_or(config->tcp_timeout, DEFAULT_TCP_TIMEOUT);
	return HALF_OPEN_TIMEOUT;
}

/* Modes dsr and ipip hear one side only, so there a flow counts from its first packet. */
static bool is_half_open(const struct flow *flow)
{
	return (flow->state & (FLOW_NAT | FLOW_ESTABLISHED)) == FLOW_NAT;
}

/* Whether the flow lives and is one to show. */
static bool is_shown(const struct balancer *balancer, const struct flow *flow, __u32 now)
{
	__s32 limit = idle_timeout(balancer->config, flow) * TICKS_PER_SECOND;

	return flow->life && flow->backend <= MAX_BACKENDS && !is_half_open(flow) &&
	       flow->generation == balancer->backends[flow->backend].generation &&
	       (__s32)(now - flow->seen) <= limit;
}

/* Copies flow number `i` if it is one to show. */
static bool read_flow(const struct balancer *balancer, __u32 i, __u32 now, struct flow *flow)
{
	if (!balancer->flows[i].life)
		return false;
	*flow = balancer->flows[i];
	return is_shown(balancer, flow, now);
}

__u32 *count_flows_by_backend(const struct balancer *balancer)
{
	__u32 *counts = calloc(MAX_BACKENDS + 1, sizeof(*counts));
	__u32 now = tick_now();
	struct flow flow;

	for (__u32 i = 0; counts && i < FLOWS; i++) {
		if (read_flow(balancer, i, now, &flow))
			counts[flow.backend]++;
	}
	return counts;
}

__u32 count_living_flows(const struct balancer *balancer)
{
	__u32 count = 0, now = tick_now();
	struct flow flow;

	for (__u32 i = 0; i < FLOWS; i++)
		count += read_flow(balancer, i, now, &flow);
	return count;
}

__u32 count_former_slots(const struct balancer *balancer, const struct conf_service *service,
			 __u16 backend)
{
	__u32 timeout = value_or(balancer->config->tcp_timeout, DEFAULT_TCP_TIMEOUT);
	__u32 limit = value_or(service->settle, timeout) * TICKS_PER_SECOND;
	__u32 count = 0, now = tick_now();

	for (__u32 i = 0; i < service->running_slots && service->moving; i++) {
		struct slot slot = running_slot(service, i);

		if (slot.former == backend)
			count += !transition_is_over(&slot, now, limit);
	}
	return count;
}

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
	__u32 life = __atomic_load_n(&flow->life, __ATOMIC_ACQUIRE);

	if (life)
		__atomic_compare_exchange_n(&flow->life, &life, 0, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED);
}

/* Ends the flows of a service, of one of its backends, or (NULL) of all. */
static void flush(struct balancer *balancer, const struct conf_service *service,
		  const struct conf_backend *backend)
{
	for (__u32 i = 0; i < FLOWS; i++) {
		struct flow *flow = &balancer->flows[i];

		if (!flow->life || flow->backend > MAX_BACKENDS)
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
