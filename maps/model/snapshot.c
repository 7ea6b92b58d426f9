// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "model/counters.h"
#include "model/snapshot.h"

bool is_forwarding(enum verdict verdict)
{
	return verdict == VERDICT_FORWARDED || verdict == VERDICT_REDIRECTED ||
	       verdict == VERDICT_TO_SOCKET;
}

struct counter forwarded(const struct service_stats *stats)
{
	struct counter sum = { 0 };

	for (unsigned int i = 0; i < VERDICTS; i++) {
		if (!is_forwarding(i))
			continue;
		sum.packets += stats->verdict[i].packets;
		sum.bytes += stats->verdict[i].bytes;
	}
	return sum;
}

/* Structures of counters are added and subtracted word by word. */
static void add_words(void *to, const void *from, size_t size)
{
	const __u64 *term = from;
	__u64 *sum = to;

	for (size_t i = 0; i < size / sizeof(*sum); i++)
		sum[i] += term[i];
}

static int read_all(const struct balancer *balancer, const struct config_service *services,
		    unsigned int count, struct reading *reading)
{
	struct service_stats stats;
	unsigned int next = 0;
	int result = read_slow_stats(balancer, &reading->slow);

	for (__u32 i = 0; i <= STATS_RETIRED && !result; i++) {
		result = read_service_stats(balancer, i, &stats);
		if (!result)
			add_words(&reading->total, &stats, sizeof(stats));
	}
	for (unsigned int i = 0; i < count && !result; i++) {
		result = read_service_stats(balancer, services[i].number, &reading->services[i]);
		for (unsigned int j = 0; j < services[i].count && !result; j++)
			result = read_backend_stats(balancer, services[i].backends[j].number,
						    &reading->backends[next++]);
	}
	return result;
}

enum status read_counters(const struct balancer *balancer, const struct config_service *services,
			  unsigned int count, struct reading *reading)
{
	unsigned int backends = 0;
	int result;

	for (unsigned int i = 0; i < count; i++)
		backends += services[i].count;
	memset(reading, 0, sizeof(*reading));
	reading->services = calloc(count + 1, sizeof(*reading->services));
	reading->backends = calloc(backends + 1, sizeof(*reading->backends));
	if (!reading->services || !reading->backends) {
		free_reading(reading);
		return fail(FAILED, "out of memory");
	}
	reading->seconds = nanosecond_now() / 1e9;
	result = read_all(balancer, services, count, reading);
	if (!result)
		return DONE;
	free_reading(reading);
	return fail(FAILED, "cannot read the counters: %s", strerror(-result));
}

void free_reading(struct reading *reading)
{
	free(reading->services);
	free(reading->backends);
	memset(reading, 0, sizeof(*reading));
}
