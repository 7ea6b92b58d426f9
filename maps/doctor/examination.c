// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/options.h"
#include "doctor/examination.h"

void close_port(struct port *port)
{
	if (port->ethtool >= 0)
		close(port->ethtool);
	netns_close(&port->netns);
}

/* Opens the port's sockets in its namespace. */
static int open_port(struct port *port, int *netlink)
{
	int way_back = netns_enter(&port->netns);

	if (way_back < 0)
		return way_back;
	*netlink = netlink_open();
	port->ethtool = ethtool_open();
	netns_leave(way_back);
	return *netlink < 0 ? *netlink : port->ethtool < 0 ? port->ethtool : 0;
}

static bool take_device(const struct device *devices, int count, const char *name,
			struct device *device)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(devices[i].name, name))
			continue;
		*device = devices[i];
		return true;
	}
	return false;
}

/* Looks for the peer in the namespace of `port`; its sockets stay open if it is there. */
static bool find_peer(struct port *port, int ifindex)
{
	struct device *devices = NULL;
	const struct device *found;
	int netlink = -1, count = open_port(port, &netlink);

	if (!count)
		count = netlink_devices(netlink, &devices);
	found = count > 0 ? find_device(devices, count, ifindex) : NULL;
	if (found)
		port->device = *found;
	if (netlink >= 0)
		close(netlink);
	free(devices);
	return found;
}

bool open_peer(const struct patient *patient, const struct device *device, struct port *peer)
{
	struct netns *list;
	int count;
	bool found = false;

	memset(peer, 0, sizeof(*peer));
	peer->ethtool = -1;
	if (strcmp(device->kind, "veth") || !device->peer)
		return false;
	count = netns_list(&list);
	for (int i = 0; i < count && !found; i++) {
		bool same = list[i].inode == patient->port.netns.inode;

		if (device->peer_elsewhere ?
			    netlink_nsid(patient->netlink, list[i].fd) != device->peer_nsid :
			    !same)
			continue;
		peer->netns = list[i];
		list[i].fd = -1;
		found = find_peer(peer, device->peer);
		if (!found)
			close_port(peer);
	}
	if (count > 0)
		netns_free(list, count);
	return found;
}

enum status examine_device(struct patient *patient)
{
	const char *netns = options.selection.netns, *name = options.selection.device;
	struct port *port = &patient->port;
	int result;

	if (geteuid())
		return fail(FAILED, "not permitted: xdp-lb must be run as root");
	if (netns_open(netns, &port->netns))
		return fail(FAILED, "'%.64s': no such network namespace", netns ? netns : "");
	result = open_port(port, &patient->netlink);
	if (!result)
		result = netlink_devices(patient->netlink, &patient->devices);
	if (result < 0)
		return fail(FAILED, "cannot list devices: %s", strerror(-result));
	patient->device_count = result;
	if (!take_device(patient->devices, result, name, &port->device))
		return fail(FAILED, "'%.64s': no such device", name);
	ethtool_driver(port->ethtool, name, patient->driver);
	patient->has_peer = open_peer(patient, &port->device, &patient->peer);
	return DONE;
}
