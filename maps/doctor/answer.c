// SPDX-License-Identifier: GPL-2.0
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/rtnetlink.h>

#include "doctor/answer.h"
#include "doctor/echo_probe.h"
#include "doctor/finding.h"
#include "doctor/tcp_probe.h"
#include "doctor/vip.h"
#include "lib/text.h"

/* Whom a probe asks, in the order of the probes. */
struct asked {
	const struct config_service *service;
	const struct config_backend *backend;
};

static void report_silent(struct exam *exam, const struct asked *asked)
{
	struct text vip = text_of_address(&asked->service->vip.address);
	struct command_line command = run_on(&asked->backend->real.address,
					     "ip route get %s; ip neigh show to %s", vip.s, vip.s);

	command.purpose = SHOWS;
	report(exam, "silent", POSSIBLE, &command,
	       "it has no route to the VIP, or has the VIP itself, or knows another MAC for it, or "
	       "filters it, or is dead",
	       "the backend %s of %s does not answer TCP from the VIP",
	       text_of_real(&asked->backend->real).s, text_of_vip(&asked->service->vip).s);
}

/* A probe of a backend, if it can be made: of TCP, to a known port, from a VIP of this host. */
static bool plan_tcp_probe(const struct exam *exam, const struct asked *asked,
			   struct tcp_probe *probe)
{
	const struct endpoint *vip = &asked->service->vip;

	probe->from = vip->address;
	probe->to = asked->backend->real;
	if (!probe->to.port)
		probe->to.port = vip->port;
	return asked->service->mode == MODE_NAT && vip->protocol == IPPROTO_TCP && probe->to.port &&
	       asked->backend->is_eligible && route_type_of_vip(exam, &vip->address) == RTN_LOCAL;
}

static unsigned int plan_tcp_probes(const struct exam *exam, const struct configuration *config,
				    const struct next_hops *hops, struct tcp_probe *probes,
				    struct asked *asked)
{
	unsigned int count = 0;
	const char *why;

	for_each_service(service, config) {
		for_each_backend(backend, service) {
			const struct hop_lookup *hop = find_lookup(&hops->found, backend);

			asked[count] = (struct asked){ service, backend };
			if (!(hop && is_unreachable(hop, &why)) &&
			    plan_tcp_probe(exam, &asked[count], &probes[count]))
				count++;
		}
	}
	return count;
}

void check_answers(struct exam *exam, const struct configuration *config,
		   const struct next_hops *hops)
{
	struct tcp_probe *probes = calloc(MAX_BACKENDS + 1, sizeof(*probes));
	struct asked *asked = calloc(MAX_BACKENDS + 1, sizeof(*asked));
	int home = netns_enter(&exam->subject.netns);
	unsigned int count = 0;

	if (home >= 0) {
		if (probes && asked)
			count = plan_tcp_probes(exam, config, hops, probes, asked);
		run_tcp_probes(probes, count);
		netns_leave(home);
	}
	for (unsigned int i = 0; i < count; i++) {
		if (probes[i].is_silent)
			report_silent(exam, &asked[i]);
	}
	free(probes);
	free(asked);
}

/* The address from which this host sends to another. */
static bool find_source(const struct address *to, struct address *source)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), no = 0;
	bool found;

	if (fd < 0)
		return false;
	memcpy(&address.sin6_addr, to, sizeof(*to));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
	found = !connect(fd, (struct sockaddr *)&address, sizeof(address)) &&
		!getsockname(fd, (struct sockaddr *)&address, &size);
	close(fd);
	memcpy(source, &address.sin6_addr, sizeof(*source));
	return found;
}

/* Whether a frame for the VIP goes to the backend's MAC, by this device. */
static bool plan_echo_probe(const struct exam *exam, const struct device *device,
			    const struct asked *asked, struct echo_probe *probe)
{
	const struct hop *hop = &asked->backend->hop;
	int ifindex = hop->ifindex ? (int)hop->ifindex : exam->subject.device.ifindex;

	memset(probe, 0, sizeof(*probe));
	probe->to = asked->service->vip.address;
	memcpy(probe->mac, hop->mac, sizeof(probe->mac));
	return asked->service->mode == MODE_DSR && asked->backend->state != STATE_DOWN &&
	       is_resolved(hop) && ifindex == device->ifindex &&
	       find_source(&asked->backend->real.address, &probe->from) &&
	       !same_address(&probe->from, &probe->to);
}

static unsigned int plan_echo_probes(const struct exam *exam, const struct device *device,
				     const struct configuration *config, struct echo_probe *probes,
				     struct asked *asked)
{
	unsigned int count = 0;

	for_each_service(service, config) {
		for_each_backend(backend, service) {
			asked[count] = (struct asked){ service, backend };
			count += plan_echo_probe(exam, device, &asked[count], &probes[count]);
		}
	}
	return count;
}

static void report_returned(struct exam *exam, const struct asked *asked)
{
	struct text vip = text_of_address(&asked->service->vip.address);
	const struct address *host = &asked->backend->real.address;
	struct command_line route = run_on(host, "ip route add local %s dev lo", vip.s), command;

	/* First no ARP for it: clients shall ask the balancer. */
	command = run_on(host, "sysctl -w net.ipv4.conf.all.arp_ignore=1 "
			       "net.ipv4.conf.all.arp_announce=2");
	command = is_ipv4(&asked->service->vip.address) ? both(command, route) : route;
	report(exam, "returned", CERTAIN, &command,
	       "it forwards, and does not have the VIP: each packet goes back and forth until its "
	       "TTL ends, and no client is answered",
	       "the dsr backend %s of %s sends back what it gets for the VIP",
	       text_of_address(host).s, text_of_vip(&asked->service->vip).s);
}

static void check_returned_by(struct exam *exam, const struct device *device,
			      const struct configuration *config, struct echo_probe *probes,
			      struct asked *asked)
{
	unsigned int count = plan_echo_probes(exam, device, config, probes, asked);

	if (!count || run_echo_probes(device, probes, count))
		return;
	for (unsigned int i = 0; i < count; i++) {
		if (probes[i].is_returned)
			report_returned(exam, &asked[i]);
	}
}

void check_returned(struct exam *exam, const struct configuration *config)
{
	struct echo_probe *probes = calloc(MAX_BACKENDS + 1, sizeof(*probes));
	struct asked *asked = calloc(MAX_BACKENDS + 1, sizeof(*asked));
	int home = netns_enter(&exam->subject.netns);

	if (home >= 0) {
		for (int i = 0; i < exam->device_count && probes && asked; i++)
			check_returned_by(exam, &exam->devices[i], config, probes, asked);
		netns_leave(home);
	}
	free(probes);
	free(asked);
}
