// SPDX-License-Identifier: GPL-2.0
/* The Maglev table: its quality, and what happens to slots and transitions when things change. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "model/maglev.h"
#include "model/slots.h"

#define SLOTS DEFAULT_SLOTS
#define MAX_CLAIMS 1000

static __u16 backend[SLOTS], other[SLOTS];
static struct claim claims[MAX_CLAIMS];
static unsigned int share[MAX_CLAIMS + 1];

/* `count` backends 10.1.x.y of weight 100. */
static void make_claims(unsigned int count)
{
	memset(claims, 0, sizeof(claims));
	for (unsigned int i = 0; i < count; i++) {
		claims[i].address.word[2] = htonl(0xffff);
		claims[i].address.word[3] = htonl(0x0a010000 + i + 1);
		claims[i].weight = DEFAULT_WEIGHT;
		claims[i].eligible = true;
	}
}

static void count_shares(const __u16 *table)
{
	memset(share, 0, sizeof(share));
	for (unsigned int i = 0; i < SLOTS; i++)
		share[table[i]]++;
}

/* The largest difference, in percent, of a share from what its weight promises. */
static double worst_share(const __u16 *table, unsigned int count)
{
	double total = 0, worst = 0;

	count_shares(table);
	for (unsigned int i = 0; i < count; i++)
		total += claims[i].eligible ? claims[i].weight : 0;
	for (unsigned int i = 0; i < count; i++) {
		double promised = claims[i].weight / total * SLOTS;
		double off = (share[i + 1] - promised) / promised * 100;

		if (!claims[i].eligible)
			continue;
		if (off < 0)
			off = -off;
		if (off > worst)
			worst = off;
	}
	return worst;
}

static void test_balance(void)
{
	double worst = 0;

	for (unsigned int count = 1; count <= 100; count++) {
		double off;

		make_claims(count);
		fill_table(backend, SLOTS, claims, count);
		off = worst_share(backend, count);
		worst = off > worst ? off : worst;
	}
	printf("     imbalance of 1 to 100 equal backends: at most %.2f %%\n", worst);
	check("balance", worst < 1, "imbalance %.2f %%", worst);
}

static void test_weights(void)
{
	double worst;

	make_claims(50);
	for (unsigned int i = 0; i < 50; i++)
		claims[i].weight = 20 + i * 20;
	fill_table(backend, SLOTS, claims, 50);
	worst = worst_share(backend, 50);
	printf("     50 backends of weights 20 to 1000: at most %.2f %% off\n", worst);
	check("weights", worst < 2, "%.2f %% off", worst);
}

/* One of `count` backends goes down: only its slots move, to all others alike. */
static void test_down(unsigned int count, unsigned int down)
{
	unsigned int needless = 0;
	double worst;

	make_claims(count);
	fill_table(backend, SLOTS, claims, count);
	claims[down].eligible = false;
	fill_table(other, SLOTS, claims, count);
	for (unsigned int i = 0; i < SLOTS; i++)
		needless += backend[i] != down + 1 && backend[i] != other[i];
	worst = worst_share(other, count);
	printf("     one of %u down: %u of %u slots moved without need, shares %.2f %% off\n",
	       count, needless, SLOTS, worst);
	check("down", !needless && worst < 4, "%u moved without need, %.2f %% off", needless,
	      worst);

	claims[down].eligible = true;
	fill_table(other, SLOTS, claims, count);
	check("up again", !memcmp(backend, other, sizeof(backend)), "the table differs");
}

/* Backends go down one after another, in the end all: no slot moves that did not have to. */
static void test_many_down(void)
{
	unsigned int needless = 0;

	make_claims(100);
	fill_table(backend, SLOTS, claims, 100);
	for (unsigned int down = 0; down < 100; down++) {
		claims[down].eligible = false;
		fill_table(other, SLOTS, claims, 100);
		for (unsigned int i = 0; i < SLOTS; i++)
			needless += backend[i] != down + 1 && backend[i] != other[i];
		memcpy(backend, other, sizeof(backend));
	}
	check("all down, one by one", !needless && !backend[0], "%u moved without need", needless);
}

static void test_delete(void)
{
	unsigned int needless = 0;

	make_claims(100);
	fill_table(backend, SLOTS, claims, 100);
	memmove(&claims[50], &claims[51], 49 * sizeof(*claims));
	fill_table(other, SLOTS, claims, 99);
	for (unsigned int i = 0; i < SLOTS; i++) {
		if (backend[i] != 51 && (backend[i] > 51 ? backend[i] - 1 : backend[i]) != other[i])
			needless++;
	}
	printf("     one of 100 deleted: %.2f %% of slots moved without need\n",
	       100.0 * needless / SLOTS);
	check("delete", needless < SLOTS / 100, "%u slots", needless);
}

