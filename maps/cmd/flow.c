// SPDX-License-Identifier: GPL-2.0
/* flow show, count, flush */
#include <stdio.h>
#include <string.h>

#include "cmd/flow.h"
#include "cmd/print.h"
#include "kernel/bpf.h"
#include "lib/clock.h"
#include "lib/text.h"
#include "model/flow_table.h"

/* The ends of a flow as they are shown. */
struct ends {
	struct endpoint client, vip, backend;
	struct endpoint source; /* in mode nat: what the backend sees as its client */
	bool is_of_pool;
};

static const struct config_service *service_of(const struct configuration *config, __u16 vip)
{
	for_each_service(service, config) {
		if (service->vip_number == vip)
			return service;
	}
	return NULL;
}

static bool find_ends(const struct balancer *balancer, const struct configuration *config,
		      const struct flow *flow, struct ends *ends)
{
	const struct config_service *service = service_of(config, flow->client.vip);
	const struct backend *backend = &balancer->backends[flow->backend];

	if (!service)
		return false;
	memset(ends, 0, sizeof(*ends));
	ends->client.address = flow->client.peer;
	ends->client.port = flow->client.peer_port;
	ends->vip.address = service->vip.address;
	ends->vip.port = flow->client.vip_port;
	ends->vip.protocol = flow->client.protocol;
	ends->backend.address = backend->address;
	ends->backend.port = backend->port ? backend->port : flow->client.vip_port;
	ends->is_of_pool = flow->source;
	ends->source.address = flow->source ? balancer->addresses[POOL_NUMBER(flow->source)] :
					      service->vip.address;
	ends->source.port = flow->state & FLOW_NAT ? flow->port : 0;
	return true;
}

/* Whether an address that was asked for is that of one end; port 0 is any. */
static bool is_end(const struct endpoint *wanted, const struct endpoint *end)
{
	return same_address(&wanted->address, &end->address) &&
	       (!wanted->port || wanted->port == end->port);
}

static bool is_either_end(const struct endpoint *wanted, const struct ends *ends)
{
	return is_end(wanted, &ends->client) || is_end(wanted, &ends->backend);
}

static bool is_asked_for(const struct request *request, const struct ends *ends)
{
	const struct endpoint *vip = &request->vip;

	if (request->has_vip && (vip->protocol != ends->vip.protocol || !is_end(vip, &ends->vip)))
		return false;
	return (!request->has_real || is_either_end(&request->real, ends)) &&
	       (!request->has_other || is_either_end(&request->other, ends));
}

static void show_source(const struct ends *ends)
{
	if (!ends->source.port)
		return;
	if (ends->is_of_pool)
		print_text(" from %s", text_of_socket(&ends->source).s);
	open_object("source");
	print_endpoint(&ends->source);
	close_level();
}

static void show_flow(const struct ends *ends, __u32 age)
{
	open_object(NULL);
	print_string("proto", NULL, protocol_name(ends->vip.protocol));
	print_string("client", "%-22s", text_of_socket(&ends->client).s);
	print_string("vip", " %-26s", text_of_vip(&ends->vip).s);
	print_text(" %-22s", text_of_socket(&ends->backend).s);
	open_object("backend");
	print_endpoint(&ends->backend);
	close_level();
	show_source(ends);
	print_number("age", " idle %llu s\n", age);
	close_level();
}

bool parse_flow_show(struct words *words, struct request *request)
{
	if (words->left && strchr(*words->word, '/') && !take_vip(words, request))
		return false;
	if (words->left) {
		request->has_real = true;
		if (!parse_real(next_word(words, "a client"), &request->real))
			return false;
	}
	if (words->left) {
		request->has_other = true;
		if (!parse_real(next_word(words, "a backend"), &request->other))
			return false;
	}
	return no_more_words(words);
}

enum status show_flows(struct view *view, const struct request *request)
{
	__u32 now = tick_now();
	struct flow flow;
	struct ends ends;

	open_array(NULL);
	for (__u32 i = 0; i < FLOWS && !ferror(stdout); i++) {
		__s32 age;

		if (!read_flow(&view->balancer, i, now, &flow) ||
		    !find_ends(&view->balancer, &view->config, &flow, &ends) ||
		    !is_asked_for(request, &ends))
			continue;
		age = now - flow.seen;
		show_flow(&ends, age > 0 ? ((__u64)age << TICK_SHIFT) / 1000000000 : 0);
	}
	close_level();
	return DONE;
}

enum status count_flows(struct view *view, const struct request *request)
{
	(void)request;
	open_object(NULL);
	print_number("flows", "%llu\n", count_living_flows(&view->balancer));
	close_level();
	return DONE;
}

bool parse_flow_flush(struct words *words, struct request *request)
{
	if (!words->left)
		return true;
	if (words->left == 1)
		return take_vip(words, request);
	return parse_vip_and_real(words, request);
}

/* Ends the flows of a service, of one of its backends, or (NULL) of all. */
static void flush(struct balancer *balancer, const struct config_service *service,
		  const struct config_backend *backend)
{
	for (__u32 i = 0; i < FLOWS; i++) {
		const struct flow *flow = &balancer->flows[i];
		__u32 cookie = cookie_of(flow);

		if (!cookie || flow->backend > MAX_BACKENDS)
			continue;
		if ((!service || balancer->backends[flow->backend].service == service->number) &&
		    (!backend || flow->backend == backend->number))
			end_flow(balancer, flow, cookie);
	}
}

enum status flush_flows(struct view *view, const struct request *request)
{
	const struct config_service *service = request->has_vip ? view->services : NULL;
	const struct config_backend *backend = NULL;

	if (request->has_real) {
		backend = backend_need(service, &request->real);
		if (!backend)
			return FAILED;
	}
	flush(&view->balancer, service, backend);
	/* A packet that was about to evict a flow, and finds that it must not, gives it back. */
	wait_for_programs();
	flush(&view->balancer, service, backend);
	return DONE;
}
