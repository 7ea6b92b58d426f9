// SPDX-License-Identifier: GPL-2.0
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <linux/rtnetlink.h>

#include "doctor/backend.h"
#include "doctor/device.h"
#include "doctor/find_host.h"
#include "doctor/finding.h"
#include "doctor/program.h"
#include "doctor/shell_command.h"
#include "doctor/tcp_probe.h"
#include "doctor/vip.h"
#include "lib/text.h"
#include "model/next_hop.h"

static struct shell drop_vip_command(const struct netns *host, const struct address *vip)
{
	return run_in(host, "ip addr del %s/%d dev lo", text_of_address(vip).s,
		      is_ipv4(vip) ? 32 : 128);
}

static void report_silent(struct patient *patient, const struct conf_service *service,
			  const struct conf_backend *backend)
{
	const struct address *vip = &service->vip.address;
	struct shell command;
	struct netns host;

	find_host(has_address, &backend->real.address, &host);
	if (*host.name && ask_netns(&host, has_address, vip))
		command = drop_vip_command(&host, vip);
	else
		command = run_in(&host, "ip neigh flush to %s nud all", text_of_address(vip).s);
	netns_close(&host);
	report(patient, "silent", &command,
	       "it drops what the VIP sends, or answers past the balancer: it has the VIP itself, "
	       "or takes another host for it; to be done there",
	       "the backend %s of %s does not answer to the VIP", text_of_real(&backend->real).s,
	       text_of_vip(&service->vip).s);
}

/* Why, and what then, where it can be known. */
static const char *explain_dead(const struct patient *patient, const struct conf_service *service,
				const struct conf_backend *backend, struct shell *command)
{
	const struct address *vip = &service->vip.address;
	struct netns host;
	bool has_vip;

	find_host(has_address, &backend->real.address, &host);
	has_vip = *host.name && ask_netns(&host, has_address, vip);
	*command = has_vip ? drop_vip_command(&host, vip) :
			     helper(patient->port.device.name, "refresh");
	netns_close(&host);
	if (has_vip && service->mode == MODE_NAT)
		return "it has the VIP itself, as for direct return, and takes this host for "
		       "forged";
	if (has_vip) {
		*command = run_in(&host, "sysctl -w net.ipv4.conf.all.accept_local=1");
		return "this host asks from the VIP, which the backend has too, and takes for "
		       "forged";
	}
	if (!is_resolved(&backend->hop))
		return "it gets no flow; once it answers, this brings it in";
	*command = helper(patient->port.device.name, "backend down '%s' '%s'",
			  text_of_vip(&service->vip).s, text_of_real(&backend->real).s);
	return "it still gets flows, and loses them";
}

static void report_dead(struct patient *patient, const struct conf_service *service,
			const struct conf_backend *backend, const char *why)
{
	struct shell command;
	const char *cause = explain_dead(patient, service, backend, &command);

	report(patient, "backend", &command, cause, "the backend %s of %s does not resolve: %s",
	       text_of_real(&backend->real).s, text_of_vip(&service->vip).s, why);
}

/* What runs is not what the routes and neighbours say now. */
static void check_way(struct patient *patient, const struct conf_service *service,
		      const struct conf_backend *backend, const struct way *way)
{
	struct shell command = helper(patient->port.device.name, "refresh");
	bool same_mac = backend->mac_given ||
			!memcmp(backend->hop.mac, way->hop.mac, sizeof(way->hop.mac));

	if (same_mac && backend->hop.ifindex == way->hop.ifindex)
		return;
	report(patient, "backend", &command,
	       "its packets go to who does not expect them, or it gets none",
	       "the way to the backend %s of %s is now by %s, not %s",
	       text_of_real(&backend->real).s, text_of_vip(&service->vip).s,
	       text_of_mac(way->hop.mac).s, text_of_mac(backend->hop.mac).s);
}

/* The answers of a NAT backend come in by the device that its packets leave by. */
static void check_arm(struct patient *patient, const struct balancer *balancer,
		      const struct device *device)
{
	struct place *places = NULL;
	struct shell command;
	bool attached = false;
	int count = find_places(&patient->port.netns, &places);

	for (int i = 0; i < count; i++)
		attached |= places[i].ifindex == device->ifindex &&
			    places[i].balancer == balancer->id;
	free(places);
	if (attached)
		return;
	command = attach_command(patient, device, "");
	report(patient, "arm", &command,
	       "what they answer comes in there, and goes past the balancer to the host",
	       "backends in mode nat are behind %s, to which the balancer is not attached",
	       device->name);
}

