/* SPDX-License-Identifier: GPL-2.0 */
/* Reading a BPF ring buffer (Documentation/bpf/ringbuf.rst). */
#ifndef KERNEL_RING_BUFFER_H
#define KERNEL_RING_BUFFER_H

#include <stdbool.h>
#include <linux/types.h>

struct ring {
	int map;
	__u32 size; /* bytes of data */
	unsigned long *consumed; /* a page of its own */
	unsigned long *produced; /* a page of its own, then the data, twice in a row */
};

/* Returns 0 or -errno. */
int ring_open(struct ring *ring, int map, __u32 size);
void ring_close(struct ring *ring);

/* Hands over what is there, until `take` returns false. Returns false if it did. */
bool ring_read(struct ring *ring, bool (*take)(const void *sample, __u32 size, void *argument),
	       void *argument);

#endif
