// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/bpf.h"
#include "kernel/netlink.h"
#include "model/attachment.h"
#include "model/map_list.h"

#define MAX_PROGRAM_MAPS 64

int visit_maps(__u32 program,
	       int (*visit)(int map, const struct bpf_map_info *info, void *argument),
	       void *argument)
{
	__u32 ids[MAX_PROGRAM_MAPS], count = MAX_PROGRAM_MAPS;
	struct bpf_map_info map;
	struct bpf_prog_info info;
	int fd = program_open_id(program);
	int result;

	if (fd < 0)
		return fd;
	result = program_info(fd, &info, ids, &count);
	close(fd);
	if (!result && info.type == BPF_PROG_TYPE_CGROUP_SOCK_ADDR)
		count = 0; /* those for sockets use a part of a balancer's maps */
	for (__u32 i = 0; i < count && !result; i++) {
		fd = map_open_id(ids[i]);
		if (fd < 0)
			continue;
		if (!map_info(fd, &map))
			result = visit(fd, &map, argument);
		close(fd);
	}
	return result;
}

static int note_services(int map, const struct bpf_map_info *info, void *argument)
{
	(void)map;
	if (strcmp(info->name, map_layouts[MAP_SERVICES].name))
		return 0;
	*(__u32 *)argument = info->id;
	return 1;
}

__u32 balancer_of(__u32 program)
{
	__u32 balancer = 0;

	visit_maps(program, note_services, &balancer);
	return balancer;
}

/* The balancer of a program that a link attaches to `dispatcher`, as libxdp does; or 0. */
static __u32 balancer_behind(__u32 dispatcher)
{
	struct bpf_link_info info;
	__u32 id = 0, balancer = 0;

	while (!balancer && !link_next_id(&id)) {
		int link = link_open_id(id);

		if (link < 0)
			continue;
		if (!link_info(link, &info) && info.type == BPF_LINK_TYPE_TRACING &&
		    info.tracing.target_obj_id == dispatcher)
			balancer = balancer_of(info.prog_id);
		close(link);
	}
	return balancer;
}

static int add_places(const struct netns *netns, struct place **places, int count)
{
	int previous = netns_enter(netns), netlink, devices;
	struct device *device = NULL;

	if (previous < 0)
		return count;
	netlink = netlink_open();
	netns_leave(previous);
	devices = netlink < 0 ? 0 : netlink_devices(netlink, &device);
	if (netlink >= 0)
		close(netlink);
	for (int i = 0; i < devices; i++) {
		struct place place = { .ifindex = device[i].ifindex, .program = device[i].program };
		struct place *longer;

		if (place.program)
			place.balancer = balancer_of(place.program);
		if (place.program && !place.balancer)
			place.balancer = balancer_behind(place.program);
		if (!place.balancer)
			continue;
		strcpy(place.netns, netns->name);
		strcpy(place.device, device[i].name);
		longer = realloc(*places, (count + 1) * sizeof(place));
		if (!longer)
			break;
		*places = longer;
		longer[count++] = place;
	}
	free(device);
	return count;
}

int find_places(const struct netns *only, struct place **places)
{
	struct netns *list;
	int namespaces, count = 0;

	*places = NULL;
	if (only)
		return add_places(only, places, 0);
	namespaces = netns_list(&list);
	if (namespaces < 0)
		return namespaces;
	for (int i = 0; i < namespaces; i++)
		count = add_places(&list[i], places, count);
	netns_free(list, namespaces);
	return count;
}
