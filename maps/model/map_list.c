// SPDX-License-Identifier: GPL-2.0
#include "model/map_list.h"

const struct map_layout map_layouts[MAPS] = {
#define MAP_LAYOUT(index, name, key, value, entries) [index] = { name, key, value, entries },
	MAP_LIST(MAP_LAYOUT)
#undef MAP_LAYOUT
};
