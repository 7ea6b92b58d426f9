// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "kernel/netlink.h"
#include "model/attachment.h"
#include "model/discover.h"
#include "model/next_hop.h"

#define PATIENCE_MS 3500 /* the kernel asks three times, a second apart, and gives up after 3 s */
#define FIRST_PAUSE_MS 2
#define LONGEST_PAUSE_MS 50

#define NUD_USABLE (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

static int compare_lookups(const void *a, const void *b)
{
	const struct hop_lookup *x = a, *y = b;
	int order = memcmp(&x->to, &y->to, sizeof(x->to));

	return order ? order : x->needs_mac - y->needs_mac;
}

struct hop_lookup *find_lookup(const struct hop_lookups *lookups,
			       const struct config_backend *backend)
{
	struct hop_lookup key = { .to = backend->real.address, .needs_mac = !backend->mac_given };

	if (!lookups->count)
		return NULL;
	return bsearch(&key, lookups->lookup, lookups->count, sizeof(key), compare_lookups);
}

static bool add_lookup(struct hop_lookups *lookups, unsigned int at,
		       const struct config_backend *backend)
{
	if (at == lookups->room) {
		unsigned int room = lookups->room ? 2 * lookups->room : 16;
		struct hop_lookup *longer = realloc(lookups->lookup, room * sizeof(*longer));

		if (!longer)
			return false;
		lookups->lookup = longer;
		lookups->room = room;
	}
	memset(&lookups->lookup[at], 0, sizeof(*lookups->lookup));
	lookups->lookup[at].to = backend->real.address;
	lookups->lookup[at].needs_mac = !backend->mac_given;
	return true;
}

/* Sorts `end` lookups, of which lookups->count are sorted, and drops those that are there twice. */
static void sort_lookups(struct hop_lookups *lookups, unsigned int end)
{
	unsigned int kept = 0;

	if (end)
		qsort(lookups->lookup, end, sizeof(*lookups->lookup), compare_lookups);
	for (unsigned int i = 0; i < end; i++) {
		if (!kept || compare_lookups(&lookups->lookup[kept - 1], &lookups->lookup[i]))
			lookups->lookup[kept++] = lookups->lookup[i];
	}
	lookups->count = kept;
}

int collect_lookups(struct hop_lookups *lookups, struct configuration *config)
{
	unsigned int before = lookups->count, end = before;

	for_each_service(service, config) {
		for_each_record(backend, service) {
			if (!backend->is_pending || find_lookup(lookups, backend))
				continue;
			if (!add_lookup(lookups, end++, backend))
				return -ENOMEM;
		}
	}
	if (end > before)
		sort_lookups(lookups, end);
	return lookups->count - before;
}

static __u32 smaller(__u32 a, __u32 b)
{
	return a < b ? a : b;
}

/* By a VLAN device that is no arm a packet leaves where it came in, with the tag it came with. */
static bool leaves_by(const struct balancer *balancer, const struct device *device)
{
	return strcmp(device->kind, "vlan") ||
	       (device->program && balancer_of(device->program) == balancer->id);
}

static void find_route(struct hop_lookup *lookup, const struct balancer *balancer, int netlink,
		       const struct device *devices, int count)
{
	const struct device *device;
	struct route route;

	if (netlink_route(netlink, &lookup->to, &route))
		return;
	lookup->type = route.type;
	if (route.type != RTN_UNICAST)
		return;
	device = find_device(devices, count, route.ifindex);
	if (!device || !device->is_ethernet)
		return;
	lookup->is_ethernet = true;
	lookup->ifindex = route.ifindex;
	lookup->next = route.next;
	memcpy(lookup->hop.own_mac, device->mac, sizeof(device->mac));
	lookup->hop.ifindex = leaves_by(balancer, device) ? route.ifindex : 0;
	lookup->mtu = smaller(smaller(device->mtu, route.mtu ? route.mtu : device->mtu), 65535);
}

/* Looks for the MAC, and makes the kernel ask for it. Sets is_done when there is an end to it. */
static void find_mac(struct hop_lookup *lookup, int netlink, bool anew)
{
	struct neighbour neighbour;

	lookup->is_done = !lookup->needs_mac || !lookup->is_ethernet;
	if (lookup->is_done ||
	    netlink_neighbour(netlink, lookup->ifindex, &lookup->next, &neighbour))
		return;
	if (neighbour.state & (NUD_PERMANENT | NUD_NOARP))
		anew = false;
	if (neighbour.state & NUD_USABLE && (!anew || lookup->is_asked)) {
		memcpy(lookup->hop.mac, neighbour.mac, sizeof(neighbour.mac));
		lookup->is_done = true;
	} else if (!lookup->is_asked) {
		/* A question that is under way is not ours: it may be at its end. And ours may fail
		 * for lack of room. In both cases again, later. */
		if (!(neighbour.state & NUD_INCOMPLETE))
			lookup->is_asked = !netlink_probe(netlink, lookup->ifindex, &lookup->next,
							  anew);
	} else if (neighbour.state & NUD_FAILED) {
		lookup->is_done = true;
	}
}

