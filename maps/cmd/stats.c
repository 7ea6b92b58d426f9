// SPDX-License-Identifier: GPL-2.0
/* stats, stats zero */
#include <string.h>
#include <time.h>

#include "cmd/options.h"
#include "cmd/print.h"
#include "cmd/stats.h"
#include "lib/text.h"
#include "model/counters.h"
#include "model/snapshot.h"

#define MAX_INTERVAL 86400

static bool parse_interval(const char *word, void *value)
{
	return parse_number(word, 1, MAX_INTERVAL, value);
}

bool parse_stats(struct words *words, struct request *request)
{
	struct option interval = { "interval", parse_interval, &request->seconds, false };

	if (words->left && strcmp(*words->word, "interval") && !take_vip(words, request))
		return false;
	return parse_options(words, &interval, 1);
}

/* A counter that is smaller than before has been zeroed meanwhile. */
static void subtract_words(void *from, const void *before, size_t size)
{
	const __u64 *term = before;
	__u64 *rest = from;

	for (size_t i = 0; i < size / sizeof(*rest); i++)
		rest[i] -= rest[i] >= term[i] ? term[i] : 0;
}

void subtract_reading(struct reading *now, const struct reading *before,
		      const struct config_service *services, unsigned int count)
{
	unsigned int backends = 0;

	for (unsigned int i = 0; i < count; i++)
		backends += services[i].count;
	subtract_words(&now->total, &before->total, sizeof(now->total));
	subtract_words(&now->slow, &before->slow, sizeof(now->slow));
	subtract_words(now->services, before->services, count * sizeof(*now->services));
	subtract_words(now->backends, before->backends, backends * sizeof(*now->backends));
	now->seconds -= before->seconds;
}

/* Counts, or (seconds > 0) rates: the text has one of them, JSON has both. */
static void show_counts(const struct counter *counter, const __u64 *flows, double seconds)
{
	bool is_rate = seconds > 0;

	print_number("packets", is_rate ? NULL : " %15llu", counter->packets);
	print_number("bytes", is_rate ? NULL : " %19llu", counter->bytes);
	if (flows)
		print_number("flows", is_rate ? NULL : " %13llu", *flows);
	if (is_rate) {
		print_decimal("packets_per_second", " %13.1f/s", counter->packets / seconds);
		print_decimal("bytes_per_second", NULL, counter->bytes / seconds);
		print_text(" %13.1f bit/s", 8.0 * counter->bytes / seconds);
	}
	if (is_rate && flows)
		print_decimal("flows_per_second", " %11.1f/s", *flows / seconds);
}

/* The text leaves out what is 0, and of a service what was forwarded, which is its own line. */
static void show_verdicts(const struct service_stats *stats, bool is_total, double seconds)
{
	open_array("verdicts");
	for (unsigned int i = 0; i < VERDICTS; i++) {
		if (!options.json &&
		    (!stats->verdict[i].packets || (is_forwarding(i) && !is_total)))
			continue;
		open_object(NULL);
		print_string("action", "    %-8s", action_name(i));
		print_string("reason", " %-23s", reason_name(i));
		show_counts(&stats->verdict[i], NULL, seconds);
		print_text("\n");
		close_level();
	}
	close_level();
}

static void show_slow(const struct slow_stats *slow, double seconds)
{
	print_text("packets on the slow path\n");
	open_array("slow");
	for (unsigned int i = 0; i < SLOW_CAUSES; i++) {
		if (!options.json && !slow->packets[i])
			continue;
		open_object(NULL);
		print_string("cause", "    %-32s", slow_name(i));
		print_number("packets", seconds > 0 ? NULL : " %15llu", slow->packets[i]);
		if (seconds > 0)
			print_decimal("packets_per_second", " %13.1f/s",
				      slow->packets[i] / seconds);
		print_text("\n");
		close_level();
	}
	close_level();
}

/* Living flows; those that drain are of a backend or a source that gets no new ones. */
static void show_flow_count(const struct flow_count *count, bool drains)
{
	__u32 draining = drains ? count->live : 0;

	print_number("live", " %10llu live", count->live);
	print_number("closing", count->closing ? ", %llu closing" : NULL, count->closing);
	print_number("half_open", count->half_open ? ", %llu half-open" : NULL, count->half_open);
	print_number("draining", draining ? ", %llu draining" : NULL, draining);
}

