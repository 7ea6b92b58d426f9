// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
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
	struct counter *sent = calloc(STATS_RETIRED + 1, sizeof(*sent));
	int result = sent ? read_slow_stats(balancer, &reading->slow) : -ENOMEM;

	if (!result)
		result = read_sent_of_all(balancer, sent);
	for (__u32 i = 0; i <= STATS_RETIRED && !result; i++) {
		result = read_stats_with(balancer, i, &sent[i], &stats);
		if (!result)
			add_words(&reading->total, &stats, sizeof(stats));
	}
	for (unsigned int i = 0; i < count && !result; i++) {
		result = read_stats_with(balancer, services[i].number, &sent[services[i].number],
					 &reading->services[i]);
		for (unsigned int j = 0; j < services[i].count && !result; j++)
			result = read_backend_stats(balancer, services[i].backends[j].number,
						    &reading->backends[next++]);
	}
	free(sent);
	return result;
}

/* How many backends follow each other in a reading. */
static unsigned int backends_of(const struct config_service *services, unsigned int count)
{
	unsigned int backends = 0;

	for (unsigned int i = 0; i < count; i++)
		backends += services[i].count;
	return backends;
}

static bool make_room(struct reading *reading, unsigned int services, unsigned int backends)
{
	memset(reading, 0, sizeof(*reading));
	reading->services = calloc(services + 1, sizeof(*reading->services));
	reading->backends = calloc(backends + 1, sizeof(*reading->backends));
	if (reading->services && reading->backends)
		return true;
	free_reading(reading);
	return false;
}

bool copy_reading(struct reading *to, const struct reading *from,
		  const struct config_service *services, unsigned int count)
{
	unsigned int backends = backends_of(services, count);

	if (!make_room(to, count, backends))
		return false;
	to->total = from->total;
	to->slow = from->slow;
	to->seconds = from->seconds;
	memcpy(to->services, from->services, count * sizeof(*to->services));
	memcpy(to->backends, from->backends, backends * sizeof(*to->backends));
	return true;
}

enum status read_counters(const struct balancer *balancer, const struct config_service *services,
			  unsigned int count, struct reading *reading)
{
	int result;

	if (!make_room(reading, count, backends_of(services, count)))
		return fail(FAILED, "out of memory");
	reading->seconds = nanosecond_now() / 1e9;
	result = read_all(balancer, services, count, reading);
	if (!result && balancer->flows) {
		reading->flows = count_all_flows(balancer);
		result = reading->flows ? 0 : -ENOMEM;
	}
	if (!result)
		return DONE;
	free_reading(reading);
	return fail(FAILED, "cannot read the counters: %s", strerror(-result));
}

void free_reading(struct reading *reading)
{
	free(reading->services);
	free(reading->backends);
	free(reading->flows);
	memset(reading, 0, sizeof(*reading));
}
