// SPDX-License-Identifier: GPL-2.0
#include "model/map_list.h"

const struct map_layout map_layouts[MAPS] = {
#define MAP_LAYOUT(index, name, key, value, entries) [index] = { name, key, value, entries },
	MAP_LIST(MAP_LAYOUT)
#undef MAP_LAYOUT
};

bool is_packet_map(enum map_index index)
{
	return index == MAP_BUCKETS || index == MAP_FLOWS || index == MAP_DIRECT ||
	       index == MAP_FRAGMENTS || index == MAP_SOURCES || index == MAP_ANSWERS ||
	       index == MAP_SOCKETS;
}
