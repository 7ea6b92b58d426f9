// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/bpf.h"
#include "model/pins.h"

const char *const pin_directories[PIN_DIRECTORIES] = {
	"/sys/fs/bpf/tc/globals",
	"/sys/fs/bpf/xdp/globals",
};

#define PREFIX "xlb_" /* of all maps' names */
#define NEXT PREFIX "next_" /* in its place until the name is free */

static bool path_of(char *path, const char *directory, const char *prefix, int index)
{
	return snprintf(path, PATH_MAX, "%s/%s%s", directory, prefix,
			map_layouts[index].name + strlen(PREFIX)) < PATH_MAX;
}

static void take_id(struct balancer *balancer)
{
	struct bpf_map_info info;

	if (balancer->map[MAP_SERVICES] >= 0 && !map_info(balancer->map[MAP_SERVICES], &info))
		balancer->id = info.id;
}

bool open_pins(const char *directory, struct balancer *balancer)
{
	char path[PATH_MAX];

	for (int i = 0; i < MAPS; i++) {
		if (!path_of(path, directory, PREFIX, i))
			return false;
		balancer->map[i] = map_open_pin(path);
	}
	take_id(balancer);
	return balancer->map[MAP_SERVICES] >= 0;
}

/* Some may have got their names already; the configuration's comes last. */
bool open_next_pins(const char *directory, struct balancer *next)
{
	char path[PATH_MAX];

	for (int i = 0; i < MAPS; i++) {
		path_of(path, directory, NEXT, i);
		next->map[i] = map_open_pin(path);
		if (i == MAP_CONFIG && next->map[i] < 0)
			return false;
		path_of(path, directory, PREFIX, i);
		if (next->map[i] < 0)
			next->map[i] = map_open_pin(path);
	}
	take_id(next);
	return next->map[MAP_SERVICES] >= 0;
}

_Static_assert(MAP_CONFIG == 0, "the first to be looked for, the last to be named");

int pin_next(const char *directory, const struct balancer *next)
{
	char path[PATH_MAX];

	for (int i = MAPS - 1; i >= 0; i--) {
		int result;

		path_of(path, directory, NEXT, i);
		result = object_pin(next->map[i], path);
		if (result)
			return result;
	}
	return 0;
}

int promote_next(const char *directory)
{
	char path[PATH_MAX], name[PATH_MAX];

	for (int i = MAPS - 1; i >= 0; i--) {
		path_of(path, directory, NEXT, i);
		path_of(name, directory, PREFIX, i);
		if (rename(path, name) && errno != ENOENT)
			return -errno;
	}
	return 0;
}

void drop_next(const char *directory)
{
	char path[PATH_MAX];

	for (int i = 0; i < MAPS; i++) {
		path_of(path, directory, NEXT, i);
		unlink(path);
	}
}
