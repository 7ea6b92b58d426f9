// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#include <linux/rtnetlink.h>

#include "doctor/backend.h"
#include "doctor/device.h"
#include "doctor/finding.h"
#include "doctor/program.h"
#include "doctor/vip.h"
#include "lib/text.h"

/* A backend of a service, and what was found of its next hop. */
struct target {
	const struct config_service *service;
	const struct config_backend *backend;
	const struct hop_lookup *hop;
	const struct address_claim *claim;
};

/* The device of the hop that is in force; 0 stands for the one that a packet came in by. */
static int device_in_force(const struct exam *exam, const struct config_backend *backend)
{
	return backend->hop.ifindex ? (int)backend->hop.ifindex : exam->subject.device.ifindex;
}

static void report_no_route(struct exam *exam, const struct target *target, const char *why)
{
	const struct config_backend *backend = target->backend;
	struct text to = text_of_address(&backend->real.address);
	struct command_line command = run_in(&exam->subject.netns, "ip %s route show",
					     is_ipv4(&backend->real.address) ? "-4" : "-6");

	command.purpose = SHOWS;
	report(exam, "backend", CERTAIN, &command,
	       is_resolved(&backend->hop) ? "its packets still go to the next hop that was known "
					    "before; if the MAC of that "
					    "changes, they are lost" :
					    "it gets no flow",
	       "this host does not reach the backend %s of %s: %s", to.s,
	       text_of_vip(&target->service->vip).s, why);
}

/* Whether flows can go to another backend than this one. */
static bool has_another(const struct target *target, const struct next_hops *hops)
{
	const struct config_service *service = target->service;
	const char *why;

	for_each_backend(other, service) {
		const struct hop_lookup *hop = find_lookup(&hops->found, other);

		if (other != target->backend && other->is_eligible && hop &&
		    hop->type == RTN_UNICAST && !is_unreachable(hop, &why))
			return true;
	}
	return false;
}

/* Nobody answers for its next hop. A drain leaves its flows alone, should it live. */
static void report_dead(struct exam *exam, const struct target *target,
			const struct next_hops *hops, const char *why)
{
	const struct config_backend *backend = target->backend;
	struct text vip = text_of_vip(&target->service->vip), real = text_of_real(&backend->real);
	const char *device = exam->subject.device.name, *cause = "it gets no flow; this brings it "
								 "in once it answers";
	struct command_line command = helper(device, "refresh");

	if (backend->state == STATE_DRAINING)
		return;
	if (is_resolved(&backend->hop) && has_another(target, hops)) {
		cause = "if it is dead, the flows that it still gets are lost";
		command = helper(device, "backend drain '%s' '%s'", vip.s, real.s);
	} else if (is_resolved(&backend->hop)) {
		cause = "if it is dead, the flows that it still gets are lost; there is no other "
			"backend for them";
		command = run_in(&exam->subject.netns, "ip neigh show to %s",
				 text_of_address(&target->hop->next).s);
		command.purpose = SHOWS;
	}
	report(exam, "backend", is_resolved(&backend->hop) ? LIKELY : CERTAIN, &command, cause,
	       "the backend %s of %s does not resolve: %s", real.s, vip.s, why);
}

/*
 * The next hop is there, but does not answer this host. If this host asks from the VIP, a backend
 * that has the VIP too takes the question for forged, and so it takes whatever comes from the VIP.
 */
