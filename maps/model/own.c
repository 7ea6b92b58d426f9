// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/bpf.h"
#include "kernel/netlink.h"
#include "kernel/store.h"
#include "model/next_hop.h"
#include "model/own.h"
#include "model/vips.h"

#define MOST_STACKED 8 /* devices above each other */

struct own {
	struct own_key key;
	__u32 flags; /* OWN_* */
};

struct own_list {
	struct own *own; /* NULL: no memory */
	unsigned int count; /* at most MAX_OWN */
};

static void add(struct own_list *list, const struct own_key *key, __u32 flags)
{
	if (list->own && list->count < MAX_OWN)
		list->own[list->count++] = (struct own){ *key, flags };
}

static void add_backends(struct own_list *list, const struct config_service *service)
{
	for_each_backend(backend, service) {
		const struct endpoint *real = &backend->real;
		struct own_key key = { .address = real->address };

		add(list, &key, OWN_BACKEND);
		key.port = real->port ? real->port : service->vip.port;
		key.protocol = service->vip.protocol;
		add(list, &key, OWN_BACKEND);
	}
}

static void add_mac(struct own_list *list, int ifindex, const __u8 mac[6])
{
	struct own_key key = { .ifindex = ifindex };

	memcpy(key.mac, mac, sizeof(key.mac));
	add(list, &key, OWN_MAC);
}

struct devices {
	struct device *device;
	int count;
};

/* Whether frames that `lower` takes may be for `upper`: a macvlan or VLAN device on it (a veth's
 * peer is none), or the bridge that it is a port of. */
static bool is_above(const struct device *upper, const struct device *lower)
{
	if (lower->master == upper->ifindex)
		return true;
	return upper->peer == lower->ifindex && !upper->peer_elsewhere &&
	       strcmp(upper->kind, "veth");
}

/* The MACs for which a frame that comes in by `ifindex` is ours: those of `device` and of what is
 * on it. */
static void add_macs(struct own_list *list, const struct devices *devices,
		     const struct device *device, int ifindex, int depth)
{
	if (!device || depth == MOST_STACKED)
		return;
	if (device->is_ethernet)
		add_mac(list, ifindex, device->mac);
	for (int i = 0; i < devices->count; i++) {
		if (is_above(&devices->device[i], device))
			add_macs(list, devices, &devices->device[i], ifindex, depth + 1);
	}
}

/* The MACs of all devices that the balancer is on. An entry of none says that these are all. */
static void add_all_macs(struct own_list *list, struct balancer *balancer,
			 const struct devices *devices)
{
	static const __u8 none[6];
	struct place *places = NULL;
	int count = find_places(&balancer->netns, &places);

	for (int i = 0; i < count; i++) {
		int ifindex = places[i].ifindex;

		if (places[i].balancer != balancer->id)
			continue;
		add_macs(list, devices, find_device(devices->device, devices->count, ifindex),
			 ifindex, 0);
		add_mac(list, ifindex, none);
	}
	free(places);
}

/* What netlink says of the host. */
static int add_host(struct own_list *list, struct balancer *balancer)
{
	struct devices devices = { NULL, 0 };
	struct address *addresses = NULL;
	int netlink = open_netlink(balancer), count;

	if (netlink < 0)
		return netlink;
	count = netlink_addresses(netlink, &addresses);
	devices.count = count < 0 ? count : netlink_devices(netlink, &devices.device);
	close(netlink);
	for (int i = 0; i < count; i++) {
		struct own_key key = { .address = addresses[i] };

		add(list, &key, OWN_HOST);
	}
	if (devices.count > 0)
		add_all_macs(list, balancer, &devices);
	free(addresses);
	free(devices.device);
	return devices.count < 0 ? devices.count : 0;
}

static int compare_own(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct own_key));
}

/* Sorts a list, and makes one of entries that have the same key. */
static void sort_own(struct own_list *list)
{
	unsigned int kept = 0;

	qsort(list->own, list->count, sizeof(*list->own), compare_own);
	for (unsigned int i = 0; i < list->count; i++) {
		if (kept && !compare_own(&list->own[kept - 1], &list->own[i]))
			list->own[kept - 1].flags |= list->own[i].flags;
		else
			list->own[kept++] = list->own[i];
	}
	list->count = kept;
}

/* What the map has. */
static int read_own(const struct balancer *balancer, struct own_list *list)
{
	struct own_key *keys = malloc(MAX_OWN * sizeof(*keys));
	__u32 *values = malloc(MAX_OWN * sizeof(*values)), count = MAX_OWN;
	int result = -1;

	if (keys && values)
		result = map_read_all(balancer->map[MAP_OWN], keys, values, &count);
	for (__u32 i = 0; i < count && !result; i++)
		add(list, &keys[i], values[i]);
	free(keys);
	free(values);
	if (!result)
		sort_own(list);
	return result;
}

