// SPDX-License-Identifier: GPL-2.0
/*
 * UDP requests and answers.
 *
 *   udp serve PORT [NAME]
 *       echoes, on both families; an answer to an IPv4 datagram that begins with 'n' has no
 *       checksum. With NAME that is the answer instead.
 *   udp ask ADDRESS PORT checksum|none SIZE...
 *       sends a datagram of each size, from one port, and fails if its echo does not come back
 *       equal. With `none` neither it nor the answer has a checksum (IPv4).
 *   udp hold ADDRESS PORT SOURCE SOURCES SOURCE_PORT
 *       the same from SOURCES consecutive addresses, all from SOURCE_PORT, all at the same time.
 *   udp fragments ADDRESS PORT SOURCE OTHER
 *       IPv4, as root: sends the first half of a datagram from SOURCE, and then a whole one from
 *       OTHER, in two fragments that have the same identification. Fails if the echo of the whole
 *       one does not come back, or if SOURCE gets anything.
 *   udp names ADDRESS PORT COUNT
 *       for each line of input, prints who answers on each of COUNT sockets, and "end".
 */
#define _GNU_SOURCE /* struct in6_pktinfo */
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "address.h"

#define MAX_SIZE 65536
#define MAX_SOURCES 200
#define TRIES 3

static void set_checksum(int fd, bool on)
{
	int no_check = !on;

	if (setsockopt(fd, SOL_SOCKET, SO_NO_CHECK, &no_check, sizeof(no_check)))
		die("SO_NO_CHECK");
}

/* Answers from the address that was asked: on a backend of mode dsr or ipip that is the VIP. */
static void answer(int fd, struct msghdr *message, ssize_t length)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(message);

	if (control && control->cmsg_type == IPV6_PKTINFO)
		((struct in6_pktinfo *)CMSG_DATA(control))->ipi6_ifindex = 0;
	message->msg_iov->iov_len = length;
	sendmsg(fd, message, 0);
}

static _Noreturn void serve(int port, const char *name)
{
	struct sockaddr_in6 peer, any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), no = 0, yes = 1;
	char control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	static char buffer[MAX_SIZE];

	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &yes, sizeof(yes)) ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)))
		die("bind");
	while (true) {
		struct iovec data = { buffer, sizeof(buffer) };
		struct msghdr message = {
			.msg_name = &peer,
			.msg_namelen = sizeof(peer),
			.msg_iov = &data,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		ssize_t length = recvmsg(fd, &message, 0);

		if (length < 0)
			continue;
		set_checksum(fd, length == 0 || buffer[0] != 'n');
		if (name)
			data.iov_base = (char *)name, length = strlen(name);
		answer(fd, &message, length);
	}
}

/* A socket that hears only the target, and waits a second for it. */
static int open_socket(const union address *target, const union address *source)
{
	struct timeval second = { .tv_sec = 1 };
	int fd = socket(target->any.sa_family, SOCK_DGRAM, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second)))
		die("socket");
	if (source && bind(fd, &source->any, length_of(source)))
		die("bind");
	if (connect(fd, &target->any, length_of(target)))
		die("connect");
	return fd;
}

static void make_message(char *message, int size, int number, char first)
{
	for (int i = 0; i < size; i++)
		message[i] = 'A' + (i * 7 + number * 13 + size) % 57;
	if (size)
		message[0] = first;
}

static void send_message(int fd, int size, int number, char first)
{
	static char message[MAX_SIZE];

	make_message(message, size, number, first);
	if (send(fd, message, size, 0) != size)
		die("send");
}

static bool receive_message(int fd, int size, int number, char first)
{
	static char got[MAX_SIZE], wanted[MAX_SIZE];
	ssize_t length = recv(fd, got, sizeof(got), 0);

	if (length < 0 && (errno == EAGAIN || errno == EMSGSIZE)) /* a router says: smaller */
		return false;
	if (length < 0)
		die("recv");
	make_message(wanted, size, number, first);
	if (length != size || memcmp(got, wanted, size)) {
		errno = EBADMSG;
		die("an answer differs");
	}
	return true;
}

static int ask(const union address *target, bool checksum, char **sizes)
{
	int fd = open_socket(target, NULL);

	set_checksum(fd, checksum);
	for (; *sizes; sizes++) {
		int size = atoi(*sizes), tries = 0;

		do {
			if (tries++ == TRIES)
				die(*sizes);
			send_message(fd, size, 0, checksum ? 'c' : 'n');
		} while (!receive_message(fd, size, 0, checksum ? 'c' : 'n'));
	}
	return 0;
}

