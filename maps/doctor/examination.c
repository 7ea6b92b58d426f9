// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/options.h"
#include "doctor/examination.h"
#include "kernel/netdev.h"

void close_device(struct netns_device *subject)
{
	if (subject->ethtool >= 0)
		close(subject->ethtool);
	netns_close(&subject->netns);
}

/* Opens sockets in the device's namespace. */
static int open_device(struct netns_device *subject, int *netlink)
{
	int home = netns_enter(&subject->netns);

	if (home < 0)
		return home;
	*netlink = netlink_open();
	subject->ethtool = ethtool_open();
	netns_leave(home);
	return *netlink < 0 ? *netlink : subject->ethtool < 0 ? subject->ethtool : 0;
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

/* Looks for the peer in the namespace of `subject`; its sockets stay open if it is there. */
static bool find_peer(struct netns_device *subject, int ifindex)
{
	struct device *devices = NULL;
	const struct device *found;
	int netlink = -1, count = open_device(subject, &netlink);

	if (!count)
		count = netlink_devices(netlink, &devices);
	found = count > 0 ? find_device(devices, count, ifindex) : NULL;
	if (found)
		subject->device = *found;
	if (netlink >= 0)
		close(netlink);
	free(devices);
	return found;
}

bool open_peer(const struct exam *exam, const struct device *device, struct netns_device *peer)
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
		bool same = list[i].inode == exam->subject.netns.inode;

		if (device->peer_elsewhere ?
			    netlink_nsid(exam->netlink, list[i].fd) != device->peer_nsid :
			    !same)
			continue;
		peer->netns = list[i];
		list[i].fd = -1;
		found = find_peer(peer, device->peer);
		if (!found)
			close_device(peer);
	}
	if (count > 0)
		netns_free(list, count);
	return found;
}

/* Whether the driver runs XDP itself, as far as the kernel can tell. */
static bool takes_native(const struct netns_device *subject)
{
	int home = netns_enter(&subject->netns);
	__u64 features = 0;

	if (home < 0)
		return false;
	netdev_xdp_features(subject->device.ifindex, &features);
	netns_leave(home);
	return features & XDP_FEATURE_BASIC;
}

enum status open_exam(struct exam *exam)
{
	const char *netns = options.selection.netns, *name = options.selection.device;
	struct netns_device *subject = &exam->subject;
	int result;

	if (geteuid())
		return fail(FAILED, "not permitted: xdp-lb must be run as root");
	if (netns_open(netns, &subject->netns))
		return fail(FAILED, "'%.64s': no such network namespace", netns ? netns : "");
	result = open_device(subject, &exam->netlink);
	if (!result)
		result = netlink_devices(exam->netlink, &exam->devices);
	if (result < 0)
		return fail(FAILED, "cannot list devices: %s", strerror(-result));
	exam->device_count = result;
	if (!take_device(exam->devices, result, name, &subject->device))
		return fail(FAILED, "'%.64s': no such device", name);
	ethtool_driver(subject->ethtool, name, exam->driver);
	exam->takes_native = takes_native(subject);
	exam->has_peer = open_peer(exam, &subject->device, &exam->peer);
	return DONE;
}

void close_exam(struct exam *exam)
{
	if (exam->has_peer)
		close_device(&exam->peer);
	close_device(&exam->subject);
	if (exam->netlink >= 0)
		close(exam->netlink);
	free(exam->devices);
}
