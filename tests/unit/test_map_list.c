// SPDX-License-Identifier: GPL-2.0
/* The helper's list of maps says the same as the built object, which has it from maps.bpf.h. */
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
	check("is pinned", map && bpf_map__pin_path(map), "%s", layout->name);
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
	struct bpf_object *object = open_built();
	const struct bpf_map *map = NULL;

	check("open the object", object, "no xdp_lb.bpf.o");
	if (!object)
		return 1;
	for (int i = 0; i < MAPS; i++)
		test_listed(object, &map_layouts[i]);
	while ((map = bpf_object__next_map(object, map))) {
		if (bpf_map__pin_path(map))
			check("is in the list", is_listed(bpf_map__name(map)), "%s is not",
			      bpf_map__name(map));
	}
	bpf_object__close(object);
	return failures != 0;
}
