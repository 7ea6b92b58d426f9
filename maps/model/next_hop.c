// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "kernel/netlink.h"
#include "model/discover.h"
#include "model/next_hop.h"

#define PATIENCE_MS 3500 /* the kernel asks three times, a second apart, and gives up after 3 s */
#define FIRST_PAUSE_MS 2
#define LONGEST_PAUSE_MS 50

#define NUD_USABLE (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

static int compare_ways(const void *a, const void *b)
{
	const struct way *x = a, *y = b;
	int order = memcmp(&x->to, &y->to, sizeof(x->to));

	return order ? order : x->needs_mac - y->needs_mac;
}

struct way *find_way(const struct ways *ways, const struct conf_backend *backend)
{
	struct way key = { .to = backend->real.address, .needs_mac = !backend->mac_given };

	if (!ways->count)
		return NULL;
	return bsearch(&key, ways->way, ways->count, sizeof(key), compare_ways);
}

static bool add_way(struct ways *ways, unsigned int at, const struct conf_backend *backend)
{
	if (at == ways->room) {
		unsigned int room = ways->room ? 2 * ways->room : 16;
		struct way *longer = realloc(ways->way, room * sizeof(*longer));

		if (!longer)
			return false;
		ways->way = longer;
		ways->room = room;
	}
	memset(&ways->way[at], 0, sizeof(*ways->way));
	ways->way[at].to = backend->real.address;
	ways->way[at].needs_mac = !backend->mac_given;
	return true;
}

/* Sorts `end` ways, of which ways->count are sorted, and drops those that are there twice. */
static void sort_ways(struct ways *ways, unsigned int end)
{
	unsigned int kept = 0;

	if (end)
		qsort(ways->way, end, sizeof(*ways->way), compare_ways);
	for (unsigned int i = 0; i < end; i++) {
		if (!kept || compare_ways(&ways->way[kept - 1], &ways->way[i]))
			ways->way[kept++] = ways->way[i];
	}
	ways->count = kept;
}

int collect_ways(struct ways *ways, const struct conf *conf)
{
	unsigned int before = ways->count, end = before;

	for (unsigned int i = 0; i < conf->count; i++) {
		const struct conf_service *service = &conf->services[i];

		for (unsigned int j = 0; j < service->count; j++) {
			if (!service->backends[j].is_pending ||
			    find_way(ways, &service->backends[j]))
				continue;
			if (!add_way(ways, end++, &service->backends[j]))
				return -ENOMEM;
		}
	}
	if (end > before)
		sort_ways(ways, end);
	return ways->count - before;
}

static __u32 smaller(__u32 a, __u32 b)
{
	return a < b ? a : b;
}

static void find_route(struct way *way, int netlink, const struct device *devices, int count)
{
	const struct device *device;
	struct route route;

	if (netlink_route(netlink, &way->to, &route))
		return;
	way->type = route.type;
	if (route.type != RTN_UNICAST)
		return;
	device = find_device(devices, count, route.ifindex);
	if (!device || !device->is_ethernet)
		return;
	way->is_ethernet = true;
	way->ifindex = route.ifindex;
	way->next = route.next;
	memcpy(way->hop.own_mac, device->mac, sizeof(device->mac));
	/* By a VLAN device it leaves where it came in, with the tag that it came with. */
	way->hop.ifindex = strcmp(device->kind, "vlan") ? route.ifindex : 0;
	way->mtu = smaller(smaller(device->mtu, route.mtu ? route.mtu : device->mtu), 65535);
}

