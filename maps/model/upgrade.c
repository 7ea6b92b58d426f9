// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_link.h>

#include "kernel/bpf.h"
#include "kernel/netlink.h"
#include "model/carry_over.h"
#include "model/journal.h"
#include "model/pins.h"
#include "model/read_config.h"
#include "model/reconcile.h"
#include "model/upgrade.h"

#define FRAGS_NAME "xdp_lb_frags" /* of the program for buffers of several pages */

static void close_maps(struct balancer *balancer)
{
	for (int i = 0; i < MAPS; i++) {
		if (balancer->map[i] >= 0)
			close(balancer->map[i]);
		balancer->map[i] = -1;
	}
}

static bool has_layout(int map, int index)
{
	const struct map_layout *layout = &map_layouts[index];
	struct bpf_map_info info;

	return map >= 0 && !map_info(map, &info) && info.key_size == layout->key_size &&
	       info.value_size == layout->value_size && info.max_entries == layout->entries;
}

bool keeps_layout(const struct upgrade *upgrade)
{
	return upgrade->is_shared[MAP_CONFIG];
}

bool keeps_flows(const struct upgrade *upgrade)
{
	return upgrade->is_shared[MAP_FLOWS];
}

/* The configuration is shared as a whole, or carried over; records and their buckets belong
 * together, and no kernel takes what is in a ring for another program's. */
static void plan_maps(struct upgrade *upgrade)
{
	const struct balancer *old = &upgrade->old;
	bool is_same = differing_map(old) == MAPS;

	for (int i = 0; i < MAPS; i++)
		upgrade->is_shared[i] = is_same ||
					(!is_configuration(i) && has_layout(old->map[i], i));
	if (!upgrade->is_shared[MAP_FLOWS] || !upgrade->is_shared[MAP_BUCKETS])
		upgrade->is_shared[MAP_FLOWS] = upgrade->is_shared[MAP_BUCKETS] = false;
}

static bool has_places(const struct place *places, int count, __u32 balancer)
{
	for (int i = 0; i < count; i++) {
		if (places[i].balancer == balancer)
			return true;
	}
	return false;
}

/* One that was killed after a device had the new program, and before the pins were the new ones:
 * its maps are ready. Returns what is pinned yet, or 0: none was. */
static __u32 find_begun(struct upgrade *upgrade, const struct place *places, int count)
{
	__u32 pinned = 0;

	for (int i = 0; i < PIN_DIRECTORIES && !upgrade->is_begun; i++) {
		struct balancer next = { .id = 0 }, now = { .id = 0 };
		bool is_there = open_next_pins(pin_directories[i], &next);

		open_pins(pin_directories[i], &now);
		upgrade->is_begun = is_there && has_places(places, count, next.id) &&
				    differing_map(&next) == MAPS &&
				    (next.id == upgrade->old.id || now.id == upgrade->old.id);
		if (upgrade->is_begun) {
			pinned = now.id;
			for (int j = 0; j < MAPS; j++) {
				int map = upgrade->old.map[j];

				upgrade->old.map[j] = next.map[j];
				next.map[j] = map;
			}
			upgrade->old.id = next.id;
		} else if (is_there) {
			drop_next(pin_directories[i]);
		}
		close_maps(&next);
		close_maps(&now);
	}
	return pinned;
}

/* Keeps the places of the balancer, and of what a begun upgrade has left to do. */
static enum status plan_places(struct upgrade *upgrade)
{
	int count = find_places(NULL, &upgrade->places);
	__u32 id = upgrade->old.id, pinned = find_begun(upgrade, upgrade->places, count);

	for (int i = 0; i < count; i++) {
		const struct place *place = &upgrade->places[i];

		if (place->balancer != upgrade->old.id && place->balancer != id &&
		    (!pinned || place->balancer != pinned))
			continue;
		if (!balancer_of(place->program))
			return fail(FAILED,
				    "%s has it under a dispatcher of xdp-loader's: this takes "
				    "xdp-loader unload and load",
				    place->device);
		upgrade->places[upgrade->count++] = *place;
	}
	upgrade->former = malloc((upgrade->count + 1) * sizeof(*upgrade->former));
	if (!upgrade->former)
		return fail(FAILED, "out of memory");
	for (unsigned int i = 0; i < upgrade->count; i++)
		upgrade->former[i] = program_open_id(upgrade->places[i].program);
	return DONE;
}

