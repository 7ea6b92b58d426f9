// SPDX-License-Identifier: GPL-2.0
/*
 * Takes every CPU away half of the time, for up to 60 ms at a time, until it is ended or its parent
 * ends: a real-time thread on each.
 */
#define _GNU_SOURCE
#include <err.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define MOST 60000 /* us */

static long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* What is taken is given back before more is taken. */
static void *steal(void *cpu)
{
	unsigned int seed = (uintptr_t)cpu;

	for (;;) {
		long length = 1 + rand_r(&seed) % MOST, end = now() + length;

		while (now() < end)
			;
		usleep(length);
	}
	return NULL;
}

static void start_on(int cpu)
{
	struct sched_param first = { .sched_priority = 1 };
	pthread_t thread;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (pthread_create(&thread, NULL, steal, (void *)(uintptr_t)cpu) ||
	    pthread_setaffinity_np(thread, sizeof(cpus), &cpus) ||
	    pthread_setschedparam(thread, SCHED_FIFO, &first))
		errx(1, "no real-time thread on CPU %d", cpu);
}

int main(void)
{
	cpu_set_t cpus;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		err(1, "sched_getaffinity");
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &cpus))
			start_on(cpu);
	pause();
}
