/* SPDX-License-Identifier: GPL-2.0 */
/* The event loop of `watch`: descriptors and timers, in one thread. */
#ifndef WATCH_LOOP_H
#define WATCH_LOOP_H

#include <stdbool.h>
#include <linux/types.h>
#include <sys/epoll.h>

/* A descriptor that is waited for. Part of what it belongs to: `ready` gets there by owner_of(). */
struct io {
	int fd;
	void (*ready)(struct io *io, __u32 events); /* EPOLL* */
};

/* A timer runs once; `expire` may set it anew. One that is zero is not set. */
struct timer {
	__u64 due; /* ns of CLOCK_MONOTONIC */
	void (*expire)(struct timer *timer);
	unsigned int place; /* in the heap, from 1 on; 0: not set */
};

/* The structure that has `member` at `pointer`. */
#define owner_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#define NS_PER_MS 1000000ULL
#define NS_PER_SECOND 1000000000ULL

/* All return 0 or -errno. */
int loop_open(void);
int loop_add(struct io *io, __u32 events);
/* Before the descriptor is closed. The io may be freed, and its `ready` is not called any more. */
void loop_remove(struct io *io);
int timer_set(struct timer *timer, __u64 due); /* also if it is set already */
void timer_clear(struct timer *timer);

/* Until loop_end() is called. */
int loop_run(void);
void loop_end(void);

#endif
