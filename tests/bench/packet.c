// SPDX-License-Identifier: GPL-2.0
/*
 * packet PROGRAM IFINDEX PINS MODE FAMILY PROTOCOL SERVICES BACKENDS ROUNDS FLOWS...
 *
 * Times one packet in the attached program (id PROGRAM), which balances SERVICES of BACKENDS each,
 * by BPF_PROG_TEST_RUN through the programs of bench.bpf.o, which are pinned in PINS. Prints a line
 * of JSON for each kind of packet and number of flows: ns above the empty program, for the program
 * and for its rivals, the floor and the yardstick; and whether the CPU was busy; by rounds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "calm.h"
#include "kernel.h"
#include "maps/xdp_lb.h"

#define MAX_ROUNDS 9
#define MAX_COUNTS 8
#define TIMED_RUNS 20000 /* of one slice, and of the empty program before and after it */
#define SHORT_RUNS 8000 /* the same where a packet takes long: calm is rare for so long */
#define LONG_FLOWS 50000 /* where it does */
#define SLICES 5 /* in a round, which counts with their median */
#define MIN_WARMING 1000 /* runs before the first slice: each flow once, within these bounds */
#define MAX_WARMING 40000
#define NEW_FLOWS 10000

enum rival { EMPTY, FLOOR, YARDSTICK, PROGRAM, RIVALS };

static const char *const rival_names[RIVALS] = { "empty", "floor", "yardstick", "xdp-lb" };

static struct {
	enum mode mode;
	bool ipv6;
	uint8_t protocol;
	uint32_t services, backends;
	uint32_t ifindex;
} setup;
static bool grows; /* the program may grow the packet */
static int rounds;
static uint32_t flow_counts[MAX_COUNTS];
static int counts;

static struct bench *bench;
static int program, front, front_empty, opener, timed, empty, lowest;
static int yard[2], fill[2], clear[2]; /* of few flows, of many */

/* Running */

/* Puts a program behind those in front. */
static void choose(int tested)
{
	static int chosen = -1;
	uint32_t slot = BENCH_TESTED;

	if (tested != chosen)
		map_update(timed, &slot, &tested);
	chosen = tested;
}

static uint32_t run(int in_front, uint32_t times)
{
	static uint8_t frame[BENCH_FRAME];
	struct test_run test = {
		.program = in_front,
		.ifindex = setup.ifindex,
		.frame = frame,
		.length = sizeof(frame),
		.times = times,
	};

	return test_run(&test);
}

/* CPU time, so that other processes do not count. */
static double cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

/* ns per packet. */
static double time_runs(int in_front, uint32_t times)
{
	double before = cpu_ns();

	run(in_front, times);
	return (cpu_ns() - before) / times;
}

static uint32_t runs_of_slice(void)
{
	return bench->flows < LONG_FLOWS ? TIMED_RUNS : SHORT_RUNS;
}

/* The same of the empty program, in the bargain of what a call takes; the next flow stays. */
static double time_empty(void)
{
	uint32_t next = bench->next;
	double ns = time_runs(front_empty, runs_of_slice());

	bench->next = next;
	return ns;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *samples, int count)
{
	qsort(samples, count, sizeof(*samples), compare);
	return samples[count / 2];
}

/*
 * A slice counts if the CPU was calm and the empty program took the same before and after; if not,
 * it is timed again, on another CPU; until our patience is at its end: then it counts as it is.
 * Returns ns above the empty program.
 */
#define PATIENCE 3 /* seconds that may be lost in all */
#define PAUSE 1000 /* microseconds */
#define SAME_PERCENT 5

static int busy_slices;

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Whether the slice is good. */
static bool try_slice(int in_front, double *ns)
{
	double before, after;
	bool calm = is_calm();

	before = time_empty();
	*ns = time_runs(in_front, runs_of_slice());
	after = time_empty();
	*ns -= (before + after) / 2;
	return calm && is_calm() && before < after * (100 + SAME_PERCENT) / 100 &&
	       after < before * (100 + SAME_PERCENT) / 100;
}

static double time_slice(int in_front, uint32_t warming)
{
	static double lost;
	double ns, begin = 0;

	while (!try_slice(in_front, &ns)) {
		double now = seconds();

		if (!begin)
			begin = now;
		if (lost + now - begin > PATIENCE) {
			busy_slices++;
			break;
		}
		change_cpu();
		usleep(PAUSE);
		run(in_front, warming);
	}
	if (begin)
		lost += seconds() - begin;
	return ns;
}

/* Kinds of packets */

struct kind {
	const char *name;
	enum xdp_action action;
	uint8_t flags; /* of TCP */
	bool answer; /* the backend's, in mode nat */
	bool foreign; /* of no service: compared with the empty program alone */
	bool stateless; /* in modes dsr and ipip only */
	uint32_t vip, port; /* added */
};

#define TCP_SYN 0x02
#define TCP_ACK 0x10

