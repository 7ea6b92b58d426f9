// SPDX-License-Identifier: GPL-2.0
/*
 * Long-lived TCP connections under steady traffic, every byte of which is checked.
 *
 *   steady serve PORT NAME
 *       greets each connection with NAME, and then echoes.
 *   steady talk ADDRESS PORT COUNT FIRST_PORT [INTERVAL]
 *       opens COUNT connections, from ports FIRST_PORT on, and prints "open COUNT". On each sends a
 *       message every INTERVAL ms (100) or when the one before it has come back, if that is later.
 *       INTERVAL 0: nothing until SIGUSR1, and then one message.
 *       At SIGUSR1 awaits the last echoes and prints for each backend
 *           NAME CONNECTIONS BROKEN WORST        (ms that a message took at most)
 *       and "total MESSAGES BYTES". Fails if a byte was wrong.
 */
#define _GNU_SOURCE /* accept4 */
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "address.h"

#define EVENTS 256
#define TICK 5 /* ms */
#define PATIENCE 10000 /* ms that a connection, or the last echo, may take */
#define SLOW 300 /* ms: worth a line */
#define NAME_SIZE 16
#define MAX_MESSAGE 4000
#define MAX_BACKENDS 64

struct connection {
	int fd;
	bool broken;
	int greeted; /* bytes of the name */
	char name[NAME_SIZE];
	uint64_t wanted, sent, received; /* bytes: to be sent, sent, come back */
	int64_t asked; /* ms when the message began */
	int64_t worst;
	long messages;
};

static struct connection *all;
static int count, wrong, epoll;

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void watch(int fd, void *data, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = data };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		die("epoll_ctl");
}

/* The server */

static int listen_on(int port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_STREAM, 0), yes = 1, no = 0;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)) ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 4096))
		die("listen");
	return fd;
}

/* A message is small and the next comes when it is back: what is read can be written at once. */
static void echo(int fd)
{
	char buffer[MAX_MESSAGE];
	ssize_t length = read(fd, buffer, sizeof(buffer));

	if (length < 0 && errno == EAGAIN)
		return;
	if (length <= 0 || write(fd, buffer, length) != length)
		close(fd);
}

static _Noreturn void serve(int port, const char *name)
{
	struct epoll_event events[EVENTS];
	char greeting[NAME_SIZE] = "";
	int listener = listen_on(port);

	signal(SIGPIPE, SIG_IGN);
	snprintf(greeting, sizeof(greeting), "%s", name);
	watch(listener, (void *)(intptr_t)listener, EPOLLIN);
	while (true) {
		for (int i = epoll_wait(epoll, events, EVENTS, -1); i-- > 0;) {
			int fd = (intptr_t)events[i].data.ptr;

			if (fd != listener) {
				echo(fd);
				continue;
			}
			fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
			if (fd < 0 || write(fd, greeting, NAME_SIZE) != NAME_SIZE)
				continue;
			watch(fd, (void *)(intptr_t)fd, EPOLLIN);
		}
	}
}

/* The client */

/* What byte `at` of what a connection says is; no piece of it is like another. */
static uint8_t byte_at(const struct connection *connection, uint64_t at)
{
	uint64_t mixed = (at + ((uint64_t)(connection - all) << 40)) * 0x9e3779b97f4a7c15;

	return mixed >> 56 ^ mixed >> 32;
}

static void give_up(struct connection *connection, const char *why)
{
	fprintf(stderr, "steady: connection %td to %s after %lu bytes: %s\n", connection - all,
		connection->name, connection->received, why);
	connection->broken = true;
	close(connection->fd);
}

static bool is_waiting(const struct connection *connection)
{
	return !connection->broken && connection->received < connection->wanted;
}

static void say(struct connection *connection)
{
	uint8_t buffer[MAX_MESSAGE];
	size_t length = connection->wanted - connection->sent;
	ssize_t written;

	for (size_t i = 0; i < length; i++)
		buffer[i] = byte_at(connection, connection->sent + i);
	written = write(connection->fd, buffer, length);
	if (written < 0 && errno != EAGAIN)
		give_up(connection, strerror(errno));
	if (written > 0)
		connection->sent += written;
}

/* Begins the next message, the size of which is as random as what is in it. */
static void begin_message(struct connection *connection, int64_t now)
{
	uint64_t size = byte_at(connection, connection->wanted) << 4 |
			byte_at(connection, connection->wanted + 1);

	connection->wanted += 1 + size % MAX_MESSAGE;
	connection->asked = now;
	connection->messages++;
}

static void hear_echo(struct connection *connection, const uint8_t *bytes, ssize_t length)
{
	for (ssize_t i = 0; i < length; i++) {
		if (bytes[i] == byte_at(connection, connection->received + i))
			continue;
		wrong++;
		give_up(connection, "a byte is wrong");
		return;
	}
	connection->received += length;
	if (connection->received == connection->wanted) {
		int64_t took = now_ms() - connection->asked;

		if (took > SLOW)
			fprintf(stderr,
				"steady: connection %td to %s: %ld ms for a message, at %ld\n",
				connection - all, connection->name, took, now_ms());
		if (took > connection->worst)
			connection->worst = took;
	}
}