/* Looks for the MAC, and makes the kernel ask for it. Sets is_done when there is an end to it. */
static void find_mac(struct way *way, int netlink, bool anew)
{
	struct neighbour neighbour;

	way->is_done = !way->needs_mac || !way->is_ethernet;
	if (way->is_done || netlink_neighbour(netlink, way->ifindex, &way->next, &neighbour))
		return;
	if (neighbour.state & (NUD_PERMANENT | NUD_NOARP))
		anew = false;
	if (neighbour.state & NUD_USABLE && (!anew || way->is_asked)) {
		memcpy(way->hop.mac, neighbour.mac, sizeof(neighbour.mac));
		way->is_done = true;
	} else if (!way->is_asked) {
		/* A question that is under way is not ours: it may be at its end. And ours may fail
		 * for lack of room. In both cases again, later. */
		if (!(neighbour.state & NUD_INCOMPLETE))
			way->is_asked = !netlink_probe(netlink, way->ifindex, &way->next, anew);
	} else if (neighbour.state & NUD_FAILED) {
		way->is_done = true;
	}
}

static void pause_for(unsigned int milliseconds)
{
	struct timespec time = { .tv_nsec = milliseconds * 1000000L };

	nanosleep(&time, NULL);
}

static void find_macs(struct ways *ways, int netlink)
{
	unsigned int pause = 0, waited = 0, left;

	do {
		left = 0;
		for (unsigned int i = 0; i < ways->count; i++) {
			if (!ways->way[i].is_done)
				find_mac(&ways->way[i], netlink, ways->anew);
			left += !ways->way[i].is_done;
		}
		pause = pause < LONGEST_PAUSE_MS ? 2 * pause + FIRST_PAUSE_MS : LONGEST_PAUSE_MS;
		if (left)
			pause_for(pause);
		waited += pause;
	} while (left && waited < PATIENCE_MS);
	for (unsigned int i = 0; i < ways->count; i++)
		ways->way[i].is_done = true;
}

/* A netlink socket in the balancer's namespace, or -errno after saying so. */
static int open_netlink(struct balancer *balancer)
{
	int way_back, netlink;

	if (place_balancer(balancer))
		return -EIO;
	way_back = netns_enter(&balancer->netns);
	if (way_back < 0) {
		fail(FAILED, "cannot enter the balancer's network namespace: %s",
		     strerror(-way_back));
		return way_back;
	}
	netlink = netlink_open();
	netns_leave(way_back);
	if (netlink < 0)
		fail(FAILED, "cannot open a netlink socket: %s", strerror(-netlink));
	return netlink;
}

enum status resolve_ways(struct ways *ways, struct balancer *balancer)
{
	struct device *devices = NULL;
	int netlink = open_netlink(balancer), count;

	if (netlink < 0)
		return FAILED;
	count = netlink_devices(netlink, &devices);
	if (count < 0) {
		close(netlink);
		return fail(FAILED, "cannot list devices: %s", strerror(-count));
	}
	for (unsigned int i = 0; i < ways->count; i++) {
		if (!ways->way[i].is_done)
			find_route(&ways->way[i], netlink, devices, count);
	}
	find_macs(ways, netlink);
	free(devices);
	close(netlink);
	return DONE;
}

bool is_bad_way(const struct way *way, const char **why)
{
	*why = way->type == RTN_LOCAL ? "an address of the balancer itself" : "a broadcast address";
	return way->type == RTN_LOCAL || way->type == RTN_BROADCAST || way->type == RTN_MULTICAST;
}

bool has_gateway(const struct way *way)
{
	return way->is_ethernet && !same_address(&way->to, &way->next);
}

bool is_dead_way(const struct way *way, const char **why)
{
	if (!way->needs_mac)
		return false;
	if (way->type != RTN_UNICAST)
		*why = "no route to it";
	else if (!way->is_ethernet)
		*why = "its route leaves by a device that is not Ethernet";
	else if (has_gateway(way))
		*why = "the gateway to it does not answer";
	else
		*why = "it does not answer";
	return !is_resolved(&way->hop);
}

void take_way(struct conf_backend *backend, const struct way *way)
{
	struct hop hop = way->hop;

	if (backend->mac_given)
		memcpy(hop.mac, backend->hop.mac, sizeof(hop.mac));
	backend->hop = hop;
	backend->mtu = way->mtu;
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
