// SPDX-License-Identifier: GPL-2.0
/*
 * visit ADDRESS PORT RATE: until SIGUSR1, makes RATE connections a second, sends a line on each,
 * awaits an answer, and closes it. Prints "visits N answered N slowest MS".
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
	bool is_connected;
};

struct visits {
	struct pollfd fd[AT_ONCE];
	struct visit visit[AT_ONCE];
	int under_way, begun, answered;
	long slowest;
};

static volatile sig_atomic_t is_over;

static void stop(int number)
{
	(void)number;
	is_over = 1;
}

static long milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void begin(struct visits *visits, const union address *target)
{
	int fd = socket(target->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0)
		die("socket");
	if (connect(fd, &target->any, length_of(target)) && errno != EINPROGRESS)
		die("connect");
	visits->fd[visits->under_way] = (struct pollfd){ fd, POLLOUT, 0 };
	visits->visit[visits->under_way++] = (struct visit){ milliseconds(), false };
	visits->begun++;
}

/* Closes with a reset: there must be no lack of ports because of TIME_WAIT. */
static void end(struct visits *visits, int i)
{
	struct linger at_once = { .l_onoff = 1 };

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
		return now - visit->began > PATIENCE;
	if (!visit->is_connected) {
		visit->is_connected = true;
		fd->events = POLLIN;
		return write(fd->fd, "visit\n", 6) != 6;
	}
	if (read(fd->fd, answer, sizeof(answer)) > 0) {
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

	if (argc != 4) {
		fprintf(stderr, "usage: visit ADDRESS PORT RATE\n");
		return 2;
	}
	target = parse_address(argv[1], atoi(argv[2]));
	rate = atoi(argv[3]);
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
	printf("visits %d answered %d slowest %ld\n", visits.begun, visits.answered,
	       visits.slowest);
	return 0;
}
