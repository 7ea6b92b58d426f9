// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#include <linux/rtnetlink.h>

#include "doctor/address_probe.h"
#include "doctor/finding.h"
#include "doctor/vip.h"
#include "lib/text.h"

#define MOST_LISTED 16 /* VIPs in one command */

__u8 route_type_of_vip(const struct exam *exam, const struct address *address)
{
	const struct device *device = &exam->subject.device;
	struct route route;

	if (netlink_route(exam->netlink, address, &route))
		return RTN_UNREACHABLE;
	if (route.type == RTN_UNICAST &&
	    (route.ifindex != device->ifindex || !same_address(&route.next, address)))
		return RTN_UNSPEC;
	return route.type;
}

/* Services are sorted: those of an address follow one another. */
static unsigned int end_of_vip(const struct configuration *config, unsigned int first)
{
	unsigned int end = first + 1;

	while (end < config->count && same_address(&config->services[end].vip.address,
						   &config->services[first].vip.address))
		end++;
	return end;
}

static bool has_mode(const struct configuration *config, unsigned int first, bool nat)
{
	for (unsigned int i = first; i < end_of_vip(config, first); i++) {
		if ((config->services[i].mode == MODE_NAT) == nat)
			return true;
	}
	return false;
}

/*
 * Whether packets for the VIP may fail to come: this host does not own it. On the device's own link
 * nobody answers for it then; elsewhere a router may well send it here. Without any route to it,
 * that is likely with direct return only.
 */
static bool lacks_owner(const struct exam *exam, const struct configuration *config,
			const struct traffic *traffic, unsigned int first)
{
	__u8 type = route_type_of_vip(exam, &config->services[first].vip.address);

	if (type == RTN_LOCAL || type == RTN_UNSPEC ||
	    (type == RTN_UNREACHABLE && !has_mode(config, first, true)))
		return false;
	for (unsigned int i = first; i < end_of_vip(config, first); i++) {
		if (has_traffic(traffic, i))
			return false;
	}
	return true;
}

/* The commands that own a VIP. A local route is enough for ARP, and it is no source address; for
 * neighbour discovery on its link the device needs the address. */
static struct command_line own_command(const struct exam *exam, const struct address *address)
{
	struct text vip = text_of_address(address);

	if (is_ipv4(address) || route_type_of_vip(exam, address) != RTN_UNICAST)
		return run_in(&exam->subject.netns, "ip route add local %s dev lo", vip.s);
	return run_in(&exam->subject.netns, "ip addr add %s/128 dev %s nodad preferred_lft 0",
		      vip.s, quoted(exam->subject.device.name).s);
}

/* Addresses that this host should own, and does not. */
struct unowned {
	struct text first;
	unsigned int count;
	struct command_line command; /* that owns some of them */
};

static void add_unowned(struct unowned *unowned, const struct exam *exam,
			const struct address *address)
{
	if (!unowned->count)
		unowned->first = text_of_address(address);
	if (unowned->count++ < MOST_LISTED)
		append(&unowned->command, "%s%s", unowned->count > 1 ? " && " : "",
		       own_command(exam, address).s);
}

/* `one` and `several` say what the addresses are. */
static void report_unowned(struct exam *exam, struct unowned *unowned, const char *subject,
			   const char *cause, const char *one, const char *several)
{
	if (unowned->count)
		report(exam, subject, POSSIBLE, &unowned->command, cause,
		       "this host does not own %s%s (%u in all)",
		       unowned->count > 1 ? several : one, unowned->first.s, unowned->count);
}

void check_owned(struct exam *exam, const struct configuration *config,
		 const struct traffic *traffic)
{
	struct unowned unowned = { .count = 0 };

	for (unsigned int i = 0; i < config->count; i = end_of_vip(config, i)) {
		if (lacks_owner(exam, config, traffic, i))
			add_unowned(&unowned, exam, &config->services[i].vip.address);
	}
	report_unowned(exam, &unowned, "vip",
		       "no packet for them came in a second; unless a router sends them here, "
		       "nobody answers for them",
		       "the VIP ", "VIPs, the first is ");
}

