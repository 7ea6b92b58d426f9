// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/bpf.h"
#include "kernel/netlink.h"
#include "model/carry_over.h"
#include "model/discover.h"
#include "model/pins.h"

#define MAX_BALANCERS 64

/* Opens the map, if it is one of the balancer's. */
static int keep_map(int map, const struct bpf_map_info *info, void *argument)
{
	struct balancer *balancer = argument;

	for (int i = 0; i < MAPS; i++) {
		if (!strcmp(info->name, map_layouts[i].name) && balancer->map[i] < 0)
			balancer->map[i] = dup(map);
	}
	return 0;
}

static enum status open_by_program(__u32 program, struct balancer *balancer)
{
	int result = visit_maps(program, keep_map, balancer);

	if (result < 0)
		return fail(FAILED, "cannot read program %u: %s", program, strerror(-result));
	balancer->program = program;
	return DONE;
}

/* The balancers of all loaded programs, and a program of each. Returns their number or -errno. */
static int list_balancers(__u32 *balancers, __u32 *programs)
{
	__u32 program = 0;
	int count = 0, result;

	while (!(result = program_next_id(&program))) {
		__u32 balancer = balancer_of(program);
		int i = 0;

		while (i < count && balancers[i] != balancer)
			i++;
		if (!balancer || i < count || count == MAX_BALANCERS)
			continue;
		balancers[count] = balancer;
		programs[count++] = program;
	}
	return result == -ENOENT ? count : result;
}

static enum status say_choices(const struct place *places, int count)
{
	char text[600] = "";
	size_t length = 0;

	for (int i = 0; i < count && length < sizeof(text) - 100; i++)
		length += snprintf(text + length, sizeof(text) - length, "%s%s%s%s-d %s",
				   i ? ", " : "", *places[i].netns ? "-n " : "", places[i].netns,
				   *places[i].netns ? " " : "", places[i].device);
	return fail(FAILED, "several balancers, choose one of: %s", text);
}

/* Takes the one balancer that the places have in common. */
static enum status open_by_place(const struct place *places, int count, struct balancer *balancer)
{
	__u32 program;
	int balancers;
	__u32 ids[MAX_BALANCERS] = { 0 }, programs[MAX_BALANCERS] = { 0 };

	for (int i = 1; i < count; i++) {
		if (places[i].balancer != places[0].balancer)
			return say_choices(places, count);
	}
	program = places[0].program;
	balancers = list_balancers(ids, programs);
	for (int i = 0; i < balancers; i++) {
		if (ids[i] == places[0].balancer)
			program = programs[i];
	}
	return open_by_program(program, balancer);
}

/* The same; its place is the first, in `netns`, which it takes. */
static enum status open_in_netns(const struct place *places, int count, struct netns *netns,
				 struct balancer *balancer)
{
	enum status status = open_by_place(places, count, balancer);

	if (status)
		return status;
	balancer->place = places[0];
	balancer->netns = *netns;
	balancer->is_placed = true;
	netns->fd = -1;
	return DONE;
}

/* What says which one it is: the options that select it. */
struct selector {
	char s[200];
};

/* One that is on no device that is seen from here: by its pins, or the only program. */
static enum status open_detached(struct balancer *balancer, struct selector *selector)
{
	__u32 ids[MAX_BALANCERS], programs[MAX_BALANCERS];
	int count;

	for (int i = 0; i < PIN_DIRECTORIES; i++) {
		if (!open_pins(pin_directories[i], balancer))
			continue;
		snprintf(selector->s, sizeof(selector->s), "-p %s", pin_directories[i]);
		return DONE;
	}
	count = list_balancers(ids, programs);
	if (count == -EPERM)
		return fail(FAILED, "not permitted: xdp-lb must be run as root");
	if (count < 0)
		return fail(FAILED, "cannot list BPF programs: %s", strerror(-count));
	if (!count)
		return fail(FAILED, "no balancer found: its program is on no device (see make "
				    "attach)");
	if (count > 1)
		return fail(FAILED, "several balancers are loaded and none is on a device "
				    "seen from here: choose one by -p PINDIR");
	snprintf(selector->s, sizeof(selector->s), "-p PINDIR (program id %u, on no device here)",
		 programs[0]);
	return open_by_program(programs[0], balancer);
}

