/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Cases: what is set up, the packets that come in one after the other, and for each what it is
 * counted as and what goes out, byte for byte. A case runs in each of its families and in each
 * program (`xdp`, `xdp.frags`), and with every packet it is checked that exactly one verdict of one
 * service is counted, with the bytes of the frame, and one backend if it was forwarded.
 */
#ifndef TESTS_CASES_H
#define TESTS_CASES_H

#include <netinet/in.h>

#include "balancer.h"
#include "packet.h"

/* A row of a table ends where it has nothing more to say. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define MAX_STEPS 16
#define BOTH 0
#define V4 4
#define V6 6

/* A packet, or something else that happens. */
struct step {
	const struct layer *in;
	int verdict; /* enum verdict, without its prefix by the macros below */
	const struct layer *out; /* NULL: as it came */
	void (*act)(void);
};

#define SENT(in, out) BRACED(in, VERDICT_FORWARDED, out, NULL)
#define REDIRECTED_TO(in, out) BRACED(in, VERDICT_REDIRECTED, out, NULL)
#define ANSWERED(in, verdict, out) BRACED(in, VERDICT_##verdict##_ANSWERED, out, NULL)
#define KEPT(in, verdict)                                                                          \
	BRACED(in, VERDICT_##verdict, NULL, NULL) /* passed or dropped, unchanged */
#define DO(function) BRACED(NULL, 0, NULL, function)
#define THEN(function) DO(function) /* what is checked at the end */

struct test_case {
	const char *name;
	int families; /* BOTH, V4, V6 */
	void (*setup)(void);
	struct step steps[MAX_STEPS];
	bool heavy; /* not on a machine that is slow: SLOW in the environment, as in tests/vm */
};

/* A row of a table: name, families, set-up, and then steps. */
#define CASE(name, families, setup, ...) BRACED(name, families, setup, BRACED(__VA_ARGS__), false)
#define HEAVY_CASE(name, families, setup, ...)                                                     \
	BRACED(name, families, setup, BRACED(__VA_ARGS__), true)

/* The ways of a packet in the cases: clients, balancer and backends on one wire. */
#define FROM(client) ETH(client, LB), IP(client, VIP)
#define TO(backend) ETH(LB, backend), IP(VIP, backend, .ttl = 63)
#define BACK(backend) ETH(backend, LB), IP(backend, VIP)
#define HOME(client) ETH(LB, client), IP(VIP, client, .ttl = 63)

/* A question to a UDP service in mode nat, and its answer; of `n` bytes. */
#define DNS_QUERY(n)                                                                               \
	SENT(P(FROM(C1), UDP(40000, DNS), DATA(n)), P(TO(B1), UDP(40000, DNS), DATA(n)))
#define DNS_REPLY(n)                                                                               \
	SENT(P(BACK(B1), UDP(DNS, 40000), DATA(n)), P(HOME(C1), UDP(DNS, 40000), DATA(n)))

/* In a check or an act: on failure says what, and fails the case. */
#define CHECK(condition) check(condition, "%s", #condition)
#define CHECK_EQUAL(got, want) check_equal(got, want, #got)
void __attribute__((format(printf, 2, 3))) check(bool condition, const char *format, ...);
void check_equal(long got, long want, const char *what);

/* The one flow that there is. */
struct flow *only_flow(void);
void refill_budgets(void); /* of ICMP answers and errors, as after a second of quiet */

/* One packet of a case whose steps are made in a loop; false if it or an earlier one failed. */
bool take(const struct step *step);
#define TAKE(...) take(&(struct step)__VA_ARGS__)
bool passed_so_far(void);
/* Fails, and shows where, if the bytes differ. */
void check_bytes(const uint8_t *got, size_t got_length, const uint8_t *want, size_t want_length);

/* What the counters gained with the last packet, and in all steps of the case. */
extern struct counters last_gain, case_gain;
extern struct outcome last_outcome;
extern int last_service; /* whose counters counted the last packet */

extern bool frags_only; /* cases are for the program `xdp.frags` alone */

/* How far to step in loops over many values: the second program runs the same code as the first. */
int stride(void);

/* Runs the cases of a table; MATCH in the environment picks those whose name contains it. */
void run_cases(const struct test_case *cases, size_t count);
#define RUN(cases) run_cases(cases, sizeof(cases) / sizeof(*(cases)))

/* Prints the totals and returns the exit status. */
int finish_cases(void);

const char *verdict_name(int verdict);
int verdict_action(int verdict); /* enum xdp_action */

#endif