static int hold(const union address *target, const union address *source, int sources)
{
	int fds[MAX_SOURCES];

	for (int i = 0; i < sources && i < MAX_SOURCES; i++) {
		union address from = step_address(*source, i);

		fds[i] = open_socket(target, &from);
	}
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < sources; i++)
			send_message(fds[i], 100, i, 'c');
		for (int i = 0; i < sources; i++)
			if (!receive_message(fds[i], 100, i, 'c'))
				die("no answer");
	}
	return 0;
}

#define HALF 800 /* bytes of a datagram, with its header, in each fragment */
#define SHARED_ID 4711

/* Half of a datagram without checksum, all of whose bytes are `byte`. */
static void send_half(int raw, const union address *from, const union address *to, int half,
		      char byte)
{
	struct {
		struct iphdr ip;
		char data[HALF];
	} packet = {
		.ip = {
			.version = 4,
			.ihl = 5,
			.ttl = 64,
			.protocol = IPPROTO_UDP,
			.id = htons(SHARED_ID),
			.frag_off = htons(half ? HALF / 8 : IP_MF),
			.saddr = from->v4.sin_addr.s_addr,
			.daddr = to->v4.sin_addr.s_addr,
		},
	};
	struct udphdr udp = {
		.source = from->v4.sin_port,
		.dest = to->v4.sin_port,
		.len = htons(2 * HALF),
	};

	memset(packet.data, byte, HALF);
	if (!half)
		memcpy(packet.data, &udp, sizeof(udp));
	if (sendto(raw, &packet, sizeof(packet), 0, &to->any, length_of(to)) < 0)
		die("sendto");
}

/* Two clients that have one identification; of the first one's datagram half is lost. */
static int fragments(const union address *target, const union address *one,
		     const union address *other)
{
	int raw = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	int hears_one = open_socket(target, one), hears_other = open_socket(target, other);
	static char echo[MAX_SIZE];
	ssize_t size = 2 * HALF - sizeof(struct udphdr);

	if (raw < 0)
		die("raw socket");
	send_half(raw, one, target, 0, 'n');
	send_half(raw, other, target, 0, 'o');
	send_half(raw, other, target, 1, 'o');
	if (recv(hears_other, echo, sizeof(echo), 0) != size || echo[size - 1] != 'o')
		die("the echo of the other's datagram");
	if (recv(hears_one, echo, sizeof(echo), 0) >= 0)
		die(echo[size - 1] == 'o' ? "one got the other's bytes" : "an echo of half");
	return 0;
}

/* The name of the server that answers on this socket; "-" if none does. */
static const char *hear_name(int fd)
{
	static char name[64];

	for (int tries = 0; tries < TRIES; tries++) {
		ssize_t length;

		send_message(fd, 1, 0, 'c');
		length = recv(fd, name, sizeof(name) - 1, 0);
		if (length < 0)
			continue;
		name[length] = 0;
		return name;
	}
	return "-";
}

static int names(const union address *target, int count)
{
	int fds[MAX_SOURCES];

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < count && i < MAX_SOURCES; i++)
		fds[i] = open_socket(target, NULL);
	for (int byte = getchar(); byte != EOF; byte = getchar()) {
		if (byte != '\n')
			continue;
		for (int i = 0; i < count; i++)
			puts(hear_name(fds[i]));
		puts("end");
	}
	return 0;
}

int main(int argc, char **argv)
{
	union address target;

	if ((argc == 3 || argc == 4) && strcmp(argv[1], "serve") == 0)
		serve(atoi(argv[2]), argv[3]);
	if (argc < 5 || (argc == 5 && strcmp(argv[1], "names"))) {
		fprintf(stderr, "usage: udp serve PORT [NAME] | ask ADDRESS PORT checksum|none "
				"SIZE... | "
				"hold ADDRESS PORT SOURCE SOURCES SOURCE_PORT | "
				"fragments ADDRESS PORT SOURCE OTHER | "
				"names ADDRESS PORT COUNT\n");
		return 2;
	}
	target = parse_address(argv[2], atoi(argv[3]));
	if (argc == 5)
		return names(&target, atoi(argv[4]));
	if (strcmp(argv[1], "hold") == 0 && argc == 7) {
		union address source = parse_address(argv[4], atoi(argv[6]));

		return hold(&target, &source, atoi(argv[5]));
	}
	if (strcmp(argv[1], "fragments") == 0 && argc == 6) {
		union address one = parse_address(argv[4], 4000);
		union address other = parse_address(argv[5], 4001);

		return fragments(&target, &one, &other);
	}
	return ask(&target, strcmp(argv[4], "none"), argv + 5);
}