static void pause_for(unsigned int milliseconds)
{
	struct timespec time = { .tv_nsec = milliseconds * 1000000L };

	nanosleep(&time, NULL);
}

static void find_macs(struct hop_lookups *lookups, int netlink)
{
	unsigned int pause = 0, waited = 0, left;

	do {
		left = 0;
		for (unsigned int i = 0; i < lookups->count; i++) {
			if (!lookups->lookup[i].is_done)
				find_mac(&lookups->lookup[i], netlink, lookups->anew);
			left += !lookups->lookup[i].is_done;
		}
		pause = pause < LONGEST_PAUSE_MS ? 2 * pause + FIRST_PAUSE_MS : LONGEST_PAUSE_MS;
		if (left)
			pause_for(pause);
		waited += pause;
	} while (left && waited < PATIENCE_MS);
	for (unsigned int i = 0; i < lookups->count; i++)
		lookups->lookup[i].is_done = true;
}

int open_netlink(struct balancer *balancer)
{
	int previous, netlink;

	if (place_balancer(balancer))
		return -EIO;
	previous = netns_enter(&balancer->netns);
	if (previous < 0) {
		fail(FAILED, "cannot enter the balancer's network namespace: %s",
		     strerror(-previous));
		return previous;
	}
	netlink = netlink_open();
	netns_leave(previous);
	if (netlink < 0)
		fail(FAILED, "cannot open a netlink socket: %s", strerror(-netlink));
	return netlink;
}

/* Looks up the routes of those that are not done. *devices is to be freed. */
static enum status look_up_routes(struct hop_lookups *lookups, const struct balancer *balancer,
				  int netlink, struct device **devices, int *count)
{
	*count = netlink_devices(netlink, devices);
	if (*count < 0)
		return fail(FAILED, "cannot list devices: %s", strerror(-*count));
	for (unsigned int i = 0; i < lookups->count; i++) {
		if (!lookups->lookup[i].is_done)
			find_route(&lookups->lookup[i], balancer, netlink, *devices, *count);
	}
	return DONE;
}

enum status resolve_next_hops(struct hop_lookups *lookups, struct balancer *balancer)
{
	struct device *devices = NULL;
	int netlink = open_netlink(balancer), count;
	enum status status;

	if (netlink < 0)
		return FAILED;
	status = look_up_routes(lookups, balancer, netlink, &devices, &count);
	if (!status)
		find_macs(lookups, netlink);
	free(devices);
	close(netlink);
	return status;
}

enum status find_routes(struct hop_lookups *lookups, struct balancer *balancer,
			struct device **devices, int *count)
{
	int netlink = open_netlink(balancer);
	enum status status;

	if (netlink < 0)
		return FAILED;
	status = look_up_routes(lookups, balancer, netlink, devices, count);
	for (unsigned int i = 0; i < lookups->count && !status; i++)
		lookups->lookup[i].is_done = true;
	close(netlink);
	return status;
}

bool is_no_host(const struct hop_lookup *lookup, const char **why)
{
	*why = lookup->type == RTN_LOCAL ? "an address of the balancer itself" :
					   "a broadcast address";
	return lookup->type == RTN_LOCAL || lookup->type == RTN_BROADCAST ||
	       lookup->type == RTN_MULTICAST;
}

bool has_gateway(const struct hop_lookup *lookup)
{
	return lookup->is_ethernet && !same_address(&lookup->to, &lookup->next);
}

bool keeps_tag(const struct hop_lookup *lookup)
{
	return lookup->is_ethernet && !lookup->hop.ifindex;
}

bool is_unreachable(const struct hop_lookup *lookup, const char **why)
{
	if (!lookup->needs_mac)
		return false;
	if (lookup->type != RTN_UNICAST)
		*why = "no route to it";
	else if (!lookup->is_ethernet)
		*why = "its route leaves by a device that is not Ethernet";
	else if (has_gateway(lookup))
		*why = "the gateway to it does not answer";
	else
		*why = "it does not answer";
	return !is_resolved(&lookup->hop);
}

void set_next_hop(struct config_backend *backend, const struct hop_lookup *lookup)
{
	struct hop hop = lookup->hop;

	if (backend->mac_given)
		memcpy(hop.mac, backend->hop.mac, sizeof(hop.mac));
	backend->hop = hop;
	backend->mtu = lookup->mtu;
	backend->is_pending = false;
}

bool is_local(struct balancer *balancer, const struct address *address)
{
	int netlink = open_netlink(balancer);
	struct route route = { 0 };

	if (netlink < 0)
		return false;
	if (netlink_route(netlink, address, &route))
		route.type = RTN_UNSPEC;
	close(netlink);
	return route.type == RTN_LOCAL;
}
