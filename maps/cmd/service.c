// SPDX-License-Identifier: GPL-2.0
/* service add, del, show */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/change.h"
#include "cmd/json.h"
#include "cmd/options.h"
#include "cmd/service.h"
#include "lib/clock.h"
#include "lib/text.h"
#include "model/balancer.h"
#include "model/discover.h"
#include "model/flow_table.h"
#include "model/next_hop.h"

bool parse_service_add(struct words *words, struct request *request)
{
	struct option service_options[] = {
		{ "mode", parse_mode, &request->mode, false },
		{ "table", parse_slots, &request->slots, false },
		{ "settle", parse_seconds, &request->settle, false },
		{ "hash", parse_hash, &request->hash, false },
	};
	const char *word = next_word(words, "a service");

	request->mode = MODE_NAT;
	request->slots = DEFAULT_SLOTS;
	request->hash = HASH_FLOW;
	return word && parse_vip(word, &request->vip) && parse_options(words, service_options, 4);
}

enum status add_service(struct conf *conf, const struct request *request)
{
	struct conf_service *service;

	if (conf_find(conf, &request->vip))
		return fail(FAILED, "'%s': the service exists already",
			    text_of_vip(&request->vip).s);
	service = conf_add(conf, &request->vip);
	if (!service)
		return fail(FAILED, "out of memory");
	service->mode = request->mode;
	service->slots = request->slots;
	service->settle = request->settle;
	service->hash = request->hash;
	return DONE;
}

/* `*` on an address of the host is most of what the host itself lives by. */
static void warn_of_own_address(struct balancer *balancer, const struct endpoint *vip)
{
	if (vip->port != ANY_PORT || !is_local(balancer, &vip->address))
		return;
	warn("'%s' is an address of this host: the service takes its %s, too", text_of_vip(vip).s,
	     vip->protocol == IPPROTO_TCP ? "SSH" : "own queries' answers");
}

enum status run_service_add(const struct request *request)
{
	struct change change = { .change = add_service, .request = request };
	struct balancer balancer;
	enum status status = open_balancer(&options.selection, &balancer);

	if (status)
		return status;
	status = make_change(&balancer, &change);
	if (!status)
		warn_of_own_address(&balancer, &request->vip);
	close_balancer(&balancer);
	return status;
}

enum status delete_service(struct conf *conf, const struct request *request)
{
	struct conf_service *service = conf_need(conf, &request->vip);

	if (!service)
		return FAILED;
	conf_remove(conf, service);
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
static struct rest *count_rests(struct balancer *balancer, const struct conf *conf)
{
	struct rest *rests = NULL;
	__u32 *flows = NULL;

	for (unsigned int i = 0; i < conf->count; i++) {
		for (unsigned int j = 0; j < conf->services[i].count; j++) {
			const struct conf_backend *backend = &conf->services[i].backends[j];

			if (backend->state != STATE_DRAINING)
				continue;
			if (!flows && !map_flows(balancer))
				flows = count_flows_by_backend(balancer);
			if (!rests)
				rests = calloc(MAX_BACKENDS + 1, sizeof(*rests));
			if (!flows || !rests)
				goto cleanup;
			rests[backend->number].flows = flows[backend->number];
			rests[backend->number].slots =
				count_former_slots(balancer, &conf->services[i], backend->number);
			rests[backend->number].seconds =
				second_now() - balancer->backends[backend->number].drained;
		}
	}
cleanup:
	free(flows);
	return rests;
}

static void print_backend(const struct conf_backend *backend, const struct rest *rests)
{
	printf("    %-22s weight %-5u %-9s", text_of_real(&backend->real).s, backend->weight,
	       state_name(backend->state));
	if (is_resolved(&backend->hop))
		printf(" mac %s%s", text_of_mac(backend->hop.mac).s,
		       backend->mac_given ? " (given)" : "");
	else
		printf(" not resolved");
	if (rests && backend->state == STATE_DRAINING)
		printf(" flows %u slots %u for %u s", rests[backend->number].flows,
		       rests[backend->number].slots, rests[backend->number].seconds);
	printf("\n");
}

static void print_service(const struct conf_service *service, const struct rest *rests)
{
	printf("%s  mode %s  table %u  hash %s", text_of_vip(&service->vip).s,
	       mode_name(service->mode), service->slots, hash_name(service->hash));
	if (service->settle)
		printf("  settle %u", service->settle);
	printf("\n");
	for (unsigned int i = 0; i < service->count; i++)
		print_backend(&service->backends[i], rests);
}

static void write_backend(const struct conf_backend *backend, const struct rest *rests)
{
	json_object(NULL);
	json_string("address", text_of_address(&backend->real.address).s);
	json_number("port", ntohs(backend->real.port));
	if (is_resolved(&backend->hop))
		json_string("mac", text_of_mac(backend->hop.mac).s);
	else
		json_null("mac");
	json_bool("mac_given", backend->mac_given);
	json_number("ifindex", backend->hop.ifindex);
	json_number("mtu", backend->mtu);
	json_number("weight", backend->weight);
	json_string("state", state_name(backend->state));
	if (rests && backend->state == STATE_DRAINING) {
		json_number("flows_left", rests[backend->number].flows);
		json_number("slots_left", rests[backend->number].slots);
		json_number("draining_seconds", rests[backend->number].seconds);
	}
	json_end();
}

static void write_service(const struct conf_service *service, const struct rest *rests)
{
	json_object(NULL);
	json_string("vip", text_of_vip(&service->vip).s);
	json_string("mode", mode_name(service->mode));
	json_number("table", service->slots);
	json_number("settle", service->settle);
	json_string("hash", hash_name(service->hash));
	json_array("backends");
	for (unsigned int i = 0; i < service->count; i++)
		write_backend(&service->backends[i], rests);
	json_end();
	json_end();
}

enum status show_services(const struct request *request)
{
	const struct conf_service *services;
	struct balancer balancer;
	enum status status;
	struct rest *rests;
	unsigned int count;
	struct conf conf;

	status = open_and_load(&balancer, &conf, false);
	if (status)
		return status;
	if (!select_services(&conf, request, &services, &count)) {
		close_and_free(&balancer, &conf);
		return FAILED;
	}
	rests = count_rests(&balancer, &conf);
	if (options.json)
		json_array(NULL);
	for (unsigned int i = 0; i < count; i++) {
		if (options.json)
			write_service(&services[i], rests);
		else
			print_service(&services[i], rests);
	}
	if (options.json)
		json_end();
	free(rests);
	close_and_free(&balancer, &conf);
	return DONE;
}
