// SPDX-License-Identifier: GPL-2.0
/*
 * visit ADDRESS PORT RATE [PATIENCE]: until SIGUSR1, makes RATE connections a second, sends a line on
 * each, awaits an answer for PATIENCE ms (20000), and closes it. Prints "visits N answered N slowest MS
 * last MS", with the time (ms since 1970) when the last one began that was not answered, or 0.
 */
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "address.h"

#define AT_ONCE 4096 /* under way */
#define PATIENCE 20000 /* ms: a SYN that is lost is sent again after 1, 3, 7, 15 s */

struct visit {
	long began; /* ms */
	bool is_connected, is_answered;
};

struct visits {
	struct pollfd fd[AT_ONCE];
	struct visit visit[AT_ONCE];
	int under_way, begun, answered;
	long slowest, last_lost;
	long patience;
};

static volatile sig_atomic_t is_over;

static void stop(int number)
{
	(void)number;
	is_over = 1;
}

static long read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static long milliseconds(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static void begin(struct visits *visits, const union address *target)
{
	int fd = socket(target->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0)
		die("socket");
	if (connect(fd, &target->any, length_of(target)) && errno != EINPROGRESS)
		die("connect");
	visits->fd[visits->under_way] = (struct pollfd){ fd, POLLOUT, 0 };
	visits->visit[visits->under_way++] = (struct visit){ milliseconds(), false, false };
	visits->begun++;
}

/* Closes with a reset: there must be no lack of ports because of TIME_WAIT. */
static void end(struct visits *visits, int i)
{
	struct linger at_once = { .l_onoff = 1 };
	const struct visit *visit = &visits->visit[i];

	if (!visit->is_answered && visit->began > visits->last_lost)
		visits->last_lost = visit->began;
	setsockopt(visits->fd[i].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(visits->fd[i].fd);
	visits->under_way--;
	visits->fd[i] = visits->fd[visits->under_way];
	visits->visit[i] = visits->visit[visits->under_way];
}

/* Moves a visit on. Returns whether it has ended. */
static bool go_on(struct visits *visits, int i, long now)
{
	struct visit *visit = &visits->visit[i];
	struct pollfd *fd = &visits->fd[i];
	char answer[64];

	if (!fd->revents)
		return now - visit->began > visits->patience;
	if (!visit->is_connected) {
		visit->is_connected = true;
		fd->events = POLLIN;
		return write(fd->fd, "visit\n", 6) != 6;
	}
	if (read(fd->fd, answer, sizeof(answer)) > 0) {
		visit->is_answered = true;
		visits->answered++;
		if (now - visit->began > visits->slowest)
			visits->slowest = now - visit->began;
	}
	return true;
}

int main(int argc, char **argv)
{
	static struct visits visits;
	union address target;
	int rate;
	long start;

	if (argc != 4 && argc != 5) {
		fprintf(stderr, "usage: visit ADDRESS PORT RATE [PATIENCE]\n");
		return 2;
	}
	target = parse_address(argv[1], atoi(argv[2]));
	rate = atoi(argv[3]);
	visits.patience = argc == 5 ? atoi(argv[4]) : PATIENCE;
	signal(SIGUSR1, stop);
	start = milliseconds();
	while (!is_over || visits.under_way) {
		long now = milliseconds();

		while (!is_over && visits.under_way < AT_ONCE &&
		       visits.begun < (now - start) * rate / 1000)
			begin(&visits, &target);
		if (poll(visits.fd, visits.under_way, 5) < 0 && errno != EINTR)
			die("poll");
		for (int i = visits.under_way; i-- > 0;) {
			if (go_on(&visits, i, milliseconds()))
				end(&visits, i);
		}
	}
	if (visits.last_lost)
		visits.last_lost += read_clock(CLOCK_REALTIME) - milliseconds();
	printf("visits %d answered %d slowest %ld last %ld\n", visits.begun, visits.answered,
	       visits.slowest, visits.last_lost);
	return 0;
}
