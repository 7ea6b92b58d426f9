// SPDX-License-Identifier: GPL-2.0
/*
 * The balancer passes such packets to the host, which forwards them, so a packet socket sees them.
 * What clients send to a VIP it does not see: the balancer has sent that on.
 */
#include <linux/if_packet.h>
#include <netinet/ip.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <net/ethernet.h>

#include "doctor/command_line.h"
#include "doctor/direct.h"
#include "doctor/finding.h"
#include "kernel/link.h"
#include "lib/text.h"

#define READS 10000 /* at most: where many packets pass there always is another one */

/* A packet that came in by the device. */
struct passing {
	struct address from;
	struct endpoint to;
};

static bool is_dnat(const struct configuration *config)
{
	for_each_service(service, config) {
		if (service->mode == MODE_DNAT)
			return true;
	}
	return false;
}

int begin_direct(const struct exam *exam, const struct configuration *config)
{
	int previous, fd;

	if (!is_dnat(config))
		return -1;
	previous = netns_enter(&exam->subject.netns);
	if (previous < 0)
		return -1;
	fd = link_open(&exam->subject.device, ETH_P_ALL);
	netns_leave(previous);
	return fd < 0 ? -1 : fd;
}

/* Reads addresses, protocol and port. False if the packet is no TCP or UDP, or a later fragment. */
static bool parse_passing(const __u8 *data, ssize_t length, struct passing *passing)
{
	struct ip6_hdr ip6;
	struct iphdr ip4;
	size_t size = sizeof(ip6);

	if (length < (ssize_t)sizeof(ip6))
		return false;
	memcpy(&ip4, data, sizeof(ip4));
	memcpy(&ip6, data, sizeof(ip6));
	*passing = (struct passing){ .to.protocol = ip6.ip6_nxt };
	if (ip4.version == 4) {
		size = 4 * ip4.ihl;
		passing->to.protocol = ip4.frag_off & htons(IP_OFFMASK) ? 0 : ip4.protocol;
		passing->from.word[2] = passing->to.address.word[2] = htonl(0xffff);
		passing->from.word[3] = ip4.saddr;
		passing->to.address.word[3] = ip4.daddr;
	} else {
		memcpy(&passing->from, &ip6.ip6_src, sizeof(passing->from));
		memcpy(&passing->to.address, &ip6.ip6_dst, sizeof(passing->to.address));
	}
	if (length < (ssize_t)size + 4)
		return false;
	memcpy(&passing->to.port, data + size + 2, sizeof(passing->to.port));
	return passing->to.protocol == IPPROTO_TCP || passing->to.protocol == IPPROTO_UDP;
}

/* The service in mode dnat that has what such a backend sends from there; NULL: none. */
static const struct config_service *service_behind(const struct configuration *config,
						   const struct endpoint *to)
{
	for_each_service(service, config) {
		if (service->mode != MODE_DNAT || service->vip.protocol != to->protocol)
			continue;
		for_each_backend(backend, service) {
			const struct endpoint *real = &backend->real;
			__be16 port = real->port ? real->port : service->vip.port;

			if (same_address(&real->address, &to->address) &&
			    (port == to->port || port == ANY_PORT))
				return service;
		}
	}
	return NULL;
}

static void report_direct(struct exam *exam, const struct passing *passing,
			  const struct config_service *service)
{
	const char *protocol = passing->to.protocol == IPPROTO_TCP ? "tcp" : "udp";
	struct command_line command = run_in(&exam->subject.netns,
					     "timeout 10 tcpdump -c 10 -nni %s 'dst host %s and %s "
					     "dst port %d'",
					     quoted(exam->subject.device.name).s,
					     text_of_address(&passing->to.address).s, protocol,
					     ntohs(passing->to.port));

	command.purpose = SHOWS;
	report(exam, "direct", CERTAIN, &command,
	       "what the backend answers comes from the VIP, so the client does not take it; it "
	       "has "
	       "to ask the VIP, or reach the backend by another way",
	       "%s speaks to %s, a backend of %s, by its own address",
	       text_of_address(&passing->from).s, text_of_socket(&passing->to).s,
	       text_of_vip(&service->vip).s);
}

/* One of them is reported. */
void end_direct(struct exam *exam, const struct configuration *config, int fd)
{
	const struct config_service *service = NULL;
	struct passing passing;
	__u8 data[128] __attribute__((aligned(4)));
	struct sockaddr_ll from;

	for (int i = 0; fd >= 0 && !service && i < READS; i++) {
		socklen_t size = sizeof(from);
		ssize_t length = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from,
					  &size);

		if (length < 0)
			break;
		if (from.sll_pkttype == PACKET_HOST && parse_passing(data, length, &passing))
			service = service_behind(config, &passing.to);
	}
	if (service)
		report_direct(exam, &passing, service);
	if (fd >= 0)
		close(fd);
}
