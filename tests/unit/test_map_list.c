// SPDX-License-Identifier: GPL-2.0
/* The helper's list of maps says the same as the built objects, which have it from maps.bpf.h. */
#include <string.h>

#include <bpf/libbpf.h>

#include "check.h"
#include "model/map_list.h"
#include "maps.h"

static void test_listed(struct bpf_object *object, const struct map_layout *layout)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(object, layout->name);

	check(layout->name,
	      map && bpf_map__key_size(map) == layout->key_size &&
		      bpf_map__value_size(map) == layout->value_size &&
		      bpf_map__max_entries(map) == layout->entries,
	      "the object has %u, %u, %u, the list %u, %u, %u", map ? bpf_map__key_size(map) : 0,
	      map ? bpf_map__value_size(map) : 0, map ? bpf_map__max_entries(map) : 0,
	      layout->key_size, layout->value_size, layout->entries);
}

static void test_pinned(struct bpf_object *object, const struct map_layout *layout)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(object, layout->name);

	check("is pinned", map && bpf_map__pin_path(map), "%s", layout->name);
}

/* The programs for sockets have all but the data path's, and pin none. */
static void test_sockets(void)
{
	struct bpf_object *object = open_built("socket.bpf.o");
	const struct bpf_map *map = NULL;

	check("open the object", object, "no socket.bpf.o");
	for (int i = 0; object && i < MAPS; i++) {
		map = bpf_object__find_map_by_name(object, map_layouts[i].name);
		if (!is_packet_map(i))
			test_listed(object, &map_layouts[i]);
		check("for packets alone", !map == is_packet_map(i), "%s", map_layouts[i].name);
		check("is not pinned", !map || !bpf_map__pin_path(map), "%s", map_layouts[i].name);
	}
	bpf_object__close(object);
}

static bool is_listed(const char *name)
{
	for (int i = 0; i < MAPS; i++) {
		if (!strcmp(map_layouts[i].name, name))
			return true;
	}
	return false;
}

int main(void)
{
	struct bpf_object *object = open_built("xdp_lb.bpf.o");
	const struct bpf_map *map = NULL;

	check("open the object", object, "no xdp_lb.bpf.o");
	if (!object)
		return 1;
	for (int i = 0; i < MAPS; i++) {
		test_listed(object, &map_layouts[i]);
		test_pinned(object, &map_layouts[i]);
	}
	while ((map = bpf_object__next_map(object, map))) {
		if (bpf_map__pin_path(map))
			check("is in the list", is_listed(bpf_map__name(map)), "%s is not",
			      bpf_map__name(map));
	}
	bpf_object__close(object);
	test_sockets();
	return failures != 0;
}
