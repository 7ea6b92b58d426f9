// SPDX-License-Identifier: GPL-2.0
/* See cases.h. */
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"

#define HEX_COLUMNS 16

struct counters last_gain, case_gain;
struct outcome last_outcome;
int last_service;
bool frags_only;

static int passes, failures, packets;
static int step_number; /* 0: none */
static bool failed;
static char why[512];

static const struct {
	const char *name;
	int action;
} verdicts[VERDICTS] = {
#define NAME_AND_ACTION(name, action, reason) [VERDICT_##name] = { #name, XDP_##action },
	VERDICT_LIST(NAME_AND_ACTION)
#undef NAME_AND_ACTION
};

const char *verdict_name(int verdict)
{
	return verdict >= 0 && verdict < VERDICTS ? verdicts[verdict].name : "none";
}

int verdict_action(int verdict)
{
	return verdicts[verdict].action;
}

static const char *action_name(int action)
{
	static const char *const names[] = { "aborted", "drop", "pass", "tx", "redirect" };

	return action >= 0 && action <= XDP_REDIRECT ? names[action] : "unknown";
}

/* The first failure of a case is what is reported. */
void check(bool condition, const char *format, ...)
{
	va_list arguments;
	int length = 0;

	if (condition || failed)
		return;
	failed = true;
	if (step_number)
		length = snprintf(why, sizeof(why), "step %d: ", step_number);
	va_start(arguments, format);
	vsnprintf(why + length, sizeof(why) - length, format, arguments);
	va_end(arguments);
}

void check_equal(long got, long want, const char *what)
{
	check(got == want, "%s is %ld, not %ld", what, got, want);
}

bool passed_so_far(void)
{
	return !failed;
}

static struct flow *the_flow;

static void note_flow(struct flow *flow)
{
	the_flow = flow;
}

struct flow *only_flow(void)
{
	static struct flow none;

	CHECK_EQUAL(for_each_flow(note_flow), 1);
	return passed_so_far() ? the_flow : &none;
}

/* Lines of both packets, with a mark where they differ. */
static void print_difference(const uint8_t *got, size_t got_length, const uint8_t *want,
			     size_t want_length)
{
	size_t longest = got_length > want_length ? got_length : want_length;

	for (size_t line = 0; line < longest; line += HEX_COLUMNS) {
		for (int which = 0; which < 2; which++) {
			const uint8_t *bytes = which ? want : got;
			size_t length = which ? want_length : got_length;

			printf("# %s %04zx ", which ? "want" : " got", line);
			for (size_t i = line; i < line + HEX_COLUMNS && i < length; i++) {
				bool same = i < got_length && i < want_length && got[i] == want[i];

				printf("%c%02x", same ? ' ' : '*', bytes[i]);
			}
			printf("\n");
			if (line + HEX_COLUMNS <= got_length && line + HEX_COLUMNS <= want_length &&
			    !memcmp(got + line, want + line, HEX_COLUMNS))
				break; /* once is enough */
		}
	}
}

static void subtract(void *gain, const void *after, const void *before, size_t bytes)
{
	uint64_t *to = gain;
	const uint64_t *a = after, *b = before;

	for (size_t i = 0; i < bytes / sizeof(*to); i++)
		to[i] = a[i] - b[i];
}

static void add(void *total, const void *gain, size_t bytes)
{
	uint64_t *to = total;
	const uint64_t *from = gain;

	for (size_t i = 0; i < bytes / sizeof(*to); i++)
		to[i] += from[i];
}

/* Returns the verdict that was counted, -1 if not exactly one was, with the right bytes. */
static int counted_verdict(size_t length)
{
	int counted = -1;

	for (int service = 0; service < TEST_SERVICES; service++) {
		for (int verdict = 0; verdict < VERDICTS; verdict++) {
			struct counter *gain = &last_gain.service[service].verdict[verdict];

			if (!gain->packets && !gain->bytes)
				continue;
			check(counted < 0, "counted twice: %s and %s", verdict_name(counted),
			      verdict_name(verdict));
			check(gain->packets == 1, "%s counted %llu packets", verdict_name(verdict),
			      gain->packets);
			check(gain->bytes == length, "%s counted %llu bytes, not %zu",
			      verdict_name(verdict), gain->bytes, length);
			counted = verdict;
			last_service = service;
		}
	}
	return counted;
}

static void check_backend_counters(bool forwarded, size_t length)
{
	unsigned long long count = 0, bytes = 0;

	for (int i = 0; i < TEST_BACKENDS; i++) {
		count += last_gain.backend[i].total.packets;
		bytes += last_gain.backend[i].total.bytes;
	}
	check(count == forwarded, "backends counted %llu packets", count);
	check(bytes == (forwarded ? length : 0), "backends counted %llu bytes", bytes);
}