static const struct kind kinds[] = {
	{ .name = "data", .action = XDP_TX, .flags = TCP_ACK },
	{ .name = "answer", .action = XDP_TX, .flags = TCP_ACK, .answer = true },
	{ .name = "syn", .action = XDP_TX, .flags = TCP_SYN, .stateless = true },
	{ .name = "foreign", .action = XDP_PASS, .flags = TCP_ACK, .foreign = true, .vip = 65536 },
	{ .name = "port", .action = XDP_PASS, .flags = TCP_ACK, .foreign = true, .port = 1000 },
};

static const struct kind new_flow = { .name = "new", .flags = TCP_SYN, .foreign = true };

static bool has_kind(const struct kind *kind)
{
	if (setup.mode == MODE_NAT ? kind->stateless : kind->answer)
		return false;
	return setup.protocol == IPPROTO_TCP || kind->flags != TCP_SYN;
}

/* The sum of the words of an IPv4 header that are the same in every packet. */
static uint32_t constant_sum(void)
{
	return htons(0x4500) + htons(BENCH_FRAME - ETH_HLEN) + htons(0x4000) +
	       htons(64 << 8 | setup.protocol);
}

static void start_kind(const struct kind *kind, uint32_t flows)
{
	*bench = (struct bench){
		.flows = flows,
		.services = setup.services,
		.vip = BENCH_VIP + kind->vip,
		.port = BENCH_PORT + kind->port,
		.sum = constant_sum(),
		.ipv6 = setup.ipv6,
		.udp = setup.protocol == IPPROTO_UDP,
		.grows = grows,
		.answers = kind->answer,
		.flags = kind->flags,
	};
}

/* Rivals */

static bool has_rival(const struct kind *kind, enum rival rival)
{
	return !kind->foreign || rival == PROGRAM;
}

static bool are_many(uint32_t flows)
{
	return flows > BENCH_FEW * 9 / 10;
}

static int rival_program(enum rival rival, uint32_t flows)
{
	switch (rival) {
	case EMPTY:
		return empty;
	case FLOOR:
		return lowest;
	case YARDSTICK:
		return yard[are_many(flows)];
	default:
		return program;
	}
}

/* Runs a program on one packet of each flow. */
static void run_all(int tested, uint32_t flows, enum xdp_action expected, const char *what)
{
	uint32_t action;

	choose(tested);
	action = run(front, flows);
	errno = 0;
	if (action != expected)
		die("%s: action %u instead of %u", what, action, expected);
}

static double time_rival(enum rival rival, const struct kind *kind, uint32_t flows)
{
	uint32_t warming = flows < MIN_WARMING ? MIN_WARMING :
			   flows > MAX_WARMING ? MAX_WARMING :
						 flows;
	double slices[SLICES];

	run_all(rival_program(rival, flows), warming, rival == PROGRAM ? kind->action : XDP_TX,
		rival_names[rival]);
	for (int i = 0; i < SLICES; i++)
		slices[i] = time_slice(front, warming);
	return median(slices, SLICES);
}

/* Results */

struct samples {
	double ns[RIVALS][MAX_ROUNDS];
	bool busy[MAX_ROUNDS];
};

static void print_result(const struct kind *kind, uint32_t flows, const struct samples *samples)
{
	static const char *const modes[] = { "nat", "dsr", "ipip" };

	printf("{\"part\":\"packet\",\"mode\":\"%s\",\"family\":%d,\"protocol\":\"%s\","
	       "\"kind\":\"%s\",\"flows\":%u,\"services\":%u,\"backends\":%u",
	       modes[setup.mode], setup.ipv6 ? 6 : 4, setup.protocol == IPPROTO_TCP ? "tcp" : "udp",
	       kind->name, flows, setup.services, setup.backends);
	for (enum rival rival = FLOOR; rival < RIVALS; rival++) {
		if (!has_rival(kind, rival))
			continue;
		printf(",\"%s\":", rival_names[rival]);
		for (int round = 0; round < rounds; round++)
			printf("%c%.1f", round ? ',' : '[', samples->ns[rival][round]);
		printf("]");
	}
	printf(",\"busy\":");
	for (int round = 0; round < rounds; round++)
		printf("%c%s", round ? ',' : '[', samples->busy[round] ? "true" : "false");
	printf("]}\n");
	fflush(stdout);
}

static void time_kind(const struct kind *kind, uint32_t flows)
{
	struct samples samples = {};
	uint32_t next[RIVALS] = {};

	start_kind(kind, flows);
	if (!kind->foreign)
		run_all(fill[are_many(flows)], flows, XDP_TX, "fill the yardstick");
	for (int round = 0; round < rounds; round++) {
		for (enum rival rival = FLOOR; rival < RIVALS; rival++) {
			if (!has_rival(kind, rival))
				continue;
			bench->next = next[rival];
			busy_slices = 0;
			samples.ns[rival][round] = time_rival(rival, kind, flows);
			samples.busy[round] |= busy_slices > SLICES / 2;
			next[rival] = bench->next;
		}
	}
	bench->next = 0;
	if (!kind->foreign)
		run_all(clear[are_many(flows)], flows, XDP_TX, "clear the yardstick");
	print_result(kind, flows, &samples);
}

