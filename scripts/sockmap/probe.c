// SPDX-License-Identifier: GPL-2.0
/*
 * probe PINS CGROUP: whether programs can live with what this kernel does to sockets in the map, by
 * trying it: connections within this process, which joins CGROUP, on a port of their own that it
 * puts into PINS/ports. Says what is wrong, with status 1.
 *
 * A kernel whose FIONREAD knows TCP's queue only (6.1, for one) says "nothing there" of data that was
 * handed over. nginx as a proxy believes it, and waits for ever for what it already has.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 10000 /* bytes: fits into any queue */
#define PATIENCE 5000 /* ms */
#define PAUSE 50000 /* us: enough for a process to fall asleep, or to be woken */

#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif

static _Noreturn __attribute__((format(printf, 1, 2))) void wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("probe: ", stderr);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static long bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int open_ports(const char *pins)
{
	union bpf_attr attr = { 0 };
	char path[256];
	long fd;

	snprintf(path, sizeof(path), "%s/ports", pins);
	attr.pathname = (uintptr_t)path;
	fd = bpf(BPF_OBJ_GET, &attr);
	if (fd < 0)
		wrong("%s: %s", path, strerror(errno));
	return (int)fd;
}

static void change_ports(int command, int ports, uint16_t port)
{
	uint8_t value = 1;
	union bpf_attr attr = { .map_fd = ports,
				.key = (uintptr_t)&port,
				.value = (uintptr_t)&value };

	if (command == BPF_MAP_DELETE_ELEM)
		attr.value = 0;
	if (bpf(command, &attr))
		wrong("port %d in the map: %s", port, strerror(errno));
}

static void join_cgroup(const char *cgroup)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	file = fopen(path, "w");
	if (!file || fprintf(file, "%d\n", getpid()) < 0 || fclose(file))
		wrong("%s: %s", path, strerror(errno));
}

/* A connection to a listener of both families: this process writes to one end and reads the other. */
static void connect_ends(int ports, const struct sockaddr_in6 *address, int *writer, int *reader)
{
	int listener = socket(AF_INET6, SOCK_STREAM, 0), no = 0;
	struct sockaddr_in6 bound = *address;
	socklen_t length = sizeof(bound);

	if (listener < 0 || setsockopt(listener, SOL_IPV6, IPV6_V6ONLY, &no, sizeof(no)) ||
	    bind(listener, (struct sockaddr *)&bound, length) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&bound, &length))
		wrong("listening on loopback: %s", strerror(errno));
	change_ports(BPF_MAP_UPDATE_ELEM, ports, ntohs(bound.sin6_port));
	*writer = socket(AF_INET6, SOCK_STREAM, 0);
	if (connect(*writer, (struct sockaddr *)&bound, length))
		wrong("connecting on loopback: %s", strerror(errno));
	*reader = accept(listener, NULL, NULL);
	if (*reader < 0)
		wrong("accept: %s", strerror(errno));
	close(listener);
}

static void await_data(int fd)
{
	struct pollfd wanted = { .fd = fd, .events = POLLIN };

	if (poll(&wanted, 1, PATIENCE) != 1)
		wrong("what was handed over does not wake the reader");
}

static void check_queue(int reader, int size)
{
	uint32_t memory[SK_MEMINFO_VARS] = { 0 };
	socklen_t length = sizeof(memory);
	int waiting = -1;

	if (ioctl(reader, FIONREAD, &waiting) || waiting != size)
		wrong("this kernel's FIONREAD reports %d of %d bytes that were handed over: "
		      "programs"
		      " that believe it, as nginx does, stall",
		      waiting, size);
	getsockopt(reader, SOL_SOCKET, SO_MEMINFO, memory, &length);
	if (memory[SK_MEMINFO_RMEM_ALLOC] < (uint32_t)size)
		wrong("this kernel does not charge the reader for what was handed over: nothing"
		      " would stop a writer");
}

static void read_some(int reader, const char *wanted, int size)
{
	char got[SIZE];

	if (recv(reader, got, size, 0) != size || memcmp(got, wanted, size))
		wrong("what was handed over is not read as it was written");
}

static void check_handed_over(int reader)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);

	getsockopt(reader, IPPROTO_TCP, TCP_INFO, &info, &length);
	if (info.tcpi_bytes_received)
		wrong("this kernel hands nothing over: %llu bytes came by TCP",
		      (unsigned long long)info.tcpi_bytes_received);
}

static void check_end(int reader)
{
	char more;

	await_data(reader);
	if (recv(reader, &more, 1, 0) != 0)
		wrong("the end of the connection is lost");
}

/* Whether a read that waits is left waiting when this side ends its direction. */
static bool waits(int fd, int other)
{
	pid_t child = fork();
	char byte;
	int status;

	if (child < 0)
		wrong("fork: %s", strerror(errno));
	if (child == 0)
		_exit(recv(fd, &byte, 1, 0) != 1);
	usleep(PAUSE);
	shutdown(fd, SHUT_WR);
	usleep(PAUSE);
	send(other, "", 1, MSG_NOSIGNAL);
	waitpid(child, &status, 0);
	return status == 0;
}

static void check_connection(int ports, const struct sockaddr_in6 *address)
{
	struct sockaddr_in6 bound;
	socklen_t length = sizeof(bound);
	char data[SIZE];
	int writer, reader;

	for (int i = 0; i < SIZE; i++)
		data[i] = (char)(i + i / 256);
	connect_ends(ports, address, &writer, &reader);
	if (send(writer, data, SIZE, 0) != SIZE)
		wrong("send: %s", strerror(errno));
	await_data(reader);
	check_handed_over(reader);
	check_queue(reader, SIZE);
	read_some(reader, data, SIZE / 4);
	check_queue(reader, SIZE - SIZE / 4);
	if (!waits(writer, reader))
		puts("note: on this kernel a read that waits can end with EAGAIN when nothing came:"
		     " for programs that wait by poll or epoll only");
	read_some(reader, data + SIZE / 4, SIZE - SIZE / 4);
	check_end(reader);
	close(writer);
	getsockname(reader, (struct sockaddr *)&bound, &length);
	change_ports(BPF_MAP_DELETE_ELEM, ports, ntohs(bound.sin6_port));
	close(reader);
}

int main(int argc, char **argv)
{
	struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in6 mapped = {
		.sin6_family = AF_INET6,
		.sin6_addr.s6_addr = { [10] = 0xff, 0xff, 127, 0, 0, 1 },
	};
	int ports;

	if (argc != 3) {
		fputs("usage: probe PINS CGROUP\n", stderr);
		return 2;
	}
	ports = open_ports(argv[1]);
	join_cgroup(argv[2]);
	check_connection(ports, &mapped);
	check_connection(ports, &ipv6);
	return 0;
}
