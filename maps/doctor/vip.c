// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#include <linux/rtnetlink.h>

#include "doctor/address_probe.h"
#include "doctor/find_host.h"
#include "doctor/finding.h"
#include "doctor/shell_command.h"
#include "doctor/vip.h"
#include "lib/text.h"

__u8 place_of_vip(const struct patient *patient, const struct address *address)
{
	const struct device *device = &patient->port.device;
	struct route route;

	if (netlink_route(patient->netlink, address, &route))
		return RTN_UNREACHABLE;
	if (route.type == RTN_UNICAST &&
	    (route.ifindex != device->ifindex || !same_address(&route.next, address)))
		return RTN_UNSPEC; /* behind a router, or on another link */
	return route.type;
}

/* Services are sorted: those of an address follow one another. */
static unsigned int services_of_vip(const struct conf *conf, unsigned int first)
{
	unsigned int end = first + 1;

	while (end < conf->count &&
	       same_address(&conf->services[end].vip.address, &conf->services[first].vip.address))
		end++;
	return end;
}

static bool has_nat(const struct conf *conf, unsigned int first, unsigned int end)
{
	for (unsigned int i = first; i < end; i++) {
		if (conf->services[i].mode == MODE_NAT)
			return true;
	}
	return false;
}

/*
 * A VIP that this host does not own. On the device's own link nobody answers for it then; elsewhere
 * a router may well send it here. Without any route to it, that is likely with direct return only.
 */
static void check_vip(struct patient *patient, const struct address *address, bool nat)
{
	__u8 place = place_of_vip(patient, address);
	bool ipv4 = is_ipv4(address);
	const char *device = patient->port.device.name;
	struct shell command;

	if (place == RTN_LOCAL || place == RTN_UNSPEC || (place == RTN_UNREACHABLE && !nat))
		return;
	/* ARP is answered for addresses of any device, ND only for the device's own. */
	command = run_in(&patient->port.netns, "ip addr add %s/%d dev %s%s",
			 text_of_address(address).s, ipv4 ? 32 : 128,
			 nat || !ipv4 ? quoted(device).s : "lo", ipv4 ? "" : " nodad");
	report(patient, "vip", &command,
	       "nobody answers for it on the link; all is well only if a router sends it here: "
	       "see `ip route get` there",
	       "this host does not own the VIP %s", text_of_address(address).s);
}

/* The backend that has the MAC, or NULL. */
static const struct conf_backend *backend_of_mac(const struct conf *conf, const __u8 *mac)
{
	for (unsigned int i = 0; i < conf->count; i++) {
		for (unsigned int j = 0; j < conf->services[i].count; j++) {
			struct conf_backend *backend = &conf->services[i].backends[j];

			if (!memcmp(backend->hop.mac, mac, sizeof(backend->hop.mac)))
				return backend;
		}
	}
	return NULL;
}

static void report_owner(struct patient *patient, const struct conf *conf,
			 const struct owner *owner, bool nat)
{
	const struct conf_backend *backend = backend_of_mac(conf, owner->mac);
	struct text address = text_of_address(&owner->address), who = text_of_mac(owner->mac);
	bool ipv4 = is_ipv4(&owner->address);
	struct netns host;
	struct shell command;

	if (backend)
		who = text_of_address(&backend->real.address);
	find_host(has_mac, owner->mac, &host);
	if (nat || !ipv4)
		command = run_in(&host, "ip addr del %s/%d dev lo", address.s, ipv4 ? 32 : 128);
	else
		command = run_in(&host, "sysctl -w net.ipv4.conf.all.arp_ignore=1 "
					"net.ipv4.conf.all.arp_announce=2");
	netns_close(&host);
	report(patient, "vip-taken", &command,
	       "clients and answers go there, past the balancer; to be done there",
	       "%s %s answers for the VIP %s on the link", backend ? "the backend" : "a host",
	       who.s, address.s);
}

/* Who else answers for the VIPs that are on the link. */
static void check_owners(struct patient *patient, const struct conf *conf, struct owner *owners,
			 unsigned int count, const bool *nat)
{
	int way_back = netns_enter(&patient->port.netns), result;

	if (way_back < 0)
		return;
	result = find_owners(&patient->port.device, owners, count);
	netns_leave(way_back);
	for (unsigned int i = 0; i < count && !result; i++) {
		if (owners[i].is_there)
			report_owner(patient, conf, &owners[i], nat[i]);
	}
}

void check_vips(struct patient *patient, const struct conf *conf)
{
	struct owner *owners = calloc(conf->count + 1, sizeof(*owners));
	bool *nat = calloc(conf->count + 1, sizeof(*nat));
	unsigned int count = 0;

	for (unsigned int i = 0, end; i < conf->count && owners && nat; i = end) {
		const struct address *address = &conf->services[i].vip.address;
		__u8 place = place_of_vip(patient, address);

		end = services_of_vip(conf, i);
		nat[count] = has_nat(conf, i, end);
		check_vip(patient, address, nat[count]);
		if (place == RTN_LOCAL || place == RTN_UNICAST)
			owners[count++].address = *address;
	}
	if (owners && nat)
		check_owners(patient, conf, owners, count, nat);
	free(owners);
	free(nat);
}
