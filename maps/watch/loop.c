// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/clock.h"
#include "watch/loop.h"

#define MOST_EVENTS 64 /* of one call of the kernel */

static struct {
	int epoll;
	bool is_ended;
	struct timer **heap; /* heap[1] is due first; heap[0] is not used */
	unsigned int count, room;
	struct epoll_event events[MOST_EVENTS]; /* those at hand */
	int event_count, next;
} loop = { .epoll = -1 };

int loop_open(void)
{
	loop.epoll = epoll_create1(EPOLL_CLOEXEC);
	return loop.epoll < 0 ? -errno : 0;
}

int loop_add(struct io *io, __u32 events)
{
	struct epoll_event event = { .events = events, .data.ptr = io };

	return epoll_ctl(loop.epoll, EPOLL_CTL_ADD, io->fd, &event) ? -errno : 0;
}

void loop_remove(struct io *io)
{
	epoll_ctl(loop.epoll, EPOLL_CTL_DEL, io->fd, NULL);
	for (int i = loop.next; i < loop.event_count; i++) {
		if (loop.events[i].data.ptr == io)
			loop.events[i].data.ptr = NULL;
	}
}

static void put(struct timer *timer, unsigned int place)
{
	loop.heap[place] = timer;
	timer->place = place;
}

static void sift_up(struct timer *timer, unsigned int place)
{
	for (; place > 1 && timer->due < loop.heap[place / 2]->due; place /= 2)
		put(loop.heap[place / 2], place);
	put(timer, place);
}

static void sift_down(struct timer *timer, unsigned int place)
{
	unsigned int child;

	for (; (child = 2 * place) <= loop.count; place = child) {
		if (child < loop.count && loop.heap[child + 1]->due < loop.heap[child]->due)
			child++;
		if (timer->due <= loop.heap[child]->due)
			break;
		put(loop.heap[child], place);
	}
	put(timer, place);
}

static int make_room(void)
{
	unsigned int room = loop.room ? 2 * loop.room : 64;
	struct timer **longer;

	if (loop.count + 1 < loop.room)
		return 0;
	longer = realloc(loop.heap, room * sizeof(struct timer *));
	if (!longer)
		return -ENOMEM;
	loop.heap = longer;
	loop.room = room;
	return 0;
}

int timer_set(struct timer *timer, __u64 due)
{
	int result;

	timer_clear(timer);
	result = make_room();
	if (result)
		return result;
	timer->due = due;
	sift_up(timer, ++loop.count);
	return 0;
}

void timer_clear(struct timer *timer)
{
	unsigned int place = timer->place;
	struct timer *last;

	if (!place)
		return;
	timer->place = 0;
	last = loop.heap[loop.count--];
	if (last == timer)
		return;
	sift_up(last, place);
	sift_down(last, last->place);
}

static void expire_timers(void)
{
	__u64 now = nanosecond_now();

	while (loop.count && loop.heap[1]->due <= now && !loop.is_ended) {
		struct timer *timer = loop.heap[1];

		timer_clear(timer);
		timer->expire(timer);
	}
}

/* Milliseconds until the next timer is due, rounded up; -1: there is none. */
static int time_left(void)
{
	__u64 now = nanosecond_now(), left;

	if (!loop.count)
		return -1;
	if (loop.heap[1]->due <= now)
		return 0;
	left = (loop.heap[1]->due - now + NS_PER_MS - 1) / NS_PER_MS;
	return left < 1000 ? left : 1000;
}

int loop_run(void)
{
	while (!loop.is_ended) {
		loop.next = 0;
		loop.event_count = epoll_wait(loop.epoll, loop.events, MOST_EVENTS, time_left());
		if (loop.event_count < 0 && errno != EINTR)
			return -errno;
		while (loop.next < loop.event_count && !loop.is_ended) {
			struct epoll_event *event = &loop.events[loop.next++];
			struct io *io = event->data.ptr;

			if (io)
				io->ready(io, event->events);
		}
		expire_timers();
	}
	return 0;
}

void loop_end(void)
{
	loop.is_ended = true;
}
