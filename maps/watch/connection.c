// SPDX-License-Identifier: GPL-2.0
/* Checks by connections of the kernel's: tcp, http. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/text.h"
#include "watch/connection.h"
#include "watch/http.h"

#define HIGHEST_LOW_PORT 1023
#define LOW_PORTS 400

bool needs_low_ports;

union socket_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t set_address(union socket_address *to, const struct endpoint *endpoint)
{
	memset(to, 0, sizeof(*to));
	if (is_ipv4(&endpoint->address)) {
		to->v4.sin_family = AF_INET;
		to->v4.sin_port = endpoint->port;
		memcpy(&to->v4.sin_addr, &endpoint->address.word[3], 4);
		return sizeof(to->v4);
	}
	to->v6.sin6_family = AF_INET6;
	to->v6.sin6_port = endpoint->port;
	memcpy(&to->v6.sin6_addr, &endpoint->address, sizeof(endpoint->address));
	return sizeof(to->v6);
}

static void bind_low_port(int fd, int family)
{
	static unsigned int turn;
	union socket_address from = { .any.sa_family = family };
	int yes = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	for (int i = 0; i < LOW_PORTS; i++) {
		from.v4.sin_port = htons(HIGHEST_LOW_PORT - turn++ % LOW_PORTS);
		if (!bind(fd, &from.any, family == AF_INET ? sizeof(from.v4) : sizeof(from.v6)))
			return;
	}
}

/* A socket that resets its connection when it is closed, so that none stays in TIME_WAIT. */
static int open_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct linger at_once = { .l_onoff = 1 };

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	if (needs_low_ports)
		bind_low_port(fd, family);
	return fd;
}

static void receive_answer(struct attempt *attempt)
{
	ssize_t length = recv(attempt->io.fd, attempt->answer + attempt->received,
			      sizeof(attempt->answer) - attempt->received, 0);

	if (length < 0 && errno == EAGAIN)
		return;
	if (length < 0) {
		attempt->end(attempt, strerror(errno));
		return;
	}
	attempt->received += length;
	if (length && attempt->received < HTTP_STATUS_END)
		return;
	attempt->end(attempt,
		     http_fault(&attempt->target->check, attempt->answer, attempt->received));
}

static void send_request(struct attempt *attempt)
{
	char request[HTTP_REQUEST_SIZE];
	size_t length = http_request(attempt->target, request);
	struct io *io = &attempt->io;

	loop_remove(io);
	if (send(io->fd, request, length, MSG_NOSIGNAL) != (ssize_t)length ||
	    loop_add(io, EPOLLIN)) {
		attempt->end(attempt, strerror(errno));
		return;
	}
	attempt->is_sent = true;
}

static void connection_ready(struct io *io, __u32 events)
{
	struct attempt *attempt = owner_of(io, struct attempt, io);
	socklen_t size = sizeof(int);
	int error = 0;

	(void)events;
	if (attempt->is_sent) {
		receive_answer(attempt);
		return;
	}
	getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error)
		attempt->end(attempt, strerror(error));
	else if (attempt->target->check.type == CHECK_HTTP)
		send_request(attempt);
	else
		attempt->end(attempt, NULL);
}

void start_connection(struct attempt *attempt)
{
	union socket_address to;
	socklen_t length = set_address(&to, &attempt->target->at);
	int fd = open_socket(to.any.sa_family);

	attempt->io = (struct io){ fd, connection_ready };
	if (fd < 0 || (connect(fd, &to.any, length) && errno != EINPROGRESS) ||
	    loop_add(&attempt->io, EPOLLOUT))
		attempt->end(attempt, strerror(errno));
}

void drop_connection(struct attempt *attempt)
{
	if (attempt->io.fd < 0)
		return;
	loop_remove(&attempt->io);
	close(attempt->io.fd);
	attempt->io.fd = -1;
}