/* There is none in this namespace. Whoever reads one that is elsewhere is told of it; what changes
 * something was perhaps meant for one that is gone. */
static enum status open_elsewhere(const struct selection *selection, struct balancer *balancer)
{
	struct selector selector;
	struct place *places;
	enum status status;
	int count = find_places(NULL, &places);

	if (count > 0) {
		status = open_by_place(places, count, balancer);
		snprintf(selector.s, sizeof(selector.s), "-n %s -d %s", places[0].netns,
			 places[0].device);
	} else {
		status = open_detached(balancer, &selector);
	}
	free(places);
	if (status)
		return status;
	if (selection->is_for_change)
		return fail(FAILED, "no balancer in this network namespace: choose one, as %s",
			    selector.s);
	warn("no balancer in this network namespace: this is %s", selector.s);
	return DONE;
}

/* Nothing was said: that of this namespace. */
static enum status open_unselected(const struct selection *selection, struct balancer *balancer)
{
	struct place *places;
	enum status status;
	struct netns netns;
	int count;

	if (netns_open(NULL, &netns))
		return fail(FAILED, "cannot open the network namespace: %s", strerror(errno));
	count = find_places(&netns, &places);
	status = count > 0 ? open_in_netns(places, count, &netns, balancer) :
			     open_elsewhere(selection, balancer);
	netns_close(&netns);
	free(places);
	return status;
}

static const struct device *device_named(const struct device *devices, int count, const char *name)
{
	for (int i = 0; i < count; i++) {
		if (!strcmp(devices[i].name, name))
			return &devices[i];
	}
	return NULL;
}

/* Says why there is no balancer on the device that was named. */
static enum status say_missing(const struct netns *netns, const char *name)
{
	int previous = netns_enter(netns), netlink, count;
	struct device *devices = NULL;
	const struct device *device;
	enum status status;

	if (previous < 0)
		return fail(FAILED, "not permitted: xdp-lb must be run as root");
	netlink = netlink_open();
	netns_leave(previous);
	count = netlink < 0 ? 0 : netlink_devices(netlink, &devices);
	if (netlink >= 0)
		close(netlink);
	device = device_named(devices, count, name);
	if (!device)
		status = fail(FAILED, "'%.64s': no such device", name);
	else if (geteuid())
		status = fail(FAILED, "not permitted: xdp-lb must be run as root");
	else if (!device->program)
		status = fail(FAILED, "'%s': no XDP program on it (see make attach)", name);
	else
		status = fail(FAILED, "'%s': its XDP program is not xdp-lb's", name);
	free(devices);
	return status;
}

/* -n, -d: by the programs on devices of one namespace. */
static enum status open_selected(const struct selection *selection, struct balancer *balancer)
{
	struct place *places = NULL;
	enum status status;
	struct netns netns;
	int count, kept = 0;

	if (netns_open(selection->netns, &netns))
		return fail(FAILED, "'%.64s': no such network namespace",
			    selection->netns ? selection->netns : "");
	count = find_places(&netns, &places);
	for (int i = 0; i < count; i++) {
		if (!selection->device || !strcmp(places[i].device, selection->device))
			places[kept++] = places[i];
	}
	if (kept)
		status = open_in_netns(places, kept, &netns, balancer);
	else if (selection->device)
		status = say_missing(&netns, selection->device);
	else
		status = fail(FAILED, "'%.64s': no balancer in this namespace%s", selection->netns,
			      geteuid() ? " (xdp-lb must be run as root)" : "");
	netns_close(&netns);
	free(places);
	return status;
}

static enum status check_layout(struct balancer *balancer)
{
	int index = differing_map(balancer);
	__u32 layout = layout_of(balancer);

	balancer->is_for_sockets = has_no_packet_maps(balancer);
	if (index == MAPS)
		return DONE;
	if (layout < LAYOUT_VERSION)
		return fail(FAILED,
			    "the balancer's maps have layout %u, those of this xdp-lb %u: 'xdp-lb "
			    "upgrade DEV' takes the balancer over",
			    layout, LAYOUT_VERSION);
	if (balancer->map[index] < 0)
		return fail(FAILED, "the balancer has no map %s: it is of another version",
			    map_layouts[index].name);
	return fail(FAILED, "%s has another layout: the balancer is of another version",
		    map_layouts[index].name);
}