static void report_deaf(struct exam *exam, const struct target *target)
{
	const struct config_backend *backend = target->backend;
	const struct config_service *service = target->service;
	struct text vip = text_of_vip(&service->vip), real = text_of_real(&backend->real),
		    address = text_of_address(&service->vip.address);
	const __u8 *mac = target->claim->mac;
	struct command_line command = helper(exam->subject.device.name, "refresh");

	if (route_type_of_vip(exam, &service->vip.address) != RTN_LOCAL) {
		report(exam, "backend", POSSIBLE, &command,
		       "it answers only now and then, or is coming up",
		       "the backend %s of %s answered the second question only", real.s, vip.s);
	} else if (service->mode == MODE_NAT) {
		command = run_on(&backend->real.address, "ip route get %s; ip neigh show to %s",
				 address.s, address.s);
		command.purpose = SHOWS;
		report(exam, "silent", LIKELY, &command,
		       "it has the VIP itself, as for direct return, and takes what comes from the "
		       "VIP for forged",
		       "the backend %s of %s answers ARP, but not from the VIP", real.s, vip.s);
	} else if (memcmp(backend->hop.mac, mac, sizeof(backend->hop.mac))) {
		command = helper(exam->subject.device.name, "backend set '%s' '%s' mac %s", vip.s,
				 real.s, text_of_mac(mac).s);
		report(exam, "backend", LIKELY, &command,
		       "this host asks from the VIP, which the backend has too and takes for "
		       "forged",
		       "the backend %s of %s answers ARP, but not from the VIP", real.s, vip.s);
	}
}

/* A frame for the VIP reaches the gateway's MAC, and the gateway routes it back here. */
static void report_gateway(struct exam *exam, const struct target *target)
{
	struct text to = text_of_address(&target->backend->real.address);
	struct command_line command =
		with_purpose(run_in(&exam->subject.netns, "ip route get %s", to.s), SHOWS);

	report(exam, "gateway", CERTAIN, &command,
	       "mode dsr needs the backend on the link: a gateway sends its packets back here, or "
	       "to nobody; mode ipip goes over gateways",
	       "the route to the dsr backend %s of %s leads over the gateway %s", to.s,
	       text_of_vip(&target->service->vip).s, text_of_address(&target->hop->next).s);
}

/* What is in force is not what the routes and neighbours say now. */
static void check_change(struct exam *exam, const struct target *target)
{
	const struct config_backend *backend = target->backend;
	const struct hop_lookup *hop = target->hop;
	struct text vip = text_of_vip(&target->service->vip), real = text_of_real(&backend->real);
	struct command_line command = helper(exam->subject.device.name, "refresh");
	const struct device *device = find_device(exam->devices, exam->device_count, hop->ifindex);

	if (!backend->mac_given && !is_resolved(&backend->hop))
		report(exam, "backend", CERTAIN, &command, "it gets no flow until it is brought in",
		       "the backend %s of %s answers, but its MAC was never learnt", real.s, vip.s);
	else if (!backend->mac_given &&
		 memcmp(backend->hop.mac, hop->hop.mac, sizeof(hop->hop.mac)))
		report(exam, "backend", CERTAIN, &command,
		       "its packets go to another host, or to none",
		       "the MAC of the next hop to the backend %s of %s is now %s, not %s", real.s,
		       vip.s, text_of_mac(hop->hop.mac).s, text_of_mac(backend->hop.mac).s);
	else if (hop->hop.ifindex && hop->ifindex != device_in_force(exam, backend))
		report(exam, "backend", CERTAIN, &command,
		       "its packets leave by another device than its route says",
		       "the route to the backend %s of %s now leaves by %s", real.s, vip.s,
		       device ? device->name : "another device");
}

static void check_next_hop(struct exam *exam, const struct target *target,
			   const struct next_hops *hops)
{
	const struct hop_lookup *hop = target->hop;
	const char *why;

	if (is_no_host(hop, &why) ||
	    (is_unreachable(hop, &why) && (hop->type != RTN_UNICAST || !hop->is_ethernet)))
		report_no_route(exam, target, why);
	else if (is_unreachable(hop, &why) && target->claim->is_claimed)
		report_deaf(exam, target);
	else if (is_unreachable(hop, &why))
		report_dead(exam, target, hops, why);
	else if (hop->needs_mac && target->service->mode == MODE_DSR && has_gateway(hop))
		report_gateway(exam, target);
	else if (hop->type == RTN_UNICAST)
		check_change(exam, target);
}

void check_next_hops(struct exam *exam, const struct configuration *config,
		     const struct next_hops *hops)
{
	for_each_service(service, config) {
		for_each_backend(backend, service) {
			const struct hop_lookup *hop = find_lookup(&hops->found, backend);
			struct target target = { service, backend, hop, NULL };

			if (!hop || backend->state == STATE_DOWN)
				continue;
			target.claim = &hops->claims[hop - hops->found.lookup];
			check_next_hop(exam, &target, hops);
		}
	}
}

