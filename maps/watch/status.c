// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cmd/fingerprint.h"
#include "cmd/metrics.h"
#include "cmd/options.h"
#include "cmd/print.h"
#include "cmd/service.h"
#include "cmd/stats.h"
#include "lib/clock.h"
#include "lib/text.h"
#include "lib/version.h"
#include "model/flow_table.h"
#include "model/read_table.h"
#include "model/slots.h"
#include "model/snapshot.h"
#include "watch/examination.h"
#include "watch/loop.h"
#include "watch/replace_file.h"
#include "watch/status.h"

#define EVERY_NS (2 * NS_PER_SECOND)
#define METRICS_NS (10 * NS_PER_SECOND) /* they are asked for less often */
#define SOON_NS (50 * NS_PER_MS) /* after a change, with those that come along */

static struct {
	struct watch *watch;
	struct timer timer;
	struct reading last; /* for rates */
	unsigned int services, backends; /* that `last` is of; 0 services: none */
	__u64 metrics; /* when they were written, ns */
	int error; /* that was said last */
} status;

/* As commands see it. */
static void look_at(struct view *view)
{
	*view = (struct view){
		.balancer = status.watch->balancer,
		.config = status.watch->config,
		.services = status.watch->config.services,
		.count = status.watch->config.count,
	};
}

static void forget_reading(void)
{
	free_reading(&status.last);
	status.services = 0;
}

/* Counts as `stats` prints them, and rates since the time before. */
static void print_counts(const struct view *view)
{
	struct reading reading, difference;

	if (read_counters(&view->balancer, view->services, view->count, &reading))
		return;
	print_name("stats");
	print_reading(view, &reading, false, 0);
	if (reading.flows)
		print_number("flows", NULL, reading.flows->all.live);
	if (status.services && copy_reading(&difference, &reading, view->services, view->count)) {
		subtract_reading(&difference, &status.last, view->services, view->count);
		print_name("rates");
		print_reading(view, &difference, false, difference.seconds);
		free_reading(&difference);
	}
	free_reading(&status.last);
	status.last = reading;
	status.services = view->count;
}

/* What is left of a service's transition: slots, and seconds if no packet needs one of them. */
static void print_transition(const struct view *view, const struct config_service *service)
{
	const struct config *config = view->balancer.config;
	bool is_given = service->settle && service->settle != SETTLE_UNLIMITED;
	__u32 timeout = is_given ? service->settle : tcp_timeout(config);
	struct slot *running = service->moving ? read_running_slots(service) : NULL;
	__u32 now = tick_now(), slots = 0;
	__s32 youngest = INT32_MAX;

	for (__u32 i = 0; i < service->running_slots && running; i++) {
		__s32 age = now - running[i].seen;

		if (transition_is_over(&running[i], config, service->settle, now))
			continue;
		slots++;
		if (age < youngest)
			youngest = age;
	}
	free(running);
	if (!slots)
		return;
	youngest = youngest < 0 ? 0 : ((__u64)youngest << TICK_SHIFT) / NS_PER_SECOND;
	open_object(NULL);
	print_string("vip", NULL, text_of_vip(&service->vip).s);
	print_number("slots", NULL, service->running_slots);
	print_number("slots_left", NULL, slots);
	print_number("seconds_left", NULL, timeout > (__u32)youngest ? timeout - youngest : 0);
	close_level();
}

static void print_transitions(const struct view *view)
{
	open_array("transitions");
	for_each_service(service, view)
		print_transition(view, service);
	close_level();
}

static void print_balancer(const struct view *view)
{
	static const struct request nothing;

	open_object("balancer");
	print_string("device", NULL, view->balancer.place.device);
	print_string("netns", NULL, view->balancer.place.netns);
	close_level();
	print_name("fingerprint");
	show_fingerprint((struct view *)view, &nothing);
	print_name("services");
	show_services((struct view *)view, &nothing);
	print_counts(view);
	print_number("flow_capacity", NULL, FLOWS);
	print_transitions(view);
}

static void print_findings(void)
{
	if (!last_findings()) {
		print_null("doctor", NULL);
		return;
	}
	print_number("doctor_age", NULL, (nanosecond_now() - last_examined()) / NS_PER_SECOND);
	print_name("doctor");
	print_json(last_findings());
}

static void print_status(void)
{
	bool is_json = options.json;
	struct view view;

	look_at(&view);
	options.json = true;
	open_object(NULL);
	print_number("time", NULL, time(NULL));
	print_string("version", NULL, VERSION);
	print_number("layout", NULL, LAYOUT_VERSION);
	if (status.watch->has_balancer) {
		print_balancer(&view);
		print_findings();
		report_parts();
	} else {
		print_null("balancer", NULL);
	}
	close_level();
	options.json = is_json;
}

static void print_metrics(void)
{
	static const struct request nothing;
	struct view view;

	look_at(&view);
	print_gauge("watch_time_seconds", "When watch has written this, in Unix time.", time(NULL));
	print_gauge("balancer_found", "Whether there is a balancer to watch.",
		    status.watch->has_balancer);
	if (status.watch->has_balancer)
		show_metrics(&view, &nothing);
}

/* What fails is said once: the files of the last time stay, whose time tells how old they are. */
static void note_error(int error)
{
	if (error && error != status.error)
		warn("%s: %s", status.watch->request->directory, strerror(-error));
	status.error = error;
}

static void write_files(struct timer *timer)
{
	const char *directory = status.watch->request->directory;
	__u64 now = nanosecond_now();
	int result;

	timer_set(timer, now + EVERY_NS);
	if (status.watch->has_balancer && map_flows(&status.watch->balancer))
		return;
	examine_now_and_then(status.watch);
	result = replace_file(directory, "status.json", print_status);
	if (!result && now - status.metrics >= METRICS_NS) {
		result = replace_file(directory, "metrics", print_metrics);
		status.metrics = now;
	}
	note_error(result);
}

static enum status start(struct watch *watch)
{
	const char *directory = watch->request->directory;

	status.watch = watch;
	status.timer.expire = write_files;
	if (mkdir(directory, 0755) && errno != EEXIST)
		return fail(FAILED, "'%.200s': %s", directory, strerror(errno));
	return DONE;
}

static void follow(struct watch *watch)
{
	unsigned int backends = count_backends(&watch->config);

	/* Readings of other services cannot be compared. */
	if (!watch->has_balancer || watch->config.count != status.services ||
	    backends != status.backends)
		forget_reading();
	status.backends = backends;
	if (!watch->has_balancer)
		forget_findings();
	status.metrics = 0;
	timer_set(&status.timer, nanosecond_now() + SOON_NS);
}

const struct part status_part = { .start = start, .follow = follow };