void check_sources(struct exam *exam, const struct configuration *config)
{
	struct unowned unowned = { .count = 0 };

	for_each_source(source, config) {
		const struct address *address = &source->self.address;

		if (route_type_of_vip(exam, address) == RTN_UNICAST)
			add_unowned(&unowned, exam, address);
	}
	report_unowned(exam, &unowned, "source",
		       "a backend on the link that answers it asks for its MAC address, and nobody "
		       "says it",
		       "the source ", "sources, the first is ");
}

/* The backend that has the MAC, or NULL. */
static const struct config_backend *backend_of_mac(const struct configuration *config,
						   const __u8 *mac)
{
	for_each_service(service, config) {
		for_each_backend(backend, service) {
			if (!memcmp(backend->hop.mac, mac, sizeof(backend->hop.mac)))
				return backend;
		}
	}
	return NULL;
}

/* A backend for direct return has the VIP, and shall not say so; who else has it may be right. */
static void report_claim(struct exam *exam, const struct configuration *config,
			 const struct address_claim *claim, bool nat)
{
	const char *what = source_find(config, &claim->address) ? "source" : "VIP";
	const struct config_backend *backend = backend_of_mac(config, claim->mac);
	struct text vip = text_of_address(&claim->address), who = text_of_mac(claim->mac);
	struct command_line command = { .s = "" };

	if (backend) {
		who = text_of_address(&backend->real.address);
		command.host = backend->real.address;
	}
	if (backend && !nat && is_ipv4(&claim->address)) {
		append(&command, "sysctl -w net.ipv4.conf.all.arp_ignore=1 "
				 "net.ipv4.conf.all.arp_announce=2");
	} else {
		append(&command, "ip addr show to %s", vip.s);
		command.purpose = SHOWS;
	}
	report(exam, "vip-taken", CERTAIN, &command,
	       "clients and answers that believe it go there, and not to the balancer",
	       "%s %s answers for the %s %s on the link", backend ? "the backend" : "a host", who.s,
	       what, vip.s);
}

static bool is_on_link(const struct exam *exam, const struct address *address)
{
	__u8 type = route_type_of_vip(exam, address);

	return type == RTN_LOCAL || type == RTN_UNICAST;
}

/* Returns how many VIPs and sources are on the link, with the index of a VIP's first service; that
 * of a source is the number of services. */
static unsigned int list_addresses(const struct exam *exam, const struct configuration *config,
				   struct address_claim *claims, unsigned int *index)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < config->count; i = end_of_vip(config, i)) {
		if (!is_on_link(exam, &config->services[i].vip.address))
			continue;
		claims[count].address = config->services[i].vip.address;
		index[count++] = i;
	}
	for_each_source(source, config) {
		if (!is_on_link(exam, &source->self.address))
			continue;
		claims[count].address = source->self.address;
		index[count++] = config->count;
	}
	return count;
}

void check_claimed(struct exam *exam, const struct configuration *config)
{
	unsigned int room = config->count + config->source_count + 1, count = 0;
	struct address_claim *claims = calloc(room, sizeof(*claims));
	unsigned int *index = calloc(room, sizeof(*index));
	int home = netns_enter(&exam->subject.netns);

	if (home >= 0) {
		if (claims && index)
			count = list_addresses(exam, config, claims, index);
		if (count && find_claims(&exam->subject.device, claims, count))
			count = 0;
		netns_leave(home);
	}
	for (unsigned int i = 0; i < count; i++) {
		if (claims[i].is_claimed)
			report_claim(exam, config, &claims[i],
				     index[i] == config->count ||
					     !has_mode(config, index[i], false));
	}
	free(claims);
	free(index);
}
