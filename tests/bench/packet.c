// SPDX-License-Identifier: GPL-2.0
/*
 * packet WORD=VALUE...
 *
 * Times one packet in an attached program by BPF_PROG_TEST_RUN through the programs of bench.bpf.c.
 * Prints a line of JSON for each kind of packet and number of flows: ns above the empty program, for
 * the program and for its rivals, the floor and the yardstick, by rounds; the same with the store
 * buffer drained before each packet, in `fenced`; whether the CPU was busy; and `wrong`, how many
 * packets did not get the verdict that their kind should, by the balancer's own counters.
 * See setup.h for the words.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "calm.h"
#include "counters.h"
#include "kernel.h"
#include "setup.h"
#include "timing.h"

#define MIN_WARMING 1000 /* packets before the first slice: each flow once, within these bounds */
#define MAX_WARMING 40000
/* Of the program in mode nat all: the first packet of a flow that was idle for a second is slower. */
#define MAX_WARMING_STATE 150000
#define STRAY 50 /* packets of the host itself that may be among those of a row */
#define FIRST_NEW_FLOW 200000 /* beyond all others */
#define BATCH 1000 /* flows */
#define REFUSED 999 /* of a batch, at least: all ports are taken */

enum rival { FLOOR, YARDSTICK, PROGRAM, RIVALS };

static const char *const rival_names[RIVALS] = { "floor", "yardstick", "xdp-lb" };

static int program, lowest;
static int yard[2], fill[2], clear[2]; /* of few flows, of many */

/* Kinds of packets */

struct kind {
	const char *name;
	const char *reason; /* of the balancer's verdict */
	enum xdp_action action;
	uint8_t flags; /* of TCP */
	enum direction direction;
	bool foreign; /* of no service: compared with the empty program alone */
	bool begins; /* flows, in mode nat */
	bool mostly; /* a few are of another verdict: a port is free, or not, by chance */
	uint32_t vip, port; /* added */
};

static const struct kind kinds[] = {
	{ .name = "data", .reason = "forwarded", .action = XDP_TX, .flags = TCP_ACK },
	{ .name = "answer",
	  .reason = "forwarded",
	  .action = XDP_TX,
	  .flags = TCP_ACK,
	  .direction = FROM_BACKEND },
	{ .name = "syn", .reason = "forwarded", .action = XDP_TX, .flags = TCP_SYN },
	{ .name = "foreign",
	  .reason = "no-service",
	  .action = XDP_PASS,
	  .flags = TCP_ACK,
	  .foreign = true,
	  .vip = 65536 },
	{ .name = "port",
	  .reason = "no-service",
	  .action = XDP_PASS,
	  .flags = TCP_ACK,
	  .foreign = true,
	  .port = 1000 },
	{ .name = "new",
	  .reason = "forwarded",
	  .action = XDP_TX,
	  .flags = TCP_SYN,
	  .foreign = true,
	  .begins = true },
	{ .name = "last",
	  .reason = "forwarded",
	  .action = XDP_TX,
	  .flags = TCP_SYN,
	  .foreign = true,
	  .begins = true,
	  .mostly = true },
	{ .name = "refused",
	  .reason = "no-port",
	  .action = XDP_DROP,
	  .flags = TCP_SYN,
	  .foreign = true,
	  .begins = true,
	  .mostly = true },
};

static bool is_wanted(const struct kind *kind)
{
	size_t length = strlen(kind->name);

	for (const char *at = setup.kinds; (at = strstr(at, kind->name)); at += length)
		if ((at == setup.kinds || at[-1] == ',') && strchr(",", at[length]))
			return true;
	return false;
}

static void start_kind(const struct kind *kind)
{
	start_packets(kind->flags, kind->vip, kind->port);
	set_device(kind->direction == FROM_BACKEND && setup.answer_ifindex ? setup.answer_ifindex :
									     setup.ifindex);
}

/* Rivals */

static bool has_rival(const struct kind *kind, enum rival rival)
{
	return rival == PROGRAM || (!kind->foreign && setup.rivals);
}

static bool are_many(uint32_t flows)
{
	return flows > BENCH_FEW * 9 / 10;
}

