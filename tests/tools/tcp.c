// SPDX-License-Identifier: GPL-2.0
/*
 * Many TCP connections at once.
 *
 *   tcp serve PORT
 *       echoes, on both families; several processes may share the port.
 *   tcp hold ADDRESS PORT COUNT [SOURCE SOURCES [SOURCE_PORT]]
 *       opens COUNT connections, from SOURCES consecutive addresses in turn (all from SOURCE_PORT
 *       if that is given), and prints "open COUNT"; on SIGUSR1 sends a message of its own on each,
 *       awaits all echoes, closes all, awaits the other side's end of each, and prints "used COUNT".
 *       Fails if one fails.
 *
 * Only a few connections are under way at a time, so that the lab loses no packet: a veth's ring
 * holds 256, and a backlog of the kernel 1,000. Where a handshake's last ACK was lost, and then the
 * SYN-ACK sent again as well, a server was seen (6.18) to answer the first data of the connection,
 * which its client takes for open, with a reset. Most likely its kernel drops a request whose SYN-ACK
 * it cannot send again.
 */
#define _GNU_SOURCE /* accept4 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"

#define UNDER_WAY 20 /* connections opened, used or closed at a time, two packets of each queued */
#define EVENTS 256
#define PATIENCE 30000 /* ms without any event */
#define MESSAGE 64 /* bytes */

struct connection {
	int fd;
	int received;
};

static void watch(int epoll, int operation, int fd, void *data, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = data };

	if (epoll_ctl(epoll, operation, fd, &event))
		die("epoll_ctl");
}

static void raise_file_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int listen_on(int port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int yes = 1, no = 0;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes)) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)) ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 4096))
		die("listen");
	return fd;
}

/* Messages are short and come one at a time: what is read can be written at once. */
static void echo(int fd)
{
	char buffer[4096];
	ssize_t length = read(fd, buffer, sizeof(buffer));

	if (length < 0 && errno == EAGAIN)
		return;
	if (length <= 0 || write(fd, buffer, length) != length)
		close(fd);
}

static _Noreturn void serve(int port)
{
	struct epoll_event events[EVENTS];
	int epoll = epoll_create1(0), listener = listen_on(port);

	watch(epoll, EPOLL_CTL_ADD, listener, (void *)(intptr_t)listener, EPOLLIN);
	while (true) {
		int count = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			int fd = (intptr_t)events[i].data.ptr;

			if (fd != listener) {
				echo(fd);
				continue;
			}
			fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
			if (fd >= 0)
				watch(epoll, EPOLL_CTL_ADD, fd, (void *)(intptr_t)fd, EPOLLIN);
		}
	}
}

static int begin_connection(const union address *target, const union address *source)
{
	int fd = socket(target->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	/* The port is then chosen for this target alone, so that there are enough. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
	if (source && bind(fd, &source->any, length_of(source)))
		die("bind");
	if (connect(fd, &target->any, length_of(target)) && errno != EINPROGRESS)
		die("connect");
	return fd;
}

static int await_events(int epoll, struct epoll_event *events, const char *what)
{
	int count = epoll_wait(epoll, events, EVENTS, PATIENCE);

	if (count < 0 && errno != EINTR)
		die("epoll_wait");
	if (count == 0) {
		errno = ETIMEDOUT;
		die(what);
	}
	return count;
}

static void check_connected(const struct connection *connection)
{
	socklen_t length = sizeof(errno);

	getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &errno, &length);
	if (errno)
		die("connect");
}

static void open_all(int epoll, struct connection *all, int count, const union address *target,
		     const union address *source, int sources)
{
	struct epoll_event events[EVENTS];
	int begun = 0, open = 0;

	while (open < count) {
		for (; begun < count && begun - open < UNDER_WAY; begun++) {
			union address from;

			if (sources)
				from = step_address(*source, begun % sources);
			all[begun].fd = begin_connection(target, sources ? &from : NULL);
			watch(epoll, EPOLL_CTL_ADD, all[begun].fd, &all[begun], EPOLLOUT);
		}
		for (int i = await_events(epoll, events, "connect"); i-- > 0; open++) {
			struct connection *connection = events[i].data.ptr;

			check_connected(connection);
			watch(epoll, EPOLL_CTL_MOD, connection->fd, connection, EPOLLIN);
		}
	}
}

static void make_message(char *message, long number)
{
	memset(message, '.', MESSAGE);
	snprintf(message, MESSAGE, "connection %ld of process %d", number, getpid());
}

/* Whether the echo is now complete. */
static bool receive(struct connection *connection, const struct connection *all)
{
	char wanted[MESSAGE], got[MESSAGE];
	ssize_t length = read(connection->fd, got, MESSAGE - connection->received);

	if (length == 0)
		errno = ECONNRESET;
	if (length <= 0)
		die("read");
	make_message(wanted, connection - all);
	if (memcmp(got, wanted + connection->received, length)) {
		errno = EBADMSG;
		die("an echo is of another message");
	}
	connection->received += length;
	return connection->received == MESSAGE;
}

static void send_message(const struct connection *all, int i)
{
	char message[MESSAGE];

	make_message(message, i);
	if (write(all[i].fd, message, MESSAGE) != MESSAGE)
		die("write");
}

static void use_all(int epoll, struct connection *all, int count)
{
	struct epoll_event events[EVENTS];
	int begun = 0, used = 0;

	while (used < count) {
		for (; begun < count && begun - used < UNDER_WAY; begun++)
			send_message(all, begun);
		for (int i = await_events(epoll, events, "read"); i-- > 0;)
			used += receive(events[i].data.ptr, all);
	}
}

static void close_all(int epoll, struct connection *all, int count)
{
	struct epoll_event events[EVENTS];
	int begun = 0, closed = 0;

	while (closed < count) {
		for (; begun < count && begun - closed < UNDER_WAY; begun++) {
			if (shutdown(all[begun].fd, SHUT_WR))
				die("shutdown");
		}
		for (int i = await_events(epoll, events, "close"); i-- > 0; closed++) {
			struct connection *connection = events[i].data.ptr;
			char more;

			if (read(connection->fd, &more, 1) != 0)
				die("read at the end");
			close(connection->fd);
		}
	}
}

static int hold(int count, const union address *target, const union address *source, int sources)
{
	struct connection *all = calloc(count, sizeof(*all));
	int epoll = epoll_create1(0), number;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);

	open_all(epoll, all, count, target, source, sources);
	printf("open %d\n", count);
	sigwait(&signals, &number);
	use_all(epoll, all, count);
	close_all(epoll, all, count);
	printf("used %d\n", count);
	return 0;
}

int main(int argc, char **argv)
{
	union address target, source = { 0 };

	raise_file_limit();
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		serve(atoi(argv[2]));
	if (argc < 5 || argc == 6 || argc > 8 || strcmp(argv[1], "hold")) {
		fprintf(stderr, "usage: tcp serve PORT | "
				"hold ADDRESS PORT COUNT [SOURCE SOURCES [SOURCE_PORT]]\n");
		return 2;
	}
	target = parse_address(argv[2], atoi(argv[3]));
	if (argc > 6)
		source = parse_address(argv[5], argc > 7 ? atoi(argv[7]) : 0);
	return hold(atoi(argv[4]), &target, &source, argc > 6 ? atoi(argv[6]) : 0);
}
