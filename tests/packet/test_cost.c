// SPDX-License-Identifier: GPL-2.0
/* What the verifier has to do for each program, and how long it takes `ip` to load it. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>

#include "kernel.h"

#define VERIFIER_LIMIT 1000000 /* instructions; BPF_COMPLEXITY_LIMIT_INSNS, kernel/bpf/verifier.c */

static const char *const sections[PROGRAMS] = { "xdp", "xdp.frags" };

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Seconds to load one section the way that most will; the loopback is that of our namespace. */
static double load_time(const char *section)
{
	char command[5000];
	double before = seconds_now();

	snprintf(command, sizeof(command), "ip -force link set dev lo xdpgeneric obj '%s' sec %s",
		 object_path, section);
	if (system(command))
		broken("%s", command);
	return seconds_now() - before;
}

static bool report(enum program program, const char *kernel)
{
	struct cost cost = program_cost(program);
	bool fits = cost.instructions < VERIFIER_LIMIT;

	printf("%s verifier: section %s on %s: %u instructions processed, %u bytes of code, "
	       "loaded in %.2f s\n",
	       fits ? "PASS" : "FAIL", sections[program], kernel, cost.instructions, cost.size,
	       load_time(sections[program]));
	return fits;
}

int main(int argc, char **argv)
{
	struct utsname kernel;
	int failures = 0;

	open_kernel(argc, argv);
	uname(&kernel);
	for (int i = 0; i < PROGRAMS; i++)
		failures += !report(i, kernel.release);
	return failures != 0;
}
