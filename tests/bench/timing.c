// SPDX-License-Identifier: GPL-2.0
/* See timing.h. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "calm.h"
#include "kernel.h"
#include "timing.h"

#define TIMED_RUNS 20000 /* of one slice, and of the empty program before and after it */
#define SHORT_RUNS 8000 /* the same where a packet takes long: calm is rare for so long */
#define LONG_FLOWS 50000 /* where it does */
#define SLICES 5 /* which count with their median */
#define WARMING 1000 /* packets before a slice that is timed again */
#define PAUSE 1000 /* microseconds */
#define SAME_PERCENT 5 /* by which the empty program may differ before and after a slice */
#define RATE_RUNS 2000 /* packets between two looks at the clock */
#define MAX_PROGRAMS 16

struct bench *bench;
double patience = 3;

static uint32_t device;
static int fronts[2], empty_fronts[2]; /* not fenced, fenced */
static int opener, timed;
static struct visit *visits;
static const uint64_t *learnt;

static struct {
	int program;
	uint64_t packets;
} sent[MAX_PROGRAMS];

double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

void set_device(uint32_t ifindex)
{
	device = ifindex;
}

void learn_from(const char *pins)
{
	int map = open_map_of(open_pin(pins, "opener"), "learnt");

	learnt = map_memory(map, sizeof(*learnt) * BENCH_LEARNT);
}

void open_fronts(const char *pins)
{
	uint32_t slot = BENCH_EMPTY;
	int empty = open_pin(pins, "empty");

	fronts[0] = open_pin(pins, "front");
	fronts[1] = open_pin(pins, "fenced");
	empty_fronts[0] = open_pin(pins, "front_empty");
	empty_fronts[1] = open_pin(pins, "fenced_empty");
	opener = open_pin(pins, "opener");
	timed = open_map_of(opener, "timed");
	bench = map_memory(open_map_of(opener, "bench.bss"), sizeof(*bench));
	learn_from(pins);
	visits = map_memory(open_map_of(fronts[0], "visits"), sizeof(*visits) * BENCH_VISITS);
	map_update(timed, &slot, &empty);
}

/* Puts a program behind those in front. */
static void choose(int program)
{
	static int chosen = -1;
	uint32_t slot = BENCH_TESTED;

	if (program != chosen)
		map_update(timed, &slot, &program);
	chosen = program;
}

static uint64_t *sent_to(int program)
{
	int i = 0;

	while (i < MAX_PROGRAMS - 1 && sent[i].program && sent[i].program != program)
		i++;
	sent[i].program = program;
	return &sent[i].packets;
}

uint64_t packets_sent(int program)
{
	return *sent_to(program);
}

static uint32_t run(int front, uint32_t times)
{
	static uint8_t frame[BENCH_FRAME + 4];
	struct test_run test = {
		.program = front,
		.ifindex = device,
		.frame = frame,
		.length = bench->frame,
		.times = times,
	};

	return test_run(&test);
}

static uint32_t send_by(int front, int program, uint32_t times)
{
	choose(program);
	*sent_to(program) += times;
	return run(front, times);
}

uint32_t send_packets(int program, uint32_t times)
{
	return send_by(fronts[0], program, times);
}

void send_openings(int program, uint32_t times)
{
	send_by(opener, program, times);
}

/* Packets */

static uint32_t packets_of(uint32_t first, uint32_t flows, enum direction direction)
{
	uint32_t packets = direction == BOTH_DIRECTIONS ? 2 * flows : flows;

	errno = 0;
	if (packets > BENCH_VISITS ||
	    (direction != FROM_CLIENT && !bench->visible && first + flows > BENCH_LEARNT))
		die("%u flows are too many", flows);
	return packets;
}

/* What the flow's backend has to know to answer. In mode dnat any backend of the service may. */
static uint32_t known_of(uint32_t flow)
{
	uint32_t service = flow & (bench->services - 1);

	if (!bench->visible)
		return learnt[flow];
	return (service * bench->backends + 1 + flow / bench->services % bench->backends) << 16;
}

static bool only_opened;

void skip_unopened(void)
{
	only_opened = true;
}

static void visit_from(uint32_t first, uint32_t flows, enum direction direction)
{
	uint32_t packets = packets_of(first, flows, direction);

	for (uint32_t i = 0; i < packets; i++) {
		uint32_t flow = first + (direction == BOTH_DIRECTIONS ? i / 2 : i);
		bool back = direction == FROM_BACKEND || (direction == BOTH_DIRECTIONS && i & 1);

		if (only_opened && !learnt[flow])
			flow = first;
		visits[i] = (struct visit){ flow, back ? known_of(flow) : 0 };
	}
	bench->flows = packets;
	bench->next = 0;
}