static double milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/* The best of several runs: the machine has other things to do as well. */
static double build_time(unsigned int count)
{
	double best = 1e9;

	for (int i = 0; i < 7; i++) {
		double start = milliseconds(), took;

		fill_table(backend, SLOTS, claims, count);
		took = milliseconds() - start;
		best = took < best ? took : best;
	}
	return best;
}

static void test_time(void)
{
	double equal, mixed, ill;

	make_claims(1000);
	equal = build_time(1000);
	for (unsigned int i = 1; i < 1000; i++)
		claims[i].weight = 1;
	claims[0].weight = MAX_WEIGHT;
	mixed = build_time(1000);
	make_claims(1000);
	for (unsigned int i = 5; i < 1000; i++)
		claims[i].eligible = false;
	ill = build_time(1000);
	printf("     1,000 backends: %.1f ms; one of weight 1000 and 999 of 1: %.1f ms; 995 down: "
	       "%.1f ms\n",
	       equal, mixed, ill);
	check("build time", equal < 10, "%.1f ms", equal);
}

static void test_small(void)
{
	static const __u32 sizes[] = { 2, 3, 5, 7, 251 };
	bool all_owned = true;

	make_claims(10);
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		fill_table(backend, sizes[i], claims, 10);
		for (__u32 slot = 0; slot < sizes[i]; slot++)
			all_owned &= backend[slot] >= 1 && backend[slot] <= 10;
	}
	check("small tables", all_owned, "a slot without an backend");
	fill_table(backend, 251, claims, 0);
	check("no backend", !backend[0] && !backend[250], "a slot with an backend");
}

/* The table must never change from one version to the next: other balancers run the other one. */
static void test_same_forever(void)
{
	static const __u16 expected[7] = { 3, 2, 2, 1, 3, 2, 2 };

	make_claims(3);
	claims[1].weight = 200;
	fill_table(backend, 7, claims, 3);
	check("same in every version", !memcmp(backend, expected, sizeof(expected)),
	      "%u %u %u %u %u %u %u", backend[0], backend[1], backend[2], backend[3], backend[4],
	      backend[5], backend[6]);
}

#define NOW 100000
#define SECONDS 60
#define LIMIT ((__s32)TICKS_OF(SECONDS))

/* One slot's change: its former backend and when it was last needed, afterwards. */
static const struct {
	const char *name;
	struct slot before;
	__u16 backend;
	__u16 former; /* expected */
	__u32 seen;
} changes[] = {
	{ "stays", { 1, 0, 0, 0 }, 1, 0, 0 },
	{ "moves", { 1, 0, 0, 0 }, 2, 1, NOW },
	{ "moves from a dead backend", { 9, 0, 0, 0 }, 2, 0, 0 },
	{ "gets its first backend", { 0, 0, 0, 0 }, 2, 0, 0 },
	{ "stays in transition", { 2, 1, 0, NOW - 10 }, 2, 1, NOW - 10 },
	{ "moves in transition", { 2, 1, 0, NOW - 10 }, 3, 1, NOW },
	{ "moves back in transition", { 2, 1, 0, NOW - 10 }, 1, 1, NOW },
	{ "stays, transition over", { 2, 1, 0, NOW - LIMIT - 1 }, 2, 0, 0 },
	{ "moves, transition over", { 2, 1, 0, NOW - LIMIT - 1 }, 3, 2, NOW },
	{ "stays, former backend dead", { 2, 9, 0, NOW - 10 }, 2, 2, NOW - 10 },
	{ "moves, former backend dead", { 2, 9, 0, NOW - 10 }, 3, 2, NOW },
	{ "moves, both dead", { 9, 9, 0, NOW - 10 }, 3, 3, NOW },
	{ "seen in the future", { 2, 1, 0, NOW + 5 }, 2, 1, NOW + 5 },
};

static void test_transitions(void)
{
	static bool is_live[65536] = { [1] = true, [2] = true, [3] = true };
	static const struct config config = { .tcp_timeout = SECONDS };
	struct aftermath aftermath = { is_live, NOW, &config, 0 };

	for (unsigned int i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		struct slot after = { .backend = changes[i].backend };

		start_transitions(&after, &changes[i].before, 1, &aftermath);
		check(changes[i].name,
		      after.former == changes[i].former && after.seen == changes[i].seen,
		      "former %u, seen %u", after.former, after.seen);
	}
}

int main(void)
{
	test_balance();
	test_weights();
	test_down(2, 0);
	test_down(10, 3);
	test_down(100, 77);
	test_many_down();
	test_delete();
	test_time();
	test_small();
	test_same_forever();
	test_transitions();
	return failures != 0;
}
