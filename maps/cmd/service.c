// SPDX-License-Identifier: GPL-2.0
/* service add, del, show */
#include <netinet/in.h>
#include <stdlib.h>

#include "cmd/change.h"
#include "cmd/config_line.h"
#include "cmd/print.h"
#include "cmd/service.h"
#include "lib/clock.h"
#include "lib/text.h"
#include "model/flow_table.h"
#include "model/next_hop.h"

/* The next hop to clients: a host of the service's family, in the one mode that has it. */
static bool check_via(const struct request *request)
{
	struct text name = text_of_address(&request->via);
	bool ipv4 = is_ipv4(&request->vip.address);

	if (request->mode != MODE_DNAT) {
		fail(WRONG, "'via': expected mode dnat with it, not mode %s",
		     mode_name(request->mode));
		return false;
	}
	if (is_ipv4(&request->via) == ipv4)
		return true;
	fail(WRONG, "'%s': expected an IPv%c address, as of %s", name.s, ipv4 ? '4' : '6',
	     text_of_vip(&request->vip).s);
	return false;
}

bool parse_service_add(struct words *words, struct request *request)
{
	struct option service_options[] = {
		{ "mode", parse_mode, &request->mode, false },
		{ "table", parse_slots, &request->slots, false },
		{ "settle", parse_settle, &request->settle, false },
		{ "hash", parse_hash, &request->hash, false },
		{ "via", parse_address, &request->via, false },
		{ "pick", parse_pick, &request->pick, false },
	};
	const struct option *via = &service_options[4];

	request->mode = MODE_NAT;
	request->slots = DEFAULT_SLOTS;
	request->hash = HASH_FLOW;
	if (!take_vip(words, request) || !parse_options(words, service_options, 6) ||
	    (via->given && !check_via(request)))
		return false;
	if (request->pick == PICK_HASH || request->mode == MODE_NAT)
		return true;
	fail(WRONG, "'least': expected hash in mode %s, where flows are not known",
	     mode_name(request->mode));
	return false;
}

enum status add_service(struct configuration *config, const struct request *request)
{
	struct config_service *service;

	if (config_find(config, &request->vip))
		return fail(FAILED, "%s is already a service", text_of_vip(&request->vip).s);
	if (source_find(config, &request->vip.address))
		return fail(FAILED, "%s is a source", text_of_address(&request->vip.address).s);
	service = config_add(config, &request->vip);
	if (!service)
		return fail(FAILED, "out of memory");
	service->mode = request->mode;
	service->slots = request->slots;
	service->settle = request->settle;
	service->hash = request->hash;
	service->via.real.address = request->via;
	service->via.said_at = request->said_at;
	service->via.is_pending = true;
	service->pick = request->pick;
	return DONE;
}

/* `*` on an address of the host is most of what the host itself lives by. */
static void warn_of_own_address(struct balancer *balancer, const struct request *request,
				const struct configuration *running,
				const struct configuration *wanted)
{
	const struct endpoint *vip = &request->vip;

	(void)running;
	(void)wanted;
	if (vip->port != ANY_PORT || !is_local(balancer, &vip->address))
		return;
	warn("%s is an address of this host: the service takes its %s, too", text_of_vip(vip).s,
	     vip->protocol == IPPROTO_TCP ? "SSH" : "own queries' answers");
}

enum status run_service_add(const struct request *request)
{
	return run_change(&(struct change){
		.change = add_service,
		.request = request,
		.report = warn_of_own_address,
	});
}

enum status delete_service(struct configuration *config, const struct request *request)
{
	struct config_service *service = config_need(config, &request->vip);

	if (!service)
		return FAILED;
	config_remove(config, service);
	return DONE;
}

/*
 * What a draining backend still has: flows that are known, slots whose flows the table leads to it.
 */
struct rest {
	__u32 flows;
	__u32 slots;
	__u32 seconds; /* since the drain began */
};

/* Counts the rest of all draining backends, by number. NULL: there is none, or no memory. */
static struct rest *count_rests(struct balancer *balancer, const struct configuration *config)
{
	struct rest *rests = NULL;
	__u32 *flows = NULL;

	for_each_service(service, config) {
		for_each_backend(backend, service) {
			if (backend->state != STATE_DRAINING)
				continue;
			if (!flows && !map_flows(balancer))
				flows = count_flows_by_backend(balancer);
			if (!rests)
				rests = calloc(MAX_BACKENDS + 1, sizeof(*rests));
			if (!flows || !rests)
				goto cleanup;
			rests[backend->number].flows = flows[backend->number];
			rests[backend->number].slots = count_former_slots(balancer, service,
									  backend->number);
			rests[backend->number].seconds =
				second_now() - balancer->backends[backend->number].drained;
		}
	}
cleanup:
	free(flows);
	return rests;
}

static void show_backend(const struct config_backend *backend, const struct rest *rests)
{
	open_object(NULL);
	print_text("    %-22s", text_of_real(&backend->real).s);
	print_endpoint(&backend->real);
	print_number("weight", " weight %-5llu", backend->weight);
	print_string("state", " %-9s", state_name(backend->state));
	print_string("health", backend->health ? " %s" : NULL, health_name(backend->health));
	print_bool("backup", " backup", backend->is_backup);
	if (is_resolved(&backend->hop))
		print_string("mac", " mac %s", text_of_mac(backend->hop.mac).s);
	else
		print_null("mac", backend->needs_no_hop ? "" : " not resolved");
	print_bool("mac_given", " (given)", backend->mac_given);
	print_number("ifindex", NULL, backend->hop.ifindex);
	print_number("mtu", NULL, backend->mtu);
	if (rests && backend->state == STATE_DRAINING) {
		print_number("flows_left", " flows %llu", rests[backend->number].flows);
		print_number("slots_left", " slots %llu", rests[backend->number].slots);
		print_number("draining_seconds", " for %llu s", rests[backend->number].seconds);
	}
	print_text("\n");
	close_level();
}

static void show_service(const struct config_service *service, const struct rest *rests)
{
	open_object(NULL);
	print_string("vip", "%s", text_of_vip(&service->vip).s);
	print_string("mode", "  mode %s", mode_name(service->mode));
	print_number("table", "  table %llu", service->slots);
	print_string("hash", "  hash %s", hash_name(service->hash));
	if (has_via(service))
		print_string("via", "  via %s", text_of_address(&service->via.real.address).s);
	else if (service->mode == MODE_DNAT)
		print_null("via", "");
	print_string("pick", service->pick == PICK_LEAST ? "  pick %s" : NULL,
		     pick_name(service->pick));
	print_number("settle", service->settle ? "  settle %llu" : NULL, said_settle(service));
	print_bool("panic", "  panic: checks are not believed", service->is_panicking);
	print_text("\n");
	open_array("backends");
	for_each_backend(backend, service)
		show_backend(backend, rests);
	close_level();
	close_level();
}

enum status show_services(struct view *view, const struct request *request)
{
	struct rest *rests = count_rests(&view->balancer, &view->config);

	(void)request;
	open_array(NULL);
	for_each_service(service, view)
		show_service(service, rests);
	close_level();
	free(rests);
	return DONE;
}
