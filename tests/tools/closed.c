// SPDX-License-Identifier: GPL-2.0
/*
 * A closed loop of TCP connections: as many as are said are under way all the time.
 *
 *   closed serve PORT MS
 *       answers each connection by a byte after so many ms, on both families, and closes it.
 *   closed ask ADDRESS PORT LIVE SECONDS
 *       keeps LIVE connections under way, each until its answer has come, for so long; prints how
 *       many were answered. Fails if one fails.
 */
#define _GNU_SOURCE /* accept4 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "address.h"

#define WAITING 65536 /* connections that a server may hold: a ring */
#define EVENTS 64
#define PATIENCE 10000 /* ms without an answer */

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* All wait equally long, so the first to come is the first to go. */
static struct {
	int fd;
	long long due;
} waiting[WAITING];

static _Noreturn void serve(int port, int delay)
{
	unsigned int first = 0, end = 0;
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int listener = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
	struct pollfd wait = { .fd = listener, .events = POLLIN };

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&any, sizeof(any)) || listen(listener, 4096))
		die("listen");
	for (;;) {
		long long now = now_ms();
		int fd;

		for (; first != end && waiting[first % WAITING].due <= now; first++) {
			if (write(waiting[first % WAITING].fd, "x", 1) != 1)
				perror("write");
			close(waiting[first % WAITING].fd);
		}
		poll(&wait, 1, first == end ? -1 : (int)(waiting[first % WAITING].due - now));
		while (end - first < WAITING && (fd = accept4(listener, NULL, NULL, 0)) >= 0) {
			waiting[end % WAITING].fd = fd;
			waiting[end++ % WAITING].due = now_ms() + delay;
		}
	}
}

static void begin(int epoll, const union address *server)
{
	int fd = socket(server->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (fd < 0 || (connect(fd, &server->any, length_of(server)) && errno != EINPROGRESS) ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		die("connect");
}

static void ask(const union address *server, int live, int seconds)
{
	long long end = now_ms() + seconds * 1000LL;
	struct epoll_event events[EVENTS];
	int epoll = epoll_create1(0);
	long answered = 0;
	char byte;

	for (int i = 0; i < live; i++)
		begin(epoll, server);
	while (now_ms() < end) {
		int count = epoll_wait(epoll, events, EVENTS, PATIENCE);

		if (count <= 0)
			die("no answer");
		for (int i = 0; i < count; i++) {
			if (read(events[i].data.fd, &byte, 1) != 1)
				die("an answer");
			close(events[i].data.fd);
			answered++;
			begin(epoll, server);
		}
	}
	printf("answered %ld\n", answered);
}

int main(int argc, char **argv)
{
	union address server;

	if (argc == 4 && !strcmp(argv[1], "serve"))
		serve(atoi(argv[2]), atoi(argv[3]));
	if (argc != 6 || strcmp(argv[1], "ask") != 0) {
		fprintf(stderr, "closed serve PORT MS | closed ask ADDRESS PORT LIVE SECONDS\n");
		return 2;
	}
	server = parse_address(argv[2], atoi(argv[3]));
	ask(&server, atoi(argv[4]), atoi(argv[5]));
	return 0;
}
