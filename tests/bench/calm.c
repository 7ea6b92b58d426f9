// SPDX-License-Identifier: GPL-2.0
/* See calm.h. */
#define _GNU_SOURCE /* sched_setaffinity */
#include <sched.h>
#include <time.h>

#include "calm.h"

#define ROUNDS 30000
#define TRIES 3
#define PERCENT 106

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Work for all execution units: what a busy neighbour takes away shows at once. */
static double time_work(void)
{
	double before = seconds();
	long a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;

	for (int i = 0; i < ROUNDS; i++) {
		a += 1, b += 1, c += 1, d += 1, e += 1, f += 1, g += 1, h += 1;
		asm volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
		asm volatile("" : "+r"(e), "+r"(f), "+r"(g), "+r"(h));
	}
	return seconds() - before;
}

bool is_calm(void)
{
	static double fastest;
	double now = time_work();

	for (int i = 1; i < TRIES; i++) {
		double again = time_work();

		if (again < now)
			now = again;
	}
	if (fastest == 0 || now < fastest)
		fastest = now;
	return now * 100 < fastest * PERCENT;
}

void change_cpu(void)
{
	static cpu_set_t allowed;
	cpu_set_t next;
	int cpu = sched_getcpu();

	if (CPU_COUNT(&allowed) == 0)
		sched_getaffinity(0, sizeof(allowed), &allowed);
	do
		cpu = (cpu + 1) % CPU_SETSIZE;
	while (!CPU_ISSET(cpu, &allowed));
	CPU_ZERO(&next);
	CPU_SET(cpu, &next);
	sched_setaffinity(0, sizeof(next), &next);
}

void stay_alone(void)
{
	struct sched_param first = { .sched_priority = 1 };

	sched_setscheduler(0, SCHED_FIFO, &first);
}