/* In each number of flows; a foreign packet has none. */
static void time_counts(const struct kind *kind)
{
	if (kind->foreign)
		time_kind(kind, 1);
	for (int i = 0; i < counts && !kind->foreign; i++)
		time_kind(kind, flow_counts[i]);
}

/* Flows of mode nat */

static void open_flows(uint32_t flows)
{
	start_kind(&kinds[0], flows);
	choose(program);
	run(opener, flows * (bench->udp ? 2 : 3));
	errno = 0;
	if (bench->failures > flows / 1000)
		die("%u of %u flows could not be opened", bench->failures, flows);
	if (bench->failures)
		fprintf(stderr, "bench: %u of %u flows could not be opened\n", bench->failures,
			flows);
}

static struct flow *flows_of_balancer(void)
{
	return map_memory(open_map_of(program, "xlb_flows"), sizeof(struct flow) * FLOWS);
}

/* New flows: in each round all that there are end, and each is begun anew by its first packet. */
static void time_new(uint32_t flows)
{
	struct flow *known = flows_of_balancer();
	struct samples samples = {};

	choose(program);
	for (int round = 0; round < rounds; round++) {
		for (uint32_t i = 0; i < FLOWS; i++)
			known[i].cookie = 0;
		start_kind(&new_flow, flows);
		samples.busy[round] = !is_calm();
		samples.ns[PROGRAM][round] = -time_empty();
		samples.ns[PROGRAM][round] += time_runs(front, flows);
		samples.busy[round] |= !is_calm();
	}
	print_result(&new_flow, flows, &samples);
}

/* What became of the packets, by the program's own counters: a forwarded one is none of these. */
static void check_verdicts(void)
{
	static struct service_stats stats[1024]; /* a CPU each */
	int map = open_map_of(program, "xlb_svc_stats"), cpus = possible_cpus();
	unsigned long long bad = 0;

	for (uint32_t number = 0; number <= setup.services; number++) {
		if (map_lookup(map, &number, stats))
			die("read the counters");
		for (int cpu = 0; cpu < cpus; cpu++) {
			for (int i = 0; i < VERDICTS; i++)
				bad += stats[cpu].verdict[i].packets;
			bad -= stats[cpu].verdict[VERDICT_NO_SERVICE].packets;
		}
	}
	if (bad)
		fprintf(stderr, "bench: %llu packets were neither forwarded nor of no service\n",
			bad);
}

static void open_bench(uint32_t id, const char *pins)
{
	static const char *const lowest_names[] = { "lowest", "lowest_grown", "lowest_grown6" };
	uint32_t slot = BENCH_EMPTY;

	program = open_program(id);
	front = open_pin(pins, "front");
	front_empty = open_pin(pins, "front_empty");
	opener = open_pin(pins, "opener");
	empty = open_pin(pins, "empty");
	lowest = open_pin(pins, lowest_names[grows ? 1 + setup.ipv6 : 0]);
	yard[0] = open_pin(pins, "yard_of_few");
	yard[1] = open_pin(pins, "yard_of_many");
	fill[0] = open_pin(pins, "fill_few");
	fill[1] = open_pin(pins, "fill_many");
	clear[0] = open_pin(pins, "clear_few");
	clear[1] = open_pin(pins, "clear_many");
	timed = open_map_of(front, "timed");
	bench = map_memory(open_map_of(front, "bench.bss"), sizeof(*bench));
	map_update(timed, &slot, &empty);
}

static void parse(int argc, char **argv)
{
	if (argc < 11) {
		fprintf(stderr,
			"usage: %s PROGRAM IFINDEX PINS MODE FAMILY PROTOCOL SERVICES "
			"BACKENDS ROUNDS FLOWS...\n",
			argv[0]);
		exit(2);
	}
	setup.ifindex = atoi(argv[2]);
	setup.mode = *argv[4] == 'n' ? MODE_NAT : *argv[4] == 'd' ? MODE_DSR : MODE_IPIP;
	grows = setup.mode == MODE_IPIP;
	setup.ipv6 = *argv[5] == '6';
	setup.protocol = *argv[6] == 't' ? IPPROTO_TCP : IPPROTO_UDP;
	setup.services = atoi(argv[7]);
	setup.backends = atoi(argv[8]);
	rounds = atoi(argv[9]) > MAX_ROUNDS ? MAX_ROUNDS : atoi(argv[9]);
	for (int i = 10; i < argc && counts < MAX_COUNTS; i++)
		flow_counts[counts++] = atoi(argv[i]);
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	stay_alone();
	change_cpu();
	open_bench(atoi(argv[1]), argv[3]);
	if (setup.mode == MODE_NAT)
		open_flows(flow_counts[counts - 1]); /* the most */
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (has_kind(&kinds[i]))
			time_counts(&kinds[i]);
	if (setup.mode == MODE_NAT)
		time_new(NEW_FLOWS);
	check_verdicts();
	return 0;
}