static void mark(const struct address *address, __u64 bits[KNOWN_WORDS])
{
	__u64 half[2];
	__u32 bit;

	memcpy(half, address, sizeof(half));
	bit = known_bit(half[0], half[1]);
	bits[bit / 64] |= 1ULL << bit % 64;
}

static void mark_hosts(const struct own_list *list, __u64 bits[KNOWN_WORDS])
{
	for (unsigned int i = 0; i < list->count; i++)
		if (list->own[i].flags & OWN_HOST)
			mark(&list->own[i].key.address, bits);
}

static int mark_vips(const struct balancer *balancer, __u64 bits[KNOWN_WORDS])
{
	struct vips vips;
	int result = read_vips(balancer, &vips);

	for (__u32 i = 0; i < vips.count && !result; i++)
		mark(&vips.address[i], bits);
	free_vips(&vips);
	return result;
}

/* Returns whether bits have changed. */
static bool store_bits(struct balancer *balancer, const __u64 bits[KNOWN_WORDS])
{
	bool has_changed = false;

	for (int i = 0; i < KNOWN_WORDS; i++) {
		if (balancer->config->known_bits[i] == bits[i])
			continue;
		store(balancer->config->known_bits[i], bits[i]);
		has_changed = true;
	}
	return has_changed;
}

void know_vip(struct balancer *balancer, const struct address *address)
{
	__u64 bits[KNOWN_WORDS];

	memcpy(bits, balancer->config->known_bits, sizeof(bits));
	mark(address, bits);
	store_bits(balancer, bits);
}

/* The entry of a sorted list that has the key, or NULL; `at` goes on from one call to the next. */
static const struct own *go_to(const struct own_list *list, unsigned int *at, const struct own *own)
{
	while (*at < list->count && compare_own(&list->own[*at], own) < 0)
		++*at;
	return *at < list->count && !compare_own(&list->own[*at], own) ? &list->own[*at] : NULL;
}

/* What is wanted comes first, then what is not goes; both lists are sorted. Returns whether
 * something of the host has gone or come, which CPUs cache. */
static bool write_differences(struct balancer *balancer, const struct own_list *running,
			      const struct own_list *wanted)
{
	int map = balancer->map[MAP_OWN];
	bool has_host_changed = false;
	unsigned int i, at = 0;

	for (i = 0; i < wanted->count; i++) {
		const struct own *own = &wanted->own[i], *old = go_to(running, &at, own);

		if (old && old->flags == own->flags)
			continue;
		map_update(map, &own->key, &own->flags, BPF_ANY);
		has_host_changed |= own->flags & (OWN_HOST | OWN_MAC);
	}
	for (i = 0, at = 0; i < running->count; i++) {
		const struct own *own = &running->own[i];

		if (go_to(wanted, &at, own))
			continue;
		map_delete(map, &own->key);
		has_host_changed |= own->flags & (OWN_HOST | OWN_MAC);
	}
	return has_host_changed;
}

/* The whole map anew, but for what it says of the host if that is not asked for. */
static int replace_own(struct balancer *balancer, const struct configuration *config,
		       bool with_host)
{
	struct own_list running = { malloc(MAX_OWN * sizeof(*running.own)), 0 };
	struct own_list wanted = { malloc(MAX_OWN * sizeof(*wanted.own)), 0 };
	__u64 bits[KNOWN_WORDS] = { 0 }, all_bits[KNOWN_WORDS];
	bool has_changed;
	int result = -1;

	if (running.own && wanted.own)
		result = read_own(balancer, &running);
	if (!result && with_host)
		result = add_host(&wanted, balancer);
	for (unsigned int i = 0; i < running.count && !with_host; i++) {
		if (running.own[i].flags & (OWN_HOST | OWN_MAC))
			add(&wanted, &running.own[i].key, running.own[i].flags & ~OWN_BACKEND);
	}
	for (unsigned int i = 0; i < config->count && !result; i++)
		add_backends(&wanted, &config->services[i]);
	if (!result)
		result = mark_vips(balancer, bits);
	if (!result) {
		sort_own(&wanted);
		mark_hosts(&wanted, bits);
		memcpy(all_bits, bits, sizeof(bits));
		mark_hosts(&running, all_bits);
		has_changed = store_bits(balancer, all_bits);
		has_changed |= write_differences(balancer, &running, &wanted);
		if (has_changed)
			stop_caching(balancer);
		store_bits(balancer, bits);
		if (!(balancer->config->flags & CONFIG_KNOWS_VIPS))
			set_bits(&balancer->config->flags, CONFIG_KNOWS_VIPS);
	}
	free(running.own);
	free(wanted.own);
	return result;
}

void sync_own(struct balancer *balancer, const struct configuration *config)
{
	replace_own(balancer, config, false);
}

enum status write_own(struct balancer *balancer, const struct configuration *config)
{
	if (replace_own(balancer, config, true))
		return FAILED;
	if (!balancer->config->knows_macs)
		store(balancer->config->knows_macs, 1);
	resume_caching(balancer);
	return DONE;
}
