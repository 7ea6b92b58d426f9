// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/bpf.h>

#include "kernel/ring_buffer.h"

int ring_open(struct ring *ring, int map, __u32 size)
{
	long page = sysconf(_SC_PAGESIZE);

	memset(ring, 0, sizeof(*ring));
	ring->map = map;
	ring->size = size;
	ring->consumed = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	if (ring->consumed == MAP_FAILED)
		return -errno;
	ring->produced = mmap(NULL, page + 2UL * size, PROT_READ, MAP_SHARED, map, page);
	if (ring->produced == MAP_FAILED) {
		munmap(ring->consumed, page);
		return -errno;
	}
	return 0;
}

void ring_close(struct ring *ring)
{
	long page = sysconf(_SC_PAGESIZE);

	munmap(ring->consumed, page);
	munmap(ring->produced, page + 2UL * ring->size);
}

bool ring_read(struct ring *ring, bool (*take)(const void *sample, __u32 size, void *argument),
	       void *argument)
{
	const char *data = (const char *)ring->produced + sysconf(_SC_PAGESIZE);
	unsigned long at = *ring->consumed;
	bool goes_on = true;

	while (goes_on && at < __atomic_load_n(ring->produced, __ATOMIC_ACQUIRE)) {
		const char *record = data + (at & (ring->size - 1));
		__u32 header = __atomic_load_n((const __u32 *)record, __ATOMIC_ACQUIRE);
		__u32 size = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

		if (header & BPF_RINGBUF_BUSY_BIT)
			break;
		if (!(header & BPF_RINGBUF_DISCARD_BIT))
			goes_on = take(record + BPF_RINGBUF_HDR_SZ, size, argument);
		at += (size + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
		__atomic_store_n(ring->consumed, at, __ATOMIC_RELEASE);
	}
	return goes_on;
}
