// SPDX-License-Identifier: GPL-2.0
/*
 * scale PINS WORD=VALUE...
 *
 * What two CPUs take of the packets of a balancer, beside what one takes: of each, its own flows; in
 * mode nat, with kinds=split, one CPU gets the packets of the clients, and the other those of the
 * backends of the same flows. The second CPU's packets come from the programs that are pinned in PINS,
 * those of pins= are the first's. Prints a line of JSON with the scaling in each turn: of the empty
 * program, and of the balancer. See setup.h for the words.
 */
#define _GNU_SOURCE /* sched_setaffinity */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "calm.h"
#include "kernel.h"
#include "setup.h"
#include "timing.h"

#define CPUS 2
#define TURNS 21
#define SLICE 0.02 /* seconds */
#define LEAD 0.003 /* seconds from the order to the start */
#define TRIES 5 /* of a turn, until it is calm */

enum { EMPTY, BALANCER, TESTED };

/* What the processes, one for each CPU, share. */
static struct shared {
	volatile double start; /* of the slice */
	volatile int order; /* number of the slice; -1: end */
	volatile int tested;
	volatile bool runs[CPUS]; /* whether the CPU takes part */
	volatile int done[CPUS]; /* number of the last slice */
	volatile double rate[CPUS];
	volatile bool calm[CPUS];
} * shared;

static int programs[TESTED];

static enum direction direction_of(int cpu)
{
	if (!strcmp(setup.kinds, "split"))
		return cpu ? FROM_BACKEND : FROM_CLIENT;
	return !strcmp(setup.kinds, "both") ? BOTH_DIRECTIONS : FROM_CLIENT;
}

/* A CPU's own packets. All flows are opened before, by the first. */
static void prepare(int cpu, const char *pins)
{
	uint32_t flows = most_flows();

	open_fronts(pins);
	learn_from(setup.pins);
	start_packets(TCP_ACK, 0, 0);
	visit_some(cpu && strcmp(setup.kinds, "split") ? flows : 0, flows, direction_of(cpu));
}

static void obey(int cpu)
{
	int slice = 0;

	for (;;) {
		bool calm;

		while (shared->order == slice)
			usleep(50);
		slice = shared->order;
		if (slice < 0)
			exit(0);
		if (shared->runs[cpu]) {
			calm = is_calm();
			while (seconds_now() < shared->start)
				;
			shared->rate[cpu] = rate_until(programs[shared->tested],
						       shared->start + SLICE);
			shared->calm[cpu] = calm && is_calm();
		}
		shared->done[cpu] = slice;
	}
}

static void start_cpu(int cpu, const char *pins)
{
	cpu_set_t set;

	if (fork())
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("CPU %d", cpu);
	stay_alone();
	prepare(cpu, pins);
	obey(cpu);
}

/* Packets a second of the CPUs that run. *calm is cleared if one was busy. */
static double run_slice(int tested, bool first, bool second, bool *calm)
{
	const bool runs[CPUS] = { first, second };
	double rate = 0;

	shared->tested = tested;
	for (int cpu = 0; cpu < CPUS; cpu++)
		shared->runs[cpu] = runs[cpu];
	shared->start = seconds_now() + LEAD;
	shared->order++;
	for (int cpu = 0; cpu < CPUS; cpu++) {
		while (shared->done[cpu] != shared->order)
			usleep(200);
		if (!runs[cpu])
			continue;
		rate += shared->rate[cpu];
		*calm = *calm && shared->calm[cpu];
	}
	return rate;
}

/* How many times the mean of one CPU both take. */
static double scaling(int tested, bool *calm)
{
	double one = run_slice(tested, true, false, calm);
	double other = run_slice(tested, false, true, calm);
	double both = run_slice(tested, true, true, calm);

	return both / ((one + other) / 2);
}

static void print_figures(const char *name, const double *figures)
{
	printf(",\"%s\":", name);
	for (int turn = 0; turn < TURNS; turn++)
		printf("%c%.3f", turn ? ',' : '[', figures[turn]);
	printf("]");
}

static void measure(void)
{
	double figures[TESTED][TURNS];
	int busy = 0;

	for (int turn = 0; turn < TURNS; turn++) {
		bool calm = false;

		for (int i = 0; i < TRIES && !calm; i++) {
			calm = true;
			for (int tested = 0; tested < TESTED; tested++)
				figures[tested][turn] = scaling(tested, &calm);
		}
		busy += !calm;
	}
	shared->order = -1;
	printf("{\"part\":\"scale\",\"mode\":\"%s\",\"kind\":\"%s\",\"flows\":%u", setup.mode,
	       setup.kinds, most_flows());
	print_figures("empty", figures[EMPTY]);
	print_figures("xdp-lb", figures[BALANCER]);
	printf(",\"busy\":%d}\n", busy);
}

/* By a process of its own, so that no map is held that the others write. */
static void open_all_flows(void)
{
	int status;

	if (!fork()) {
		open_fronts(setup.pins);
		if (is_nat && open_flows(programs[BALANCER], 0, 2 * most_flows()))
			die("a flow could not be opened");
		exit(0);
	}
	errno = 0;
	if (wait(&status) < 0 || status)
		die("no flows");
}

int main(int argc, char **argv)
{
	if (argc < 2)
		die("usage: scale PINS WORD=VALUE...");
	parse_setup(argc - 1, argv + 1);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		die("mmap");
	programs[EMPTY] = open_pin(setup.pins, "empty");
	programs[BALANCER] = open_program(atoi(setup.program));
	open_all_flows();
	start_cpu(0, setup.pins);
	start_cpu(1, argv[1]);
	measure();
	while (wait(NULL) > 0)
		;
	return 0;
}