/* Each device by which backends are reached, other than the patient: once. */
static void check_arms(struct patient *patient, const struct balancer *balancer,
		       const struct conf *conf)
{
	for (int i = 0; i < patient->device_count; i++) {
		const struct device *device = &patient->devices[i];
		bool used = false, nat = false;
		struct port peer;

		for (unsigned int j = 0; j < conf->count; j++) {
			const struct conf_service *service = &conf->services[j];

			for (unsigned int k = 0; k < service->count; k++) {
				if ((int)service->backends[k].hop.ifindex != device->ifindex)
					continue;
				used = true;
				nat |= service->mode == MODE_NAT;
			}
		}
		if (!used || device->ifindex == patient->port.device.ifindex)
			continue;
		if (nat)
			check_arm(patient, balancer, device);
		if (is_native(&patient->port.device) && open_peer(patient, device, &peer)) {
			check_stub(patient, &peer, device);
			close_port(&peer);
		}
	}
}

/* A call to a backend, if it can be made: of TCP, to a known port, from a VIP of this host. */
static bool plan_call(const struct patient *patient, const struct conf_service *service,
		      const struct conf_backend *backend, struct call *call)
{
	call->from = service->vip.address;
	call->to = backend->real;
	if (!call->to.port)
		call->to.port = service->vip.port;
	return service->mode == MODE_NAT && service->vip.protocol == IPPROTO_TCP && call->to.port &&
	       is_healthy(backend) && place_of_vip(patient, &service->vip.address) == RTN_LOCAL;
}

/* What is called, in the order of the calls. */
struct called {
	const struct conf_service *service;
	const struct conf_backend *backend;
};

static unsigned int plan_calls(const struct patient *patient, const struct conf *conf,
			       const struct ways *ways, struct call *calls, struct called *called)
{
	unsigned int count = 0;
	const char *why;

	for (unsigned int i = 0; i < conf->count; i++) {
		const struct conf_service *service = &conf->services[i];

		for (unsigned int j = 0; j < service->count; j++) {
			const struct conf_backend *backend = &service->backends[j];
			const struct way *way = find_way(ways, backend);

			if ((way && is_dead_way(way, &why)) ||
			    !plan_call(patient, service, backend, &calls[count]))
				continue;
			called[count++] = (struct called){ service, backend };
		}
	}
	return count;
}

static void check_answers(struct patient *patient, const struct conf *conf, const struct ways *ways)
{
	struct call *calls = calloc(MAX_BACKENDS, sizeof(*calls));
	struct called *called = calloc(MAX_BACKENDS, sizeof(*called));
	int way_back = netns_enter(&patient->port.netns);
	unsigned int count = 0;

	if (way_back >= 0) {
		if (calls && called)
			count = plan_calls(patient, conf, ways, calls, called);
		make_calls(calls, count);
		netns_leave(way_back);
	}
	for (unsigned int i = 0; i < count; i++) {
		if (calls[i].is_silent)
			report_silent(patient, called[i].service, called[i].backend);
	}
	free(calls);
	free(called);
}

static void check_backend(struct patient *patient, const struct conf_service *service,
			  const struct conf_backend *backend, const struct ways *ways)
{
	const struct way *way = find_way(ways, backend);
	const char *why;

	if (!way || backend->state == STATE_DOWN)
		return;
	if (is_bad_way(way, &why) || is_dead_way(way, &why))
		report_dead(patient, service, backend, why);
	else
		check_way(patient, service, backend, way);
}

/* Looks up the ways to all backends that are not down, anew. */
static bool look_up(struct balancer *balancer, const struct conf *conf, struct ways *ways)
{
	struct conf copy;
	bool done;

	if (!conf_copy(&copy, conf))
		return false;
	for (unsigned int i = 0; i < copy.count; i++) {
		for (unsigned int j = 0; j < copy.services[i].count; j++)
			copy.services[i].backends[j].is_pending =
				copy.services[i].backends[j].state != STATE_DOWN;
	}
	done = collect_ways(ways, &copy) >= 0 && !resolve_ways(ways, balancer);
	conf_free(&copy);
	return done;
}

void check_backends(struct patient *patient, struct balancer *balancer, const struct conf *conf)
{
	struct ways ways = { .anew = true };

	if (look_up(balancer, conf, &ways)) {
		for (unsigned int i = 0; i < conf->count; i++) {
			const struct conf_service *service = &conf->services[i];

			for (unsigned int j = 0; j < service->count; j++)
				check_backend(patient, service, &service->backends[j], &ways);
		}
	}
	check_answers(patient, conf, &ways);
	free(ways.way);
	check_arms(patient, balancer, conf);
}
