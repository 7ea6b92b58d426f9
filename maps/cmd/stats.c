// SPDX-License-Identifier: GPL-2.0
/* stats, stats zero */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/change.h"
#include "cmd/json.h"
#include "cmd/options.h"
#include "cmd/stats.h"
#include "lib/text.h"
#include "model/balancer.h"
#include "model/counters.h"
#include "model/discover.h"
#include "model/snapshot.h"

#define MAX_INTERVAL 86400

bool parse_stats(struct words *words, struct request *request)
{
	const char *word;

	if (!words->left)
		return true;
	if (strcmp(*words->word, "interval")) {
		if (!parse_vip(next_word(words, "a service"), &request->vip))
			return false;
		request->has_vip = true;
	}
	if (!words->left)
		return true;
	word = next_word(words, "interval");
	if (strcmp(word, "interval")) {
		fail(WRONG, "'%.100s': interval expected", word);
		return false;
	}
	word = next_word(words, "seconds");
	return word && parse_number(word, 1, MAX_INTERVAL, &request->seconds) &&
	       no_more_words(words);
}

/* A counter that is smaller than before has been zeroed meanwhile. */
static void subtract_words(void *from, const void *before, size_t size)
{
	const __u64 *term = before;
	__u64 *rest = from;

	for (size_t i = 0; i < size / sizeof(*rest); i++)
		rest[i] -= rest[i] >= term[i] ? term[i] : 0;
}

/* Makes `now` the difference to `before`. */
static void subtract_reading(struct reading *now, const struct reading *before,
			     const struct conf_service *services, unsigned int count)
{
	unsigned int backends = 0;

	for (unsigned int i = 0; i < count; i++)
		backends += services[i].count;
	subtract_words(&now->total, &before->total, sizeof(now->total));
	subtract_words(now->services, before->services, count * sizeof(*now->services));
	subtract_words(now->backends, before->backends, backends * sizeof(*now->backends));
	now->seconds -= before->seconds;
}

/* What is printed: the counts themselves (seconds 0), or rates over so many seconds. */
static void print_counts(const char *name, const struct counter *counter, const __u64 *flows,
			 double seconds)
{
	double bits = 8.0 * counter->bytes;

	printf("%-36s", name);
	if (seconds > 0)
		printf(" %13.1f/s %13.1f bit/s", counter->packets / seconds, bits / seconds);
	else
		printf(" %15llu %19llu", counter->packets, counter->bytes);
	if (flows && seconds > 0)
		printf(" %11.1f/s", *flows / seconds);
	else if (flows)
		printf(" %13llu", *flows);
	printf("\n");
}

static void print_verdicts(const struct service_stats *stats, const char *indent, bool is_total,
			   double seconds)
{
	char name[40];

	for (unsigned int i = 0; i < VERDICTS; i++) {
		bool is_forward = i == VERDICT_FORWARDED || i == VERDICT_REDIRECTED;

		if (!stats->verdict[i].packets || (is_forward && !is_total))
			continue;
		snprintf(name, sizeof(name), "%s%s %s", indent, action_name(i), reason_name(i));
		print_counts(name, &stats->verdict[i], NULL, seconds);
	}
}

static void print_reading(const struct reading *reading, const struct conf_service *services,
			  unsigned int count, const struct service_stats *total, double seconds)
{
	const struct backend_stats *backend = reading->backends;

	printf("%-36s %15s %19s %13s\n", "", "packets", seconds > 0 ? "rate" : "bytes", "flows");
	for (unsigned int i = 0; i < count; i++) {
		const struct service_stats *stats = &reading->services[i];
		struct counter sum = forwarded(stats);

		print_counts(text_of_vip(&services[i].vip).s, &sum, &stats->flows, seconds);
		for (unsigned int j = 0; j < services[i].count; j++, backend++) {
			char name[90];

			snprintf(name, sizeof(name), "    %s",
				 text_of_real(&services[i].backends[j].real).s);
			print_counts(name, &backend->total, &backend->flows, seconds);
		}
		print_verdicts(stats, "    ", false, seconds);
	}
	printf("all packets\n");
	print_verdicts(total, "    ", true, seconds);
}

