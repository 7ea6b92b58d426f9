// SPDX-License-Identifier: GPL-2.0
/*
 * sockets ADDRESS PORT tcp|udp|unconnected COUNT [SOURCE]: opens COUNT sockets, all at the same time
 * (udp: connected ones), bound to SOURCE if that is given, and has each learn the name of the server
 * that it speaks to (steady serve, udp serve). Whom a socket is connected to, or who answered, must
 * be ADDRESS and PORT. Prints for each name
 *
 *     NAME COUNT              or "not-permitted COUNT", "not-reached COUNT"
 *
 * and "end". Then, for each line of input, uses all sockets again; prints "kept N", "moved N" (another
 * server answered) and "broken N", and "end".
 *
 * sockets turns ADDRESS PORT COUNT: one socket, not connected, that sends to COUNT ports from PORT on,
 * in turn, three times. Each answer must be from where the question went.
 *
 * sockets time ADDRESS PORT COUNT: prints how many ns a TCP connection takes to be opened.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "address.h"

#define NAME_SIZE 16 /* of a greeting, see steady.c */
#define TRIES 3
#define PATIENCE 2 /* seconds */

struct client {
	int fd;
	bool is_open;
	char name[NAME_SIZE + 1];
};

enum kind { TCP, UDP, UNCONNECTED };

static union address target, source;
static enum kind kind;
static struct client *clients;
static int count;

static enum kind parse_kind(const char *word)
{
	if (!strcmp(word, "tcp"))
		return TCP;
	return strcmp(word, "udp") ? UNCONNECTED : UDP;
}

static void check_peer(const union address *peer, const char *what)
{
	char text[INET6_ADDRSTRLEN] = "";
	bool ipv6 = peer->any.sa_family == AF_INET6;

	if (ipv6 ? !memcmp(&peer->v6.sin6_addr, &target.v6.sin6_addr, 16) &&
			    peer->v6.sin6_port == target.v6.sin6_port :
		   !memcmp(&peer->v4, &target.v4, offsetof(struct sockaddr_in, sin_zero)))
		return;
	inet_ntop(peer->any.sa_family,
		  ipv6 ? (const void *)&peer->v6.sin6_addr : (const void *)&peer->v4.sin_addr, text,
		  sizeof(text));
	fprintf(stderr, "sockets: %s is %s, port %d\n", what, text,
		ntohs(ipv6 ? peer->v6.sin6_port : peer->v4.sin_port));
	exit(1);
}

static bool read_greeting(struct client *client)
{
	ssize_t length = recv(client->fd, client->name, NAME_SIZE, MSG_WAITALL);

	return length == NAME_SIZE;
}

/* A question, and its answer, which is a name. Returns 0 or errno. */
static int ask(struct client *client, char name[NAME_SIZE + 1])
{
	const union address *to = kind == UDP ? NULL : &target;

	for (int i = 0; i < TRIES; i++) {
		union address from;
		socklen_t size = sizeof(from);
		ssize_t length;

		if (sendto(client->fd, "?", 1, 0, to ? &to->any : NULL, to ? length_of(to) : 0) < 0)
			return errno;
		length = recvfrom(client->fd, name, NAME_SIZE, 0, &from.any, &size);
		if (length < 0)
			continue;
		check_peer(&from, "who answers");
		name[length] = '\0';
		return 0;
	}
	return ETIMEDOUT;
}

static int open_client(struct client *client)
{
	struct timeval patience = { .tv_sec = PATIENCE };
	union address peer;
	socklen_t size = sizeof(peer);

	client->fd = socket(target.any.sa_family, kind == TCP ? SOCK_STREAM : SOCK_DGRAM, 0);
	if (client->fd < 0 ||
	    setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		die("socket");
	if (source.any.sa_family && bind(client->fd, &source.any, length_of(&source)))
		die("bind");
	if (kind == UNCONNECTED)
		return ask(client, client->name);
	if (connect(client->fd, &target.any, length_of(&target)))
		return errno;
	if (getpeername(client->fd, &peer.any, &size))
		return errno;
	check_peer(&peer, "getpeername");
	if (kind == UDP)
		return ask(client, client->name);
	return read_greeting(client) ? 0 : ECONNRESET;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct client *)a)->name, ((const struct client *)b)->name);
}