static void hear(struct connection *connection)
{
	uint8_t buffer[MAX_MESSAGE];
	ssize_t length, left = NAME_SIZE - connection->greeted;

	if (connection->broken)
		return;
	if (left > 0)
		length = read(connection->fd, connection->name + connection->greeted, left);
	else
		length = read(connection->fd, buffer, sizeof(buffer));
	if (length < 0 && errno == EAGAIN)
		return;
	if (length <= 0)
		give_up(connection, length ? strerror(errno) : "closed");
	else if (left > 0)
		connection->greeted += length;
	else
		hear_echo(connection, buffer, length);
}

/* `patience` in ms; -1: for ever */
static void hear_all(int patience)
{
	struct epoll_event events[EVENTS];

	for (int i = epoll_wait(epoll, events, EVENTS, patience); i-- > 0;)
		if (events[i].data.ptr)
			hear(events[i].data.ptr);
}

static void open_connection(struct connection *connection, const union address *target, int port)
{
	union address any = { .any.sa_family = target->any.sa_family };
	int fd = socket(target->any.sa_family, SOCK_STREAM, 0), yes = 1;

	any.v4.sin_port = htons(port); /* at the same place in both families */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) ||
	    bind(fd, &any.any, length_of(&any)) || connect(fd, &target->any, length_of(target)))
		die("connect");
	connection->fd = fd;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	watch(fd, connection, EPOLLIN);
}

static void open_all(const union address *target, int first_port)
{
	int64_t end;
	int greeted = 0;

	for (int i = 0; i < count; i++)
		open_connection(&all[i], target, first_port + i);
	for (end = now_ms() + PATIENCE; greeted < count && now_ms() < end;) {
		hear_all(TICK);
		greeted = 0;
		for (int i = 0; i < count; i++)
			greeted += all[i].greeted == NAME_SIZE;
	}
	errno = ETIMEDOUT;
	if (greeted < count)
		die("greetings");
	printf("open %d\n", count);
	fflush(stdout);
}

/* Until the signal. */
static void talk(int signals, int interval)
{
	struct signalfd_siginfo info;

	for (int i = 0; i < count; i++) /* not all at once */
		all[i].asked = now_ms() - (interval ? i % interval : 0);
	while (read(signals, &info, sizeof(info)) < 0) {
		int64_t now = now_ms();

		for (struct connection *each = all; each < all + count; each++) {
			if (each->broken)
				continue;
			if (interval && !is_waiting(each) && now - each->asked >= interval)
				begin_message(each, now);
			if (each->sent < each->wanted)
				say(each);
		}
		hear_all(interval ? TICK : -1); /* nothing to send: only to hear */
	}
}

static void say_once(void)
{
	for (int i = 0; i < count; i++)
		begin_message(&all[i], now_ms());
}

static int count_waiting(void)
{
	int waiting = 0;

	for (int i = 0; i < count; i++)
		waiting += is_waiting(&all[i]);
	return waiting;
}

static void await_last_echoes(void)
{
	int64_t end = now_ms() + PATIENCE;

	while (count_waiting() && now_ms() < end) {
		hear_all(TICK);
		for (int i = 0; i < count; i++)
			if (is_waiting(&all[i]) && all[i].sent < all[i].wanted)
				say(&all[i]);
	}
	for (int i = 0; i < count; i++)
		if (is_waiting(&all[i]))
			give_up(&all[i], "no echo");
}

static void report_backend(const char *name)
{
	int connections = 0, broken = 0;
	int64_t worst = 0;

	for (int i = 0; i < count; i++) {
		if (strcmp(all[i].name, name))
			continue;
		connections++;
		broken += all[i].broken;
		if (!all[i].broken && all[i].worst > worst)
			worst = all[i].worst;
	}
	printf("%s %d %d %ld\n", name, connections, broken, worst);
}

static void report(void)
{
	long messages = 0, bytes = 0;

	for (int i = 0; i < count; i++) {
		int first = 0;

		while (strcmp(all[first].name, all[i].name))
			first++;
		if (first == i)
			report_backend(all[i].name);
		messages += all[i].messages;
		bytes += all[i].received;
	}
	printf("total %ld %ld\n", messages, bytes);
}

static int open_signals(void)
{
	sigset_t signals;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	fd = signalfd(-1, &signals, SFD_NONBLOCK);
	if (fd < 0)
		die("signalfd");
	watch(fd, NULL, EPOLLIN);
	return fd;
}

static void raise_file_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	union address target;
	int signals, interval;

	raise_file_limit();
	/* What is measured is the network, not the other processes of a busy machine. */
	setpriority(PRIO_PROCESS, 0, -20);
	epoll = epoll_create1(0);
	if (argc == 4 && strcmp(argv[1], "serve") == 0)
		serve(atoi(argv[2]), argv[3]);
	if (argc < 6 || argc > 7 || strcmp(argv[1], "talk")) {
		fprintf(stderr, "usage: steady serve PORT NAME | "
				"talk ADDRESS PORT COUNT FIRST_PORT [INTERVAL]\n");
		return 2;
	}
	target = parse_address(argv[2], atoi(argv[3]));
	count = atoi(argv[4]);
	all = calloc(count, sizeof(*all));
	signals = open_signals();
	open_all(&target, atoi(argv[5]));
	interval = argc > 6 ? atoi(argv[6]) : 100;
	talk(signals, interval);
	if (!interval)
		say_once();
	await_last_echoes();
	report();
	return wrong != 0;
}