static void write_counts(const struct counter *counter, const __u64 *flows, double seconds)
{
	json_number("packets", counter->packets);
	json_number("bytes", counter->bytes);
	if (flows)
		json_number("flows", *flows);
	if (seconds <= 0)
		return;
	json_decimal("packets_per_second", counter->packets / seconds);
	json_decimal("bytes_per_second", counter->bytes / seconds);
	if (flows)
		json_decimal("flows_per_second", *flows / seconds);
}

static void write_verdicts(const struct service_stats *stats, double seconds)
{
	json_array("verdicts");
	for (unsigned int i = 0; i < VERDICTS; i++) {
		json_object(NULL);
		json_string("action", action_name(i));
		json_string("reason", reason_name(i));
		write_counts(&stats->verdict[i], NULL, seconds);
		json_end();
	}
	json_end();
}

static void write_service(const struct conf_service *service, const struct service_stats *stats,
			  const struct backend_stats *backends, double seconds)
{
	struct counter sum = forwarded(stats);

	json_object(NULL);
	json_string("vip", text_of_vip(&service->vip).s);
	write_counts(&sum, &stats->flows, seconds);
	json_array("backends");
	for (unsigned int i = 0; i < service->count; i++) {
		const struct endpoint *real = &service->backends[i].real;

		json_object(NULL);
		json_string("address", text_of_address(&real->address).s);
		json_number("port", ntohs(real->port));
		write_counts(&backends[i].total, &backends[i].flows, seconds);
		json_end();
	}
	json_end();
	write_verdicts(stats, seconds);
	json_end();
}

static void write_reading(const struct reading *reading, const struct conf_service *services,
			  unsigned int count, const struct service_stats *total, double seconds)
{
	const struct backend_stats *backends = reading->backends;

	json_object(NULL);
	if (seconds > 0)
		json_decimal("interval", seconds);
	json_array("services");
	for (unsigned int i = 0; i < count; i++) {
		write_service(&services[i], &reading->services[i], backends, seconds);
		backends += services[i].count;
	}
	json_end();
	write_verdicts(total, seconds);
	json_end();
}

/* Readings before and after the interval, if one is wanted; *reading becomes their difference. */
static enum status read_interval(const struct balancer *balancer,
				 const struct conf_service *services, unsigned int count,
				 __u32 seconds, struct reading *reading)
{
	struct timespec interval = { .tv_sec = seconds };
	struct reading before;
	enum status status;

	if (!seconds)
		return take_reading(balancer, services, count, reading);
	status = take_reading(balancer, services, count, &before);
	if (status)
		return status;
	nanosleep(&interval, NULL);
	status = take_reading(balancer, services, count, reading);
	if (!status)
		subtract_reading(reading, &before, services, count);
	free_reading(&before);
	return status;
}

enum status show_stats(const struct request *request)
{
	const struct conf_service *services;
	struct balancer balancer;
	struct reading reading;
	unsigned int count;
	enum status status;
	struct conf conf;

	status = open_and_load(&balancer, &conf, false);
	if (status)
		return status;
	status = select_services(&conf, request, &services, &count) ? DONE : FAILED;
	if (!status)
		status = read_interval(&balancer, services, count, request->seconds, &reading);
	if (!status) {
		const struct service_stats *total = request->has_vip ? reading.services :
								       &reading.total;
		double seconds = request->seconds ? reading.seconds : 0;

		if (options.json)
			write_reading(&reading, services, count, total, seconds);
		else
			print_reading(&reading, services, count, total, seconds);
		free_reading(&reading);
	}
	close_and_free(&balancer, &conf);
	return status;
}

enum status zero_stats(const struct request *request)
{
	struct balancer balancer;
	enum status status = open_balancer(&options.selection, &balancer);
	int result = 0;

	(void)request;
	if (status)
		return status;
	status = lock_balancer(&balancer);
	for (__u32 i = 0; i <= STATS_RETIRED && !status && !result; i++)
		result = zero_service_stats(&balancer, i);
	for (__u32 i = 0; i <= MAX_BACKENDS && !status && !result; i++)
		result = zero_backend_stats(&balancer, i);
	close_balancer(&balancer);
	if (result)
		return fail(FAILED, "cannot zero the counters: %s", strerror(-result));
	return status;
}
