/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Updates of an array of maps. The kernel puts the maps there at once; but its call returns only
 * after a grace period, 6 to 20 ms later, for who might still use what was there before.
 */
#ifndef KERNEL_MAP_OF_MAPS_H
#define KERNEL_MAP_OF_MAPS_H

#include <pthread.h>
#include <stdbool.h>
#include <linux/types.h>

struct map_of_maps_update {
	pthread_t thread; /* waits for the call */
	int outer;
	const __u32 *keys, *maps;
	__u32 count;
	int result;
	bool has_thread, is_over;
};

/* Puts maps, by their descriptors, under keys that nobody uses. When it returns they are there.
 * Keys and maps have to stay until end_update(). Returns 0 or -errno. */
int begin_update(struct map_of_maps_update *update, int outer, const __u32 *keys, const __u32 *maps,
		 __u32 count);

/* Waits for the call. Nothing to do, if no update was begun. */
void end_update(struct map_of_maps_update *update);

#endif