void visit_in_order(uint32_t flows, enum direction direction)
{
	visit_from(0, flows, direction);
}

void visit_range(uint32_t first, uint32_t flows)
{
	for (uint32_t i = 0; i < flows; i++)
		visits[i] = (struct visit){ .flow = first + i };
	bench->flows = flows;
	bench->next = 0;
}

/* The same order in each run: so that what is compared was measured with the same. */
static uint32_t next_random(void)
{
	static uint64_t state = 0x9E3779B97F4A7C15;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state >> 32;
}

/* A flow's two packets stay together, as a request and its answer do. */
void visit_shuffled(uint32_t flows, enum direction direction)
{
	visit_some(0, flows, direction);
}

void visit_some(uint32_t first, uint32_t flows, enum direction direction)
{
	uint32_t step = direction == BOTH_DIRECTIONS ? 2 : 1;

	visit_from(first, flows, direction);
	for (uint32_t i = flows - 1; i > 0; i--) {
		uint32_t j = (uint64_t)next_random() * (i + 1) >> 32;

		for (uint32_t k = 0; k < step; k++) {
			struct visit one = visits[i * step + k];

			visits[i * step + k] = visits[j * step + k];
			visits[j * step + k] = one;
		}
	}
}

/* Timing */

/* CPU time, so that other processes do not count. */
static double cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

/* ns per packet. */
static double time_runs(int front, uint32_t times)
{
	double before = cpu_ns();

	run(front, times);
	return (cpu_ns() - before) / times;
}

/* The same of the empty program, in the bargain of what a call takes; the next packet stays. */
static double time_empty(bool fenced, uint32_t times)
{
	uint32_t next = bench->next;
	double ns = time_runs(empty_fronts[fenced], times);

	bench->next = next;
	return ns;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(double *samples, int count)
{
	qsort(samples, count, sizeof(*samples), compare);
	return samples[count / 2];
}

static uint32_t runs_of_slice(void)
{
	return bench->flows < LONG_FLOWS ? TIMED_RUNS : SHORT_RUNS;
}

/* Times a slice. Returns whether it is good: the CPU was calm, and the empty program took the same
 * before and after. */
static bool try_slice(int program, bool fenced, double *ns)
{
	uint32_t runs = runs_of_slice();
	double before, after;
	bool calm = is_calm();

	before = time_empty(fenced, runs);
	*ns = time_runs(fronts[fenced], runs);
	*sent_to(program) += runs;
	after = time_empty(fenced, runs);
	*ns -= (before + after) / 2;
	return calm && is_calm() && before < after * (100 + SAME_PERCENT) / 100 &&
	       after < before * (100 + SAME_PERCENT) / 100;
}

/* One that is not good is timed again, on another CPU; until our patience is at its end: then it
 * counts as it is. */
static double time_slice(int program, bool fenced, int *busy)
{
	static double lost;
	double ns, begin = 0;

	while (!try_slice(program, fenced, &ns)) {
		double now = seconds_now();

		if (!begin)
			begin = now;
		if (lost + now - begin > patience) {
			(*busy)++;
			break;
		}
		change_cpu();
		usleep(PAUSE);
		send_packets(program, WARMING);
	}
	if (begin)
		lost += seconds_now() - begin;
	return ns;
}

double time_program(int program, bool fenced, bool *busy)
{
	double slices[SLICES];
	int busy_slices = 0;

	choose(program);
	for (int i = 0; i < SLICES; i++)
		slices[i] = time_slice(program, fenced, &busy_slices);
	if (busy_slices > SLICES / 2)
		*busy = true;
	return median(slices, SLICES);
}

double rate_until(int program, double end)
{
	double begin = seconds_now(), now;
	uint64_t packets = 0;

	choose(program);
	do {
		run(fronts[0], RATE_RUNS);
		packets += RATE_RUNS;
		now = seconds_now();
	} while (now < end);
	return packets / (now - begin);
}

double time_once(int program, bool fenced, uint32_t times)
{
	double before = time_empty(fenced, times), ns;

	choose(program);
	*sent_to(program) += times;
	ns = time_runs(fronts[fenced], times);
	return ns - before;
}
