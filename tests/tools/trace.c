// SPDX-License-Identifier: GPL-2.0
/*
 * trace udp|tcp ADDRESS PORT: for each TTL from 1 on, sends a datagram or a SYN, and prints who
 * says that its time was exceeded, until "answer": the other end has. "-" stands for silence.
 */
#include <time.h> /* before it, since it takes struct timespec for granted */

#include <linux/errqueue.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/time.h>
#include <unistd.h>

#include "address.h"

#define MAX_HOPS 8
#define PATIENCE 2000 /* ms */

static int open_socket(bool tcp, const union address *target, int ttl)
{
	bool ipv4 = target->any.sa_family == AF_INET;
	int level = ipv4 ? IPPROTO_IP : IPPROTO_IPV6, yes = 1;
	int fd = socket(target->any.sa_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0);

	if (fd < 0 || setsockopt(fd, level, ipv4 ? IP_TTL : IPV6_UNICAST_HOPS, &ttl, sizeof(ttl)) ||
	    setsockopt(fd, level, ipv4 ? IP_RECVERR : IPV6_RECVERR, &yes, sizeof(yes)))
		die("socket");
	if (connect(fd, &target->any, length_of(target)) && errno != EINPROGRESS)
		die("connect");
	if (!tcp && send(fd, "?", 1, 0) != 1)
		die("send");
	return fd;
}

/* Prints who has sent the ICMP error that lies in the socket's queue. */
static void print_offender(int fd)
{
	char control[512], data[64], text[INET6_ADDRSTRLEN] = "?";
	struct iovec iov = { data, sizeof(data) };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header;

	if (recvmsg(fd, &message, MSG_ERRQUEUE) < 0)
		die("recvmsg");
	for (header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
		struct sock_extended_err *error = (void *)CMSG_DATA(header);
		union address *from = (void *)SO_EE_OFFENDER(error);

		if (header->cmsg_level != IPPROTO_IP && header->cmsg_level != IPPROTO_IPV6)
			continue;
		if (from->any.sa_family == AF_INET)
			inet_ntop(AF_INET, &from->v4.sin_addr, text, sizeof(text));
		else
			inet_ntop(AF_INET6, &from->v6.sin6_addr, text, sizeof(text));
	}
	puts(text);
}

/* Returns whether the other end has answered. */
static bool probe(bool tcp, const union address *target, int ttl)
{
	int fd = open_socket(tcp, target, ttl);
	struct pollfd wait = { .fd = fd, .events = tcp ? POLLOUT : POLLIN };
	bool answered = false;

	if (poll(&wait, 1, PATIENCE) < 1)
		puts("-");
	else if (wait.revents & POLLERR)
		print_offender(fd);
	else
		answered = true;
	close(fd);
	if (answered)
		puts("answer");
	return answered;
}

int main(int argc, char **argv)
{
	union address target;
	bool tcp;

	if (argc != 4) {
		fprintf(stderr, "usage: trace udp|tcp ADDRESS PORT\n");
		return 2;
	}
	tcp = strcmp(argv[1], "tcp") == 0;
	target = parse_address(argv[2], atoi(argv[3]));
	for (int ttl = 1; ttl <= MAX_HOPS; ttl++)
		if (probe(tcp, &target, ttl))
			return 0;
	return 1;
}
