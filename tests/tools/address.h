/* SPDX-License-Identifier: GPL-2.0 */
/* What the test programs share: socket addresses of both families. */
#ifndef TESTS_ADDRESS_H
#define TESTS_ADDRESS_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static inline _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static inline socklen_t length_of(const union address *address)
{
	return address->any.sa_family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
}

static inline union address parse_address(const char *text, int port)
{
	union address address = { 0 };

	if (inet_pton(AF_INET, text, &address.v4.sin_addr) == 1) {
		address.v4.sin_family = AF_INET;
		address.v4.sin_port = htons(port);
	} else if (inet_pton(AF_INET6, text, &address.v6.sin6_addr) == 1) {
		address.v6.sin6_family = AF_INET6;
		address.v6.sin6_port = htons(port);
	} else {
		errno = EINVAL;
		die(text);
	}
	return address;
}

/* The address that lies `steps` behind; only the last byte changes. */
static inline union address step_address(union address address, int steps)
{
	if (address.any.sa_family == AF_INET)
		address.v4.sin_addr.s_addr = htonl(ntohl(address.v4.sin_addr.s_addr) + steps);
	else
		address.v6.sin6_addr.s6_addr[15] += steps;
	return address;
}

#endif