enum status plan_upgrade(const struct selection *selection, struct upgrade *upgrade)
{
	struct selection any = *selection;
	enum status status;

	memset(upgrade, 0, sizeof(*upgrade));
	upgrade->loader.child = upgrade->program[0] = upgrade->program[1] = -1;
	for (int i = 0; i < MAPS; i++)
		upgrade->new.map[i] = -1;
	upgrade->new.lock = upgrade->new.role_lock = -1;
	any.is_for_upgrade = true;
	status = open_balancer(&any, &upgrade->old);
	if (status)
		return status;
	status = lock_balancer(&upgrade->old);
	if (!status && layout_of(&upgrade->old) > LAYOUT_VERSION)
		status = fail(FAILED, "the balancer's maps have layout %u, those of this xdp-lb %u",
			      layout_of(&upgrade->old), LAYOUT_VERSION);
	if (!status)
		status = plan_places(upgrade);
	if (!status)
		plan_maps(upgrade);
	return status;
}

static enum status load_programs(struct upgrade *upgrade)
{
	enum status status = start_loader(&upgrade->loader, &upgrade->old, upgrade->is_shared);
	struct bpf_prog_info info;
	__u32 maps;

	for (unsigned int i = 0; i < upgrade->count && !status; i++) {
		bool has_frags;

		maps = 0;
		if (program_info(upgrade->former[i], &info, NULL, &maps))
			return fail(FAILED, "cannot read the program on %s",
				    upgrade->places[i].device);
		has_frags = !strcmp(info.name, FRAGS_NAME);
		if (upgrade->program[has_frags] < 0)
			status = load_program(&upgrade->loader, has_frags,
					      &upgrade->program[has_frags]);
	}
	return status;
}

static int keep_map(int map, const struct bpf_map_info *info, void *argument)
{
	struct balancer *balancer = argument;

	for (int i = 0; i < MAPS; i++) {
		if (!strcmp(info->name, map_layouts[i].name) && balancer->map[i] < 0)
			balancer->map[i] = dup(map);
	}
	if (!strcmp(info->name, map_layouts[MAP_SERVICES].name))
		balancer->id = info->id;
	return 0;
}

static enum status open_new_maps(struct upgrade *upgrade)
{
	struct bpf_prog_info info;
	__u32 maps = 0;
	int program = upgrade->program[upgrade->program[0] < 0];

	if (program_info(program, &info, NULL, &maps) ||
	    visit_maps(info.id, keep_map, &upgrade->new))
		return fail(FAILED, "cannot read the new program");
	if (differing_map(&upgrade->new) != MAPS)
		return fail(FAILED, "the program and this xdp-lb are of different versions");
	return map_entries(&upgrade->new);
}

/* The configuration, with all that goes by it. The lock goes along. */
static enum status fill_new_maps(struct upgrade *upgrade)
{
	struct balancer from = upgrade->old;
	struct configuration config;
	enum status status;

	if (!keeps_flows(upgrade)) /* what is said of flows ends with them */
		from.map[MAP_LIVE] = from.map[MAP_PORTS] = -1;
	status = carry_config(&from, &upgrade->new);
	if (!status)
		status = read_config(&upgrade->new, &config, false);
	if (status)
		return status;
	upgrade->new.lock = upgrade->old.lock;
	upgrade->old.lock = -1;
	reconcile(&upgrade->new, &config, false);
	config_free(&config);
	return DONE;
}