static void show_backend(const struct config_backend *backend, const struct backend_stats *stats,
			 const struct flow_counts *flows, double seconds)
{
	open_object(NULL);
	print_text("    %-32s", text_of_real(&backend->real).s);
	print_endpoint(&backend->real);
	show_counts(&stats->total, &stats->flows, seconds);
	if (flows && (options.json || seconds <= 0))
		show_flow_count(&flows->backends[backend->number], !backend->is_eligible);
	print_text("\n");
	close_level();
}

static void show_sources(const struct view *view, const struct flow_counts *flows)
{
	if (view->config.source_count)
		print_text("sources\n");
	open_array("sources");
	for_each_source(source, &view->config) {
		open_object(NULL);
		print_string("address", "    %-32s", text_of_address(&source->self.address).s);
		show_flow_count(&flows->sources[source->number], source->state != STATE_UP);
		print_text("\n");
		close_level();
	}
	close_level();
}

static void show_service(const struct config_service *service, const struct service_stats *stats,
			 const struct backend_stats *backends, const struct flow_counts *flows,
			 double seconds)
{
	struct counter sum = forwarded(stats);

	open_object(NULL);
	print_string("vip", "%-36s", text_of_vip(&service->vip).s);
	show_counts(&sum, &stats->flows, seconds);
	print_text("\n");
	open_array("backends");
	for (unsigned int i = 0; i < service->count; i++)
		show_backend(&service->backends[i], &backends[i], flows, seconds);
	close_level();
	show_verdicts(stats, false, seconds);
	close_level();
}

void print_reading(const struct view *view, const struct reading *reading, bool is_of_one,
		   double seconds)
{
	const struct backend_stats *backends = reading->backends;

	print_text("%-36s %15s %19s %13s\n", "", "packets", seconds > 0 ? "rate" : "bytes",
		   "flows");
	open_object(NULL);
	if (seconds > 0)
		print_decimal("interval", NULL, seconds);
	open_array("services");
	for (unsigned int i = 0; i < view->count; i++) {
		show_service(&view->services[i], &reading->services[i], backends, reading->flows,
			     seconds);
		backends += view->services[i].count;
	}
	close_level();
	print_text("all packets\n");
	show_verdicts(is_of_one ? reading->services : &reading->total, true, seconds);
	if (!is_of_one)
		show_slow(&reading->slow, seconds);
	if (!is_of_one && reading->flows)
		show_sources(view, reading->flows);
	close_level();
}

/* Readings before and after the interval, if one is wanted; *reading becomes their difference. */
static enum status read_interval(const struct balancer *balancer,
				 const struct config_service *services, unsigned int count,
				 __u32 seconds, struct reading *reading)
{
	struct timespec interval = { .tv_sec = seconds };
	struct reading before;
	enum status status;

	if (!seconds)
		return read_counters(balancer, services, count, reading);
	status = read_counters(balancer, services, count, &before);
	if (status)
		return status;
	nanosleep(&interval, NULL);
	status = read_counters(balancer, services, count, reading);
	if (!status)
		subtract_reading(reading, &before, services, count);
	free_reading(&before);
	return status;
}

enum status show_stats(struct view *view, const struct request *request)
{
	struct reading reading;
	enum status status = read_interval(&view->balancer, view->services, view->count,
					   request->seconds, &reading);

	if (status)
		return status;
	print_reading(view, &reading, request->has_vip, request->seconds ? reading.seconds : 0);
	free_reading(&reading);
	return DONE;
}

enum status zero_stats(struct balancer *balancer, const struct request *request)
{
	int result = zero_slow_stats(balancer);

	(void)request;
	for (__u32 i = 0; i <= STATS_RETIRED && !result; i++)
		result = zero_service_stats(balancer, i);
	for (__u32 i = 0; i <= MAX_BACKENDS && !result; i++)
		result = zero_backend_stats(balancer, i);
	return result ? fail(FAILED, "cannot zero the counters: %s", strerror(-result)) : DONE;
}