static void check_counters(const struct step *step, size_t length)
{
	bool forwarded = step->verdict == VERDICT_FORWARDED || step->verdict == VERDICT_REDIRECTED;
	bool nobodys = step->verdict == VERDICT_NOT_IP || step->verdict == VERDICT_NO_SERVICE;
	int verdict = counted_verdict(length);

	check(verdict == step->verdict, "counted as %s, not %s", verdict_name(verdict),
	      verdict_name(step->verdict));
	check(!nobodys || last_service == STATS_NO_SERVICE, "counted for service %d", last_service);
	check(!forwarded || last_service != STATS_NO_SERVICE, "counted for no service");
	check_backend_counters(forwarded, length);
}

void check_bytes(const uint8_t *got, size_t got_length, const uint8_t *want, size_t want_length)
{
	if (got_length == want_length && !memcmp(got, want, want_length))
		return;
	if (!failed)
		print_difference(got, got_length, want, want_length);
	check(false, "another packet out than expected");
}

static void check_frame(const struct step *step, const uint8_t *in, size_t in_length)
{
	static uint8_t want[MAX_FRAME];
	size_t length;

	if (!step->out) {
		check_bytes(last_outcome.frame, last_outcome.length, in, in_length);
		return;
	}
	length = build(step->out, want, last_outcome.frame, last_outcome.length);
	check_bytes(last_outcome.frame, last_outcome.length, want, length);
}

static bool is_icmp(const struct layer *packet)
{
	for (; packet->kind; packet++)
		if (packet->kind == LAYER_ICMP)
			return true;
	return false;
}

#define ERRORS_AT_ONCE 8 /* no more than that many about one flow are relayed at once */

void refill_budgets(void)
{
	map_zero(MAP_ANSWERS, ANSWER_BUDGETS);
}

/* Cases are about what becomes of an error, not about how many there may be. */
static void refill_before(const struct step *step)
{
	static int errors;

	if (is_icmp(step->in) && errors++ % ERRORS_AT_ONCE == 0)
		refill_budgets();
}

static void take_packet(const struct step *step)
{
	static struct counters before, after;
	static uint8_t in[MAX_FRAME];
	static long moved = -1;
	size_t length = build(step->in, in, NULL, 0);

	refill_before(step);
	if (moved == counters_moved)
		before = after;
	else
		read_counters(&before);
	run_packet(in, length, &last_outcome);
	read_counters(&after);
	moved = counters_moved;
	subtract(&last_gain, &after, &before, sizeof(after));
	add(&case_gain, &last_gain, sizeof(last_gain));
	packets++;

	check(last_outcome.action == verdict_action(step->verdict), "action %s (%s), not %s",
	      action_name(last_outcome.action), verdict_name(counted_verdict(length)),
	      verdict_name(step->verdict));
	check_frame(step, in, length);
	check_counters(step, length);
}

bool take(const struct step *step)
{
	if (failed)
		return false;
	if (step->act)
		step->act();
	if (step->in)
		take_packet(step);
	return !failed;
}

static void run_steps(const struct test_case *test)
{
	reset_balancer();
	memset(&case_gain, 0, sizeof(case_gain));
	if (test->setup)
		test->setup();
	for (int i = 0; i < MAX_STEPS && (test->steps[i].in || test->steps[i].act); i++) {
		step_number = i + 1;
		if (!take(&test->steps[i]))
			return;
	}
}

static bool is_slow(void)
{
	return getenv("SLOW");
}

int stride(void)
{
	if (is_slow())
		return 257;
	if (getenv("LONG"))
		return 1;
	return program == PROGRAM_XDP && taken_path == PATH_WARM ? 1 : 17;
}

/* Each program on each path. */
static void run_case(const struct test_case *test, int in_family)
{
	static const char *const names[] = { "slow", "plain", "warm" };

	family = in_family;
	failed = false;
	for (int i = 0; i < PROGRAMS * PATHS && !failed; i++) {
		program = i / PATHS;
		taken_path = i % PATHS;
		if (program == PROGRAM_FRAGS || !frags_only)
			run_steps(test);
	}
	if (failed) {
		printf("FAIL %s, IPv%d, %s, %s path: %s\n", test->name, in_family,
		       program == PROGRAM_FRAGS ? "xdp.frags" : "xdp", names[taken_path], why);
		failures++;
	} else {
		printf("PASS %s, IPv%d\n", test->name, in_family);
		passes++;
	}
}

void run_cases(const struct test_case *cases, size_t count)
{
	const char *match = getenv("MATCH");

	for (size_t i = 0; i < count; i++) {
		if (match && !strstr(cases[i].name, match))
			continue;
		if (cases[i].heavy && is_slow()) {
			printf("SKIP %s: slow machine\n", cases[i].name);
			continue;
		}
		if (cases[i].families != V6)
			run_case(&cases[i], 4);
		if (cases[i].families != V4)
			run_case(&cases[i], 6);
	}
}

int finish_cases(void)
{
	printf("# %d cases passed, %d failed, %d packets\n", passes, failures, packets);
	return failures != 0;
}