/* Asks once more, from no address, for the next hops of a device that did not answer. IPv6 asks
 * from a link's own address, which nobody takes for forged. */
static void ask_again(const struct device *device, struct next_hops *hops)
{
	const struct hop_lookups *found = &hops->found;
	struct address_claim *claims = calloc(found->count + 1, sizeof(*claims));
	unsigned int *index = calloc(found->count + 1, sizeof(*index)), count = 0;
	const char *why;

	for (unsigned int i = 0; i < found->count && claims && index; i++) {
		const struct hop_lookup *hop = &found->lookup[i];

		if (hop->ifindex != device->ifindex || !is_unreachable(hop, &why) ||
		    !is_ipv4(&hop->next))
			continue;
		claims[count].address = hop->next;
		index[count++] = i;
	}
	if (count && !find_claims(device, claims, count)) {
		for (unsigned int i = 0; i < count; i++)
			hops->claims[index[i]] = claims[i];
	}
	free(claims);
	free(index);
}

/* Looks up the next hops of all backends that are not down, anew. */
static bool look_up(struct balancer *balancer, const struct configuration *config,
		    struct hop_lookups *found)
{
	struct configuration copy;
	bool done;

	if (!config_copy(&copy, config))
		return false;
	for_each_service(service, &copy) {
		for_each_backend(backend, service)
			backend->is_pending = backend->state != STATE_DOWN;
	}
	done = collect_lookups(found, &copy) >= 0 && !resolve_next_hops(found, balancer);
	config_free(&copy);
	return done;
}

bool find_next_hops(const struct exam *exam, struct balancer *balancer,
		    const struct configuration *config, struct next_hops *hops)
{
	int home;

	memset(hops, 0, sizeof(*hops));
	hops->found.anew = true;
	if (!look_up(balancer, config, &hops->found))
		return false;
	hops->claims = calloc(hops->found.count + 1, sizeof(*hops->claims));
	home = hops->claims ? netns_enter(&exam->subject.netns) : -1;
	if (home < 0)
		return hops->claims;
	for (int i = 0; i < exam->device_count; i++)
		ask_again(&exam->devices[i], hops);
	netns_leave(home);
	return true;
}

void free_next_hops(struct next_hops *hops)
{
	free(hops->found.lookup);
	free(hops->claims);
}

/* The answers of a NAT backend come in by the device that its packets leave by. */
static void check_arm(struct exam *exam, const struct balancer *balancer,
		      const struct device *device)
{
	struct place *places = NULL;
	struct command_line command;
	bool attached = false;
	int count = find_places(&exam->subject.netns, &places);

	for (int i = 0; i < count; i++)
		attached |= places[i].ifindex == device->ifindex &&
			    places[i].balancer == balancer->id;
	free(places);
	if (attached)
		return;
	command = attach_command(exam, device, "");
	report(exam, "arm", CERTAIN, &command,
	       "their answers come in there, and the host gets them instead of the balancer",
	       "backends in mode nat are behind %s, to which the balancer is not attached",
	       device->name);
}

/* Whether backends are reached by the device; *nat: some in mode nat. */
static bool is_arm(const struct configuration *config, const struct device *device, bool *nat)
{
	bool used = false;

	*nat = false;
	for_each_service(service, config) {
		for_each_backend(backend, service) {
			if ((int)backend->hop.ifindex != device->ifindex)
				continue;
			used = true;
			*nat |= service->mode == MODE_NAT;
		}
	}
	return used;
}

void check_arms(struct exam *exam, const struct balancer *balancer,
		const struct configuration *config)
{
	for (int i = 0; i < exam->device_count; i++) {
		const struct device *device = &exam->devices[i];
		struct netns_device peer;
		bool nat;

		if (device->ifindex == exam->subject.device.ifindex ||
		    !is_arm(config, device, &nat))
			continue;
		if (nat)
			check_arm(exam, balancer, device);
		if (is_native(&exam->subject.device) && open_peer(exam, device, &peer)) {
			check_stub(exam, &peer, device);
			close_device(&peer);
		}
	}
}