static int rival_program(enum rival rival, uint32_t flows)
{
	switch (rival) {
	case FLOOR:
		return lowest;
	case YARDSTICK:
		return yard[are_many(flows)];
	default:
		return program;
	}
}

/* Sends one packet of each flow to a program. */
static void send_all(int tested, uint32_t flows, enum xdp_action expected, const char *what)
{
	uint32_t action = send_packets(tested, flows);

	errno = 0;
	if (action == XDP_REDIRECT) /* as good, where the way leads by another device */
		action = XDP_TX;
	if (action != expected)
		die("%s: action %u instead of %u", what, action, expected);
}

static uint32_t warming_of(enum rival rival, uint32_t flows)
{
	uint32_t most = rival == PROGRAM && is_nat ? MAX_WARMING_STATE : MAX_WARMING;

	return flows < MIN_WARMING ? MIN_WARMING : flows > most ? most : flows;
}

/* Results */

struct samples {
	double ns[2][RIVALS][MAX_ROUNDS]; /* not fenced, fenced */
	bool busy[MAX_ROUNDS];
	long long wrong;
	unsigned long long slow;
};

static void print_rivals(const struct kind *kind, const double ns[RIVALS][MAX_ROUNDS])
{
	const char *comma = "";

	for (enum rival rival = FLOOR; rival < RIVALS; rival++) {
		if (!has_rival(kind, rival))
			continue;
		printf("%s\"%s\":", comma, rival_names[rival]);
		comma = ",";
		for (int round = 0; round < setup.rounds; round++)
			printf("%c%.1f", round ? ',' : '[', ns[rival][round]);
		printf("]");
	}
}

static void print_result(const struct kind *kind, uint32_t flows, const struct samples *samples)
{
	printf("{\"part\":\"packet\",\"setup\":\"%s\",\"mode\":\"%s\",\"family\":%d,"
	       "\"protocol\":\"%s\",\"kind\":\"%s\",\"flows\":%u,\"services\":%d,"
	       "\"backends\":%d,",
	       setup.name, setup.mode, setup.family, setup.protocol, kind->name, flows,
	       setup.services, setup.backends);
	print_rivals(kind, samples->ns[0]);
	printf(",\"fenced\":{");
	print_rivals(kind, samples->ns[1]);
	printf("},\"wrong\":%lld,\"slow\":%llu,\"busy\":", samples->wrong, samples->slow);
	for (int round = 0; round < setup.rounds; round++)
		printf("%c%s", round ? ',' : '[', samples->busy[round] ? "true" : "false");
	printf("]}\n");
	fflush(stdout);
}

/*
 * Compares what the balancer has counted with what was sent to it: a packet that was dropped, or
 * passed, is faster than one that was forwarded. Some are the host's own.
 */
static void check_verdicts(const struct kind *kind, const struct counters *before, uint64_t sent,
			   struct samples *samples)
{
	struct counters after = read_counters(setup.helper, kind->reason);
	long long counted = after.reason - before->reason, strays = after.all - before->all - sent;

	samples->wrong = sent - counted;
	samples->slow = (after.slow - before->slow) * 1000 / sent;
	if (!strcmp(kind->reason, "no-service") && samples->wrong <= 0 && samples->wrong > -STRAY)
		samples->wrong = 0;
	if (strays > STRAY && !samples->wrong)
		samples->wrong = strays;
	if (kind->mostly && samples->wrong > 0 && samples->wrong < (long long)sent / 50)
		samples->wrong = 0;
	if (samples->wrong)
		fprintf(stderr,
			"bench: %s %s%d %s: of %llu packets, %lld were not counted as '%s'\n",
			setup.name, setup.mode, setup.family, kind->name, (unsigned long long)sent,
			samples->wrong, kind->reason);
}