static void report_names(void)
{
	int same;

	qsort(clients, count, sizeof(*clients), compare_names);
	for (int i = 0; i < count; i += same) {
		for (same = 1; i + same < count && !compare_names(&clients[i], &clients[i + same]);)
			same++;
		printf("%s %d\n", clients[i].name, same);
	}
	printf("end\n");
	fflush(stdout);
}

static void open_all(void)
{
	for (int i = 0; i < count; i++) {
		int error = open_client(&clients[i]);

		clients[i].is_open = !error;
		if (error)
			strcpy(clients[i].name, error == EPERM ? "not-permitted" : "not-reached");
	}
	report_names();
}

/* Whether an open connection still echoes. */
static bool echoes(struct client *client)
{
	char byte = 0;

	return send(client->fd, "!", 1, MSG_NOSIGNAL) == 1 && recv(client->fd, &byte, 1, 0) == 1 &&
	       byte == '!';
}

static void use_all(void)
{
	int kept = 0, moved = 0, broken = 0;

	for (int i = 0; i < count; i++) {
		char name[NAME_SIZE + 1] = "";

		if (!clients[i].is_open)
			continue;
		if (kind == TCP ? !echoes(&clients[i]) : ask(&clients[i], name))
			broken++;
		else if (kind == TCP || !strcmp(name, clients[i].name))
			kept++;
		else
			moved++;
		if (*name)
			strcpy(clients[i].name, name);
	}
	printf("kept %d\nmoved %d\nbroken %d\nend\n", kept, moved, broken);
	fflush(stdout);
}

static long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000L + time.tv_nsec;
}

static void time_connections(void)
{
	const struct linger reset = { .l_onoff = 1 };
	long spent = 0;

	for (int i = 0; i < count; i++) {
		int fd = socket(target.any.sa_family, SOCK_STREAM, 0);
		long began = now();

		if (fd < 0 || connect(fd, &target.any, length_of(&target)))
			die("connect");
		spent += now() - began;
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
	}
	printf("%ld\n", spent / count);
}

static void set_port(int port)
{
	if (target.any.sa_family == AF_INET)
		target.v4.sin_port = htons(port);
	else
		target.v6.sin6_port = htons(port);
}

static void take_turns(int first)
{
	struct client client = { .fd = socket(target.any.sa_family, SOCK_DGRAM, 0) };
	const struct timeval patience = { .tv_sec = PATIENCE };

	setsockopt(client.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	kind = UNCONNECTED;
	for (int i = 0; i < 3 * count; i++) {
		set_port(first + i % count);
		errno = ask(&client, client.name);
		if (errno)
			die("ask");
	}
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	char line[80];

	if (argc == 5 && !strcmp(argv[1], "turns")) {
		target = parse_address(argv[2], 0);
		count = atoi(argv[4]);
		take_turns(atoi(argv[3]));
		return 0;
	}

	if (argc == 5 && !strcmp(argv[1], "time")) {
		target = parse_address(argv[2], atoi(argv[3]));
		count = atoi(argv[4]);
		time_connections();
		return 0;
	}
	if (argc != 5 && argc != 6) {
		fprintf(stderr, "usage: sockets ADDRESS PORT tcp|udp|unconnected COUNT [SOURCE] | "
				"sockets turns|time ADDRESS PORT COUNT\n");
		return 2;
	}
	target = parse_address(argv[1], atoi(argv[2]));
	kind = parse_kind(argv[3]);
	count = atoi(argv[4]);
	if (argc == 6)
		source = parse_address(argv[5], 0);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	clients = calloc(count + 1, sizeof(*clients));
	if (!clients)
		die("calloc");
	open_all();
	while (fgets(line, sizeof(line), stdin))
		use_all();
	return 0;
}