/* Puts a program in the place of another. */
static int swap_program(const struct place *place, int program, int former)
{
	struct device *devices = NULL;
	const struct device *device;
	struct netns netns;
	int previous, netlink, count, result;

	result = netns_open(*place->netns ? place->netns : NULL, &netns);
	if (result)
		return result;
	previous = netns_enter(&netns);
	netns_close(&netns);
	if (previous < 0)
		return previous;
	netlink = netlink_open();
	netns_leave(previous);
	if (netlink < 0)
		return netlink;
	count = netlink_devices(netlink, &devices);
	device = find_device(devices, count, place->ifindex);
	result = device ? netlink_swap_xdp(netlink, device, program, former) : -ENODEV;
	free(devices);
	close(netlink);
	return result;
}

static int new_program(const struct upgrade *upgrade, unsigned int place)
{
	struct bpf_prog_info info;
	__u32 maps = 0;

	if (program_info(upgrade->former[place], &info, NULL, &maps))
		return -1;
	return upgrade->program[!strcmp(info.name, FRAGS_NAME)];
}

/* All devices, or none. */
static enum status swap_programs(struct upgrade *upgrade)
{
	for (unsigned int i = 0; i < upgrade->count; i++) {
		int result = swap_program(&upgrade->places[i], new_program(upgrade, i),
					  upgrade->former[i]);
		enum status status;

		if (!result)
			continue;
		status = fail(FAILED, "%s does not take the program: %s; the old one runs",
			      upgrade->places[i].device, strerror(-result));
		while (i-- > 0)
			swap_program(&upgrade->places[i], upgrade->former[i],
				     new_program(upgrade, i));
		return status;
	}
	return DONE;
}

/* Where the old maps are pinned. */
static bool is_pinned_in(const struct upgrade *upgrade, const char *directory)
{
	struct balancer pinned = { .id = 0 };
	bool is_there = open_pins(directory, &pinned);

	close_maps(&pinned);
	return is_there && pinned.id == upgrade->old.id;
}

static enum status stage_pins(const struct upgrade *upgrade)
{
	for (int i = 0; i < PIN_DIRECTORIES; i++) {
		int result;

		if (!is_pinned_in(upgrade, pin_directories[i]))
			continue;
		drop_next(pin_directories[i]);
		result = pin_next(pin_directories[i], &upgrade->new);
		if (!result)
			continue;
		drop_next(pin_directories[i]);
		return fail(FAILED, "cannot pin the new maps in %s: %s; nothing was changed",
			    pin_directories[i], strerror(-result));
	}
	return DONE;
}

static enum status settle_pins(const struct upgrade *upgrade, bool is_done)
{
	for (int i = 0; i < PIN_DIRECTORIES; i++) {
		struct balancer next = { .id = 0 };
		bool is_ours = open_next_pins(pin_directories[i], &next) &&
			       next.id == upgrade->new.id;
		int result = 0;

		close_maps(&next);
		if (is_ours && is_done)
			result = promote_next(pin_directories[i]);
		else if (is_ours)
			drop_next(pin_directories[i]);
		if (result)
			return fail(FAILED,
				    "the new program runs, but its pins in %s are not in place: "
				    "%s; 'xdp-lb upgrade' goes on",
				    pin_directories[i], strerror(-result));
	}
	return DONE;
}

enum status execute_upgrade(struct upgrade *upgrade)
{
	bool is_fresh = !keeps_layout(upgrade);
	enum status status = load_programs(upgrade);

	if (!status)
		status = open_new_maps(upgrade);
	if (!status && is_fresh)
		status = fill_new_maps(upgrade);
	if (!status && is_fresh)
		status = stage_pins(upgrade);
	if (status)
		return status;
	status = swap_programs(upgrade);
	if (is_fresh || upgrade->is_begun)
		status = settle_pins(upgrade, !status) ? FAILED : status;
	if (!status && is_fresh)
		remove_journal(&upgrade->old);
	return status;
}

void free_upgrade(struct upgrade *upgrade)
{
	if (upgrade->loader.child > 0)
		end_loader(&upgrade->loader);
	for (int i = 0; i < 2; i++) {
		if (upgrade->program[i] >= 0)
			close(upgrade->program[i]);
	}
	for (unsigned int i = 0; i < upgrade->count; i++)
		close(upgrade->former[i]);
	free(upgrade->former);
	free(upgrade->places);
	close_balancer(&upgrade->old);
	close_balancer(&upgrade->new);
}
