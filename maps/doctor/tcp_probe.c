// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "doctor/tcp_probe.h"
#include "lib/clock.h"

#define AT_ONCE 256
#define PATIENCE_MS 1000
/* Below the ports that the balancer gives to flows whose own is taken. */
#define HIGHEST_PORT 1023
#define PORTS 400

union socket_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static long millisecond_now(void)
{
	return nanosecond_now() / 1000000;
}

static socklen_t set_address(union socket_address *socket_address, const struct address *address,
			     __be16 port)
{
	memset(socket_address, 0, sizeof(*socket_address));
	if (is_ipv4(address)) {
		socket_address->v4.sin_family = AF_INET;
		socket_address->v4.sin_port = port;
		memcpy(&socket_address->v4.sin_addr, &address->word[3], 4);
		return sizeof(socket_address->v4);
	}
	socket_address->v6.sin6_family = AF_INET6;
	socket_address->v6.sin6_port = port;
	memcpy(&socket_address->v6.sin6_addr, address, sizeof(*address));
	return sizeof(socket_address->v6);
}

/* A socket that resets its connection when it is closed, so that none stays in TIME_WAIT. */
static int open_socket(const struct tcp_probe *probe)
{
	struct linger at_once = { .l_onoff = 1 };
	int fd = socket(is_ipv4(&probe->from) ? AF_INET : AF_INET6,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
	    yes = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	return fd;
}

/* Starts a probe from any port that is free. Returns its socket, or -1 if there is nothing to wait
 * for. */
static int start_probe(const struct tcp_probe *probe)
{
	union socket_address from, to;
	socklen_t length = set_address(&to, &probe->to.address, probe->to.port);

	for (int i = 0; i < PORTS; i++) {
		int fd = open_socket(probe);

		if (fd < 0)
			return -1;
		set_address(&from, &probe->from, htons(HIGHEST_PORT - i));
		if (!bind(fd, &from.any, length) && connect(fd, &to.any, length) &&
		    errno == EINPROGRESS)
			return fd;
		close(fd);
		if (errno != EADDRINUSE && errno != EADDRNOTAVAIL)
			return -1;
	}
	return -1;
}

/* Waits until all have ended, or time is over. What poll() reports of a socket ends its probe: that
 * it is connected, or any error. */
static void await_probes(struct pollfd *fds, struct tcp_probe *probes, unsigned int count)
{
	long end = millisecond_now() + PATIENCE_MS, left;
	unsigned int open = count;

	for (unsigned int i = 0; i < count; i++)
		probes[i].is_silent = fds[i].fd >= 0;
	while (open && (left = end - millisecond_now()) > 0) {
		if (poll(fds, count, left) < 0 && errno != EINTR)
			return;
		open = 0;
		for (unsigned int i = 0; i < count; i++) {
			if (fds[i].fd >= 0 && fds[i].revents) {
				probes[i].is_silent = false;
				close(fds[i].fd);
				fds[i].fd = -1;
			}
			open += fds[i].fd >= 0;
		}
	}
}

void run_tcp_probes(struct tcp_probe *probes, unsigned int count)
{
	struct pollfd fds[AT_ONCE];

	for (unsigned int first = 0; first < count; first += AT_ONCE) {
		unsigned int some = count - first < AT_ONCE ? count - first : AT_ONCE;

		for (unsigned int i = 0; i < some; i++)
			fds[i] = (struct pollfd){ start_probe(&probes[first + i]), POLLOUT, 0 };
		await_probes(fds, &probes[first], some);
		for (unsigned int i = 0; i < some; i++) {
			if (fds[i].fd >= 0)
				close(fds[i].fd);
		}
	}
}