static void time_round(const struct kind *kind, uint32_t flows, int round, struct samples *samples)
{
	static uint32_t next[RIVALS]; /* packet of each: the flows that were long unseen come first */

	if (round == 0)
		memset(next, 0, sizeof(next));
	for (enum rival rival = FLOOR; rival < RIVALS; rival++) {
		int tested = rival_program(rival, flows);

		if (!has_rival(kind, rival))
			continue;
		bench->next = next[rival];
		send_all(tested, warming_of(rival, flows), rival == PROGRAM ? kind->action : XDP_TX,
			 rival_names[rival]);
		for (int fenced = 0; fenced < 2; fenced++)
			samples->ns[fenced][rival][round] = time_program(tested, fenced,
									 &samples->busy[round]);
		next[rival] = bench->next;
	}
}

static void time_kind(const struct kind *kind, uint32_t flows)
{
	bool has_yard = has_rival(kind, YARDSTICK);
	struct samples samples = {};
	struct counters before = read_counters(setup.helper, kind->reason);
	uint64_t sent = packets_sent(program);

	start_kind(kind);
	if (has_yard) { /* in the order in which flows begin */
		visit_in_order(flows, kind->direction);
		send_all(fill[are_many(flows)], flows, XDP_TX, "fill the yardstick");
	}
	visit_shuffled(flows, kind->direction);
	for (int round = 0; round < setup.rounds; round++)
		time_round(kind, flows, round, &samples);
	if (has_yard) {
		bench->next = 0;
		send_all(clear[are_many(flows)], flows, XDP_TX, "clear the yardstick");
	}
	check_verdicts(kind, &before, packets_sent(program) - sent, &samples);
	print_result(kind, flows, &samples);
}

/* Flows that begin: others in each round. */
static void time_new(const struct kind *kind)
{
	struct samples samples = {};
	struct counters before = read_counters(setup.helper, kind->reason);
	uint64_t sent = packets_sent(program);

	start_kind(kind);
	for (int round = 0; round < setup.rounds; round++) {
		for (int fenced = 0; fenced < 2; fenced++) {
			visit_range(FIRST_NEW_FLOW + (2 * round + fenced) * setup.begin,
				    setup.begin);
			samples.busy[round] |= !is_calm();
			samples.ns[fenced][PROGRAM][round] = time_once(program, fenced,
								       setup.begin);
			samples.busy[round] |= !is_calm();
		}
	}
	check_verdicts(kind, &before, packets_sent(program) - sent, &samples);
	print_result(kind, setup.begin, &samples);
}

/* In each number of flows; a foreign packet has none. */
static void time_counts(const struct kind *kind)
{
	if (kind->begins)
		time_new(kind);
	else if (kind->foreign)
		time_kind(kind, 1);
	else
		for (int i = 0; i < counts; i++)
			time_kind(kind, flow_counts[i]);
}

/* The flows of mode nat. */
static void open_all(void)
{
	uint32_t flows = most_flows(), failures = open_flows(program, 0, flows);

	if (!setup.silent)
		skip_unopened();
	errno = 0;
	if (failures > flows / 1000)
		die("%u of %u flows could not be opened", failures, flows);
	if (failures)
		fprintf(stderr, "bench: %u of %u flows could not be opened\n", failures, flows);
	for (uint32_t first = flows; setup.exhaust && failures < REFUSED; first += BATCH)
		failures = open_flows(program, first, BATCH);
}

static void open_bench(void)
{
	static const char *const lowest_names[] = { "lowest", "lowest_grown", "lowest_grown6" };
	bool grows = !strcmp(setup.mode, "ipip");

	program = open_program(atoi(setup.program));
	lowest = open_pin(setup.pins, lowest_names[grows ? 1 + (setup.family == 6) : 0]);
	yard[0] = open_pin(setup.pins, "yard_of_few");
	yard[1] = open_pin(setup.pins, "yard_of_many");
	fill[0] = open_pin(setup.pins, "fill_few");
	fill[1] = open_pin(setup.pins, "fill_many");
	clear[0] = open_pin(setup.pins, "clear_few");
	clear[1] = open_pin(setup.pins, "clear_many");
	open_fronts(setup.pins);
}

int main(int argc, char **argv)
{
	parse_setup(argc, argv);
	stay_alone();
	change_cpu();
	open_bench();
	if (is_nat)
		open_all();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (is_wanted(&kinds[i]))
			time_counts(&kinds[i]);
	return 0;
}