/* What is to be read may be older than this helper. */
static enum status take_layout(const struct selection *selection, struct balancer *balancer)
{
	if (selection->may_be_older && differing_map(balancer) != MAPS &&
	    layout_of(balancer) <= LAYOUT_VERSION)
		return become_copy(balancer);
	return check_layout(balancer);
}

enum status map_entries(struct balancer *balancer)
{
	balancer->config = map_memory(balancer->map[MAP_CONFIG], sizeof(struct config));
	balancer->backends = map_memory(balancer->map[MAP_BACKENDS],
					(MAX_BACKENDS + 1) * sizeof(struct backend));
	balancer->limits = map_memory(balancer->map[MAP_LIMITS],
				      (MAX_SERVICES + 1) * sizeof(struct limit));
	balancer->ports = map_memory(balancer->map[MAP_PORTS],
				     PORT_HINTS * sizeof(struct port_hints));
	balancer->answers = map_memory(balancer->map[MAP_REPLIES],
				       (MAX_SERVICES + 1) * sizeof(struct answer));
	balancer->checks = map_memory(balancer->map[MAP_CHECKS],
				      (MAX_SERVICES + 1) * sizeof(struct check));
	balancer->watcher = map_memory(balancer->map[MAP_WATCHER], sizeof(struct watcher));
	balancer->addresses = map_memory(balancer->map[MAP_ADDRESSES],
					 ADDRESSES * sizeof(struct address));
	balancer->live = map_memory(balancer->map[MAP_LIVE],
				    (MAX_BACKENDS + 1) * sizeof(struct live));
	balancer->least = map_memory(balancer->map[MAP_LEAST],
				     (MAX_SERVICES + 1) * sizeof(struct least));
	balancer->pool = map_memory(balancer->map[MAP_POOL], sizeof(struct pool));
	if (!balancer->config || !balancer->backends || !balancer->limits || !balancer->ports ||
	    !balancer->answers || !balancer->addresses || !balancer->pool || !balancer->live ||
	    !balancer->least || !balancer->checks || !balancer->watcher)
		return fail(FAILED, "cannot map the balancer's memory: %s", strerror(errno));
	return DONE;
}

enum status open_balancer(const struct selection *selection, struct balancer *balancer)
{
	enum status status = DONE;
	struct bpf_map_info info;

	memset(balancer, 0, sizeof(*balancer));
	balancer->lock = -1;
	balancer->role_lock = -1;
	for (int i = 0; i < MAPS; i++)
		balancer->map[i] = -1;
	if (selection->netns) /* where it is if it is attached nowhere */
		snprintf(balancer->place.netns, NETNS_NAME, "%s", selection->netns);
	if (selection->device || (selection->netns && !selection->pins))
		status = open_selected(selection, balancer);
	else if (!selection->pins)
		status = open_unselected(selection, balancer);
	else if (!open_pins(selection->pins, balancer))
		status = fail(FAILED, "'%.100s': no maps of a balancer are pinned there%s",
			      selection->pins, geteuid() ? " (xdp-lb must be run as root)" : "");
	if (!status && !map_info(balancer->map[MAP_SERVICES], &info))
		balancer->id = info.id;
	if (!status && selection->is_for_upgrade)
		return DONE;
	if (!status)
		status = take_layout(selection, balancer);
	if (!status)
		status = map_entries(balancer);
	if (status)
		close_balancer(balancer);
	return status;
}

enum status place_balancer(struct balancer *balancer)
{
	struct place *places = NULL;
	int count;

	if (balancer->is_placed)
		return DONE;
	count = find_places(NULL, &places);
	for (int i = 0; i < count && !balancer->place.ifindex; i++) {
		if (places[i].balancer == balancer->id)
			balancer->place = places[i];
	}
	free(places);
	if (netns_open(*balancer->place.netns ? balancer->place.netns : NULL, &balancer->netns))
		return fail(FAILED, "cannot open the balancer's network namespace: %s",
			    strerror(errno));
	balancer->is_placed = true;
	return DONE;
}
