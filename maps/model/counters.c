// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/bpf.h"
#include "model/counters.h"

#define POSSIBLE_CPUS "/sys/devices/system/cpu/possible"

_Static_assert(sizeof(struct service_stats) % 8 == 0 && sizeof(struct backend_stats) % 8 == 0,
	       "values of per-CPU maps are rounded up to 8 bytes");

/* The list in the file is of ranges, in order: the last number counts. 0 on failure. */
static unsigned int possible_cpus(void)
{
	static unsigned int cpus;
	unsigned int first, last;
	FILE *file;

	if (cpus)
		return cpus;
	file = fopen(POSSIBLE_CPUS, "re");
	while (file && fscanf(file, "%u", &first) == 1) {
		last = first;
		if (fscanf(file, "-%u", &last) != 1)
			last = first;
		cpus = last + 1;
		if (fgetc(file) != ',')
			break;
	}
	if (file)
		fclose(file);
	return cpus;
}

/* An entry of a per-CPU map is read as words, CPU after CPU, and summed up. */
static int read_sum(int map, __u32 index, __u64 *sum, size_t size)
{
	unsigned int words = size / sizeof(*sum), cpus = possible_cpus();
	__u64 *values = calloc(cpus ? cpus : 1, size);
	int result = values ? map_lookup(map, &index, values) : -ENOMEM;

	memset(sum, 0, size);
	if (!cpus)
		result = -ENOENT;
	for (unsigned int i = 0; i < words * cpus && !result; i++)
		sum[i % words] += values[i];
	free(values);
	return result;
}

/* Writes `value` for the first CPU and zeroes for the others. */
static int write_sum(int map, __u32 index, const void *value, size_t size)
{
	unsigned int cpus = possible_cpus();
	char *values = calloc(cpus ? cpus : 1, size);
	int result;

	if (!values || !cpus) {
		free(values);
		return -ENOMEM;
	}
	memcpy(values, value, size);
	result = map_update(map, &index, values, BPF_ANY);
	free(values);
	return result;
}

int read_backend_stats(const struct balancer *balancer, __u32 number, struct backend_stats *sum)
{
	return read_sum(balancer->map[MAP_BE_STATS], number, (__u64 *)sum, sizeof(*sum));
}

static int write_service_stats(const struct balancer *balancer, __u32 number,
			       const struct service_stats *stats)
{
	return write_sum(balancer->map[MAP_SVC_STATS], number, stats, sizeof(*stats));
}

static int write_backend_stats(const struct balancer *balancer, __u32 number,
			       const struct backend_stats *stats)
{
	return write_sum(balancer->map[MAP_BE_STATS], number, stats, sizeof(*stats));
}

static void add_counter(struct counter *sum, const struct counter *term)
{
	sum->packets += term->packets;
	sum->bytes += term->bytes;
}

int read_sent_of_all(const struct balancer *balancer, struct counter *sent)
{
	struct backend_stats stats;
	int result = 0;

	for (__u32 i = 0; i <= MAX_SERVICES && !result; i++) {
		result = read_backend_stats(balancer, FORMER_BACKENDS + i, &stats);
		sent[i] = stats.total;
	}
	for (__u32 i = 1; i <= MAX_BACKENDS && !result; i++) {
		__u16 service = balancer->backends[i].service;

		if (!service || service > MAX_SERVICES)
			continue;
		result = read_backend_stats(balancer, i, &stats);
		add_counter(&sent[service], &stats.total);
	}
	return result;
}

/* Of one service. */
static int read_sent(const struct balancer *balancer, __u32 service, struct counter *sent)
{
	struct backend_stats stats;
	int result = read_backend_stats(balancer, FORMER_BACKENDS + service, &stats);

	*sent = stats.total;
	for (__u32 i = 1; i <= MAX_BACKENDS && !result; i++) {
		if (balancer->backends[i].service != service)
			continue;
		result = read_backend_stats(balancer, i, &stats);
		add_counter(sent, &stats.total);
	}
	return result;
}

