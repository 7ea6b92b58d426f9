// SPDX-License-Identifier: GPL-2.0
#include <string.h>
#include <unistd.h>

#include "kernel/bpf.h"
#include "kernel/map_of_maps.h"
#include "kernel/store.h"

#define LOOK_AGAIN 20 /* microseconds */

static void *make_call(void *context)
{
	struct map_of_maps_update *update = context;
	__u32 count = update->count;

	update->result = map_update_batch_unnoted(update->outer, update->keys, update->maps,
						  &count);
	__atomic_store_n(&update->is_over, true, __ATOMIC_RELEASE);
	return NULL;
}

/* Whether the last of the maps is there: the kernel takes them in their order. Before Linux 6.8
 * this look, too, waits for a grace period. */
static bool is_done(const struct map_of_maps_update *update)
{
	__u32 last = update->count - 1, id;
	struct bpf_map_info info;

	return !map_info(update->maps[last], &info) &&
	       !map_lookup(update->outer, &update->keys[last], &id) && id == info.id;
}

int begin_update(struct map_of_maps_update *update, int outer, const __u32 *keys, const __u32 *maps,
		 __u32 count)
{
	*update = (struct map_of_maps_update){
		.outer = outer,
		.keys = keys,
		.maps = maps,
		.count = count,
	};
	update->has_thread = !pthread_create(&update->thread, NULL, make_call, update);
	if (!update->has_thread)
		make_call(update);
	while (!__atomic_load_n(&update->is_over, __ATOMIC_ACQUIRE) && !is_done(update))
		usleep(LOOK_AGAIN);
	note_store();
	return __atomic_load_n(&update->is_over, __ATOMIC_ACQUIRE) ? update->result : 0;
}

void end_update(struct map_of_maps_update *update)
{
	if (update->has_thread)
		pthread_join(update->thread, NULL);
	update->has_thread = false;
}
