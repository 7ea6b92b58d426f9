// SPDX-License-Identifier: GPL-2.0
/*
 * generate PINS IFINDEX VIP PORT SECONDS [PACKETS COMMAND...]
 *
 * Sends UDP packets of 100 flows to a service by the device IFINDEX of this network namespace, as
 * live frames of BPF_PROG_TEST_RUN, for SECONDS: prints how many a second the first backend got,
 * which is the program `sink` of the same pins. With COMMAND: only PACKETS a second; after half of
 * the time it runs the command, and prints how many milliseconds after its begin the first backend
 * got its last packet, and how many it ran.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "kernel.h"

#define FLOWS 100
#define BATCH 64 /* frames that the kernel sends at once */
#define BURST 6400 /* frames in one call, without a rate */
#define FIRST_BACKEND_MAC 0x00010001 /* its end, see down.sh and pps.sh */
#define OPENINGS 10 /* times that each flow is answered at first, so that a balancer knows it */
#define PAUSE 100 /* microseconds between two looks at the clock */
#define LAG 640 /* packets that are made up for */
#define URGENT (-20) /* niceness of the sender */

static struct bench *bench;
static int generator;

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void send_frames(uint32_t count)
{
	static uint8_t frame[BENCH_FRAME];
	struct test_run run = {
		.program = generator,
		.ifindex = 1,
		.frame = frame,
		.length = sizeof(frame),
		.times = count,
		.flags = BPF_F_TEST_XDP_LIVE_FRAMES,
	};

	test_run(&run);
}

/* Sends as many packets as it can until then. */
static void send_all_until(double end)
{
	while (seconds() < end)
		send_frames(BURST);
}

/* Sends packets at a steady rate until then, as far as the machine is fast enough. */
static void send_until(double end, double rate)
{
	static double begin, sent;

	if (!begin)
		begin = seconds();
	do {
		double due = (seconds() - begin) * rate;

		if (sent < due - LAG)
			sent = due - LAG;
		for (; sent < due; sent += BATCH)
			send_frames(BATCH);
		usleep(PAUSE);
	} while (seconds() < end);
}

/* Each flow gets answers, as a flow does. */
static void open_flows(void)
{
	bench->reflect = FLOWS * OPENINGS;
	for (int i = 0; i < OPENINGS; i++) {
		send_frames(FLOWS);
		usleep(2000);
	}
	bench->reflect = 0;
}

static void measure_rate(double duration)
{
	uint64_t before = bench->arrived;
	double begin = seconds();

	nice(URGENT);
	send_all_until(begin + duration);
	printf("%.0f\n", (bench->arrived - before) / (seconds() - begin));
}

/* Runs a command beside the sender. Returns the process that waits for it and writes into *took how
 * many seconds it took, or -1 if it failed. */
static pid_t start_command(char **command, double *took)
{
	double began = seconds();
	int status = -1;
	pid_t child, watcher = fork();

	if (watcher)
		return watcher;
	nice(-URGENT);
	child = fork();
	if (child == 0) {
		execvp(*command, command);
		_exit(127);
	}
	waitpid(child, &status, 0);
	*took = status ? -1 : seconds() - began;
	_exit(0);
}

static void measure_command(double duration, double rate, char **command)
{
	double *took = mmap(NULL, sizeof(*took), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);
	double begin = seconds(), started;
	pid_t watcher;

	if (took == MAP_FAILED)
		die("mmap");
	nice(URGENT);
	send_until(begin + duration / 2, rate);
	started = seconds();
	watcher = start_command(command, took);
	do
		send_until(seconds() + 0.001, rate);
	while (seconds() < begin + duration || waitpid(watcher, NULL, WNOHANG) != watcher);
	errno = 0;
	if (*took <= 0)
		die("%s failed", *command);
	printf("%.2f %.2f\n", (bench->last / 1e9 - started) * 1e3, *took * 1e3);
}

int main(int argc, char **argv)
{
	struct in_addr vip;

	if (argc < 6 || argc == 7 || !inet_aton(argv[3], &vip)) {
		fprintf(stderr, "usage: %s PINS IFINDEX VIP PORT SECONDS [PACKETS COMMAND...]\n",
			argv[0]);
		return 2;
	}
	generator = open_pin(argv[1], "generator");
	bench = map_memory(open_map_of(generator, "bench.bss"), sizeof(*bench));
	*bench = (struct bench){
		.flows = FLOWS,
		.services = 1,
		.udp = 1,
		.ifindex = atoi(argv[2]),
		.vip = ntohl(vip.s_addr),
		.port = atoi(argv[4]),
		.mac = htonl(FIRST_BACKEND_MAC),
		.sum = htons(0x4500) + htons(BENCH_FRAME - ETH_HLEN) + htons(0x4000) +
		       htons(64 << 8 | 17),
	};
	open_flows();
	if (argc > 6)
		measure_command(atof(argv[5]), atof(argv[6]), argv + 7);
	else
		measure_rate(atof(argv[5]));
	return 0;
}