/* A packet that is redirected meanwhile may be counted here and not yet there. */
static __u64 difference(__u64 all, __u64 part)
{
	return all > part ? all - part : 0;
}

static bool has_backends(__u32 number)
{
	return number != STATS_NO_SERVICE && number != STATS_RETIRED;
}

int read_stats_with(const struct balancer *balancer, __u32 number, const struct counter *sent,
		    struct service_stats *sum)
{
	int result = read_sum(balancer->map[MAP_SVC_STATS], number, (__u64 *)sum, sizeof(*sum));
	const struct counter *redirected = &sum->verdict[VERDICT_REDIRECTED];

	if (result || !has_backends(number))
		return result;
	sum->verdict[VERDICT_FORWARDED].packets = difference(sent->packets, redirected->packets);
	sum->verdict[VERDICT_FORWARDED].bytes = difference(sent->bytes, redirected->bytes);
	return 0;
}

int read_service_stats(const struct balancer *balancer, __u32 number, struct service_stats *sum)
{
	struct counter sent = { 0 };
	int result;

	memset(sum, 0, sizeof(*sum));
	result = has_backends(number) ? read_sent(balancer, number, &sent) : 0;
	return result ? result : read_stats_with(balancer, number, &sent, sum);
}

/* Zeroing leaves a mark, in a field that the data path does not use. */
bool has_carried(const struct service_stats *stats)
{
	return stats->unused || stats->verdict[VERDICT_FORWARDED].packets ||
	       stats->verdict[VERDICT_REDIRECTED].packets;
}

int retire_service_stats(const struct balancer *balancer, __u32 number)
{
	static const struct service_stats zero;
	struct service_stats stats, retired;
	__u64 *from = (__u64 *)&stats, *to = (__u64 *)&retired;
	int result = read_service_stats(balancer, number, &stats);

	if (result || !memcmp(&stats, &zero, sizeof(zero)))
		return result;
	result = read_service_stats(balancer, STATS_RETIRED, &retired);
	if (result)
		return result;
	for (unsigned int i = 0; i < sizeof(stats) / sizeof(*from); i++)
		to[i] += from[i];
	result = write_service_stats(balancer, STATS_RETIRED, &retired);
	if (!result)
		result = write_service_stats(balancer, number, &zero);
	return result ? result : zero_backend_stats(balancer, FORMER_BACKENDS + number);
}

int retire_backend_stats(const struct balancer *balancer, __u32 number, __u32 service)
{
	struct backend_stats stats, former;
	int result = read_backend_stats(balancer, number, &stats);

	if (!result)
		result = read_backend_stats(balancer, FORMER_BACKENDS + service, &former);
	if (result || !stats.total.packets)
		return result;
	add_counter(&former.total, &stats.total);
	result = write_backend_stats(balancer, FORMER_BACKENDS + service, &former);
	return result ? result : zero_backend_stats(balancer, number);
}

int zero_service_stats(const struct balancer *balancer, __u32 number)
{
	struct service_stats stats, zero = { 0 };
	int result = read_service_stats(balancer, number, &stats);

	zero.unused = has_carried(&stats);
	if (!result)
		result = write_service_stats(balancer, number, &zero);
	return result ? result : zero_backend_stats(balancer, FORMER_BACKENDS + number);
}

int zero_backend_stats(const struct balancer *balancer, __u32 number)
{
	static const struct backend_stats zero;

	return write_backend_stats(balancer, number, &zero);
}

int read_slow_stats(const struct balancer *balancer, struct slow_stats *sum)
{
	return read_sum(balancer->map[MAP_SLOW], 0, (__u64 *)sum, sizeof(*sum));
}

int zero_slow_stats(const struct balancer *balancer)
{
	static const struct slow_stats zero;

	return write_sum(balancer->map[MAP_SLOW], 0, &zero, sizeof(zero));
}
