// SPDX-License-Identifier: GPL-2.0
/*
 * receive PORT: takes UDP datagrams by recvmmsg(2), as many at a time as there are. When it is ended
 * by SIGINT, prints as tests/tools/xsk does:
 *
 *   received N wrong N answered N rate N       (packets a second from the first to the last)
 */
#define _GNU_SOURCE /* recvmmsg */
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 64
#define SIZE 2048
#define QUEUE (8 << 20) /* bytes that may wait */

static volatile sig_atomic_t is_over;

static void stop(int number)
{
	(void)number;
	is_over = 1;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), queue = QUEUE;
	struct sigaction action = { .sa_handler = stop };
	static struct mmsghdr messages[BATCH];
	static uint8_t data[BATCH][SIZE];
	struct iovec parts[BATCH];
	double first = 0, last = 0;
	uint64_t received = 0;

	any.sin_port = htons(argc > 1 ? atoi(argv[1]) : 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &queue, sizeof(queue));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any))) {
		perror("bind");
		return 1;
	}
	sigaction(SIGINT, &action, NULL);
	for (int i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){ data[i], SIZE };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
	}
	printf("ready\n");
	fflush(stdout);
	while (!is_over) {
		int count = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);

		if (count <= 0)
			continue;
		last = seconds();
		first = first ? first : last;
		received += count;
	}
	printf("received %lu wrong 0 answered 0 rate %.0f\n", (unsigned long)received,
	       last > first ? received / (last - first) : 0);
	return 0;
}
