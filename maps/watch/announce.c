// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/netlink.h"
#include "lib/clock.h"
#include "lib/text.h"
#include "model/flow_table.h"
#include "watch/announce.h"
#include "watch/drain.h"
#include "watch/loop.h"

#define METRIC 1024
#define METRIC_DRAINING 32768 /* scripts/bird/balancer.conf knows it */
#define LOOK_NS NS_PER_SECOND /* how often flows are counted, while some are waited for */
#define HOLD_NS (5 * NS_PER_SECOND) /* that a balancer which begins has to find all backends */
#define EVENTS_SIZE 4096

struct routes {
	struct blackhole *route;
	unsigned int count;
};

static struct {
	struct watch *watch;
	int netlink; /* in the balancer's network namespace; -1: not open */
	struct routes running; /* in the table, as last read; sorted */
	__u64 hold_until; /* ns; see is_held_back() */
	bool has_held_back;
	bool is_stopping;
	bool is_drained;
	__u64 deadline; /* ns: after that, flows that are left are not waited for; 0: never */
	__u32 flows_left; /* that were waited for, when last counted */
	bool has_vips; /* among what is announced */
	char mark[PATH_MAX]; /* the file that says it is drained */
	struct io marks; /* inotify of its directory */
	struct timer look;
} announce = { .netlink = -1 };

static int compare_addresses(const void *a, const void *b)
{
	const struct blackhole *one = a, *other = b;

	return memcmp(&one->to, &other->to, sizeof(one->to));
}

static int compare_routes(const void *a, const void *b)
{
	const struct blackhole *one = a, *other = b;
	int order = compare_addresses(a, b);

	return order ? order : (one->metric > other->metric) - (one->metric < other->metric);
}

static bool has(const struct routes *routes, const struct blackhole *route,
		int (*compare)(const void *a, const void *b))
{
	return routes->count &&
	       bsearch(route, routes->route, routes->count, sizeof(*route), compare);
}

static bool is_announced(const struct address *vip)
{
	const struct blackhole route = { .to = *vip };

	return has(&announce.running, &route, compare_addresses);
}

/* Whether a check is set that has not said anything of the backend yet. */
static bool waits_for_check(const struct config_service *service,
			    const struct config_backend *backend)
{
	return service->check.type && backend->health == HEALTH_UNKNOWN;
}

/*
 * Whether new flows of the service have a backend to go to. Nobody is drawn here by backends that
 * may be dead; but what is announced does not go because it gets a check.
 */
static bool can_get_flows(const struct config_service *service)
{
	bool is_here = is_announced(&service->vip.address);

	if (service->mode == MODE_USER)
		return true; /* to its program */
	if (announce.watch->request->keep)
		return service->count;
	for_each_backend(backend, service) {
		if (backend->is_eligible && (is_here || !waits_for_check(service, backend)))
			return true;
	}
	return false;
}

/*
 * A balancer that has just begun may not know the way to each backend yet. Its table would be
 * another one than that of the others, whose connections come here as soon as it is announced, and
 * break.
 */
static bool is_held_back(const struct config_service *service)
{
	if (nanosecond_now() >= announce.hold_until)
		return false;
	for_each_backend(backend, service) {
		if (backend->state == STATE_UP && !is_resolved(&backend->hop)) {
			announce.has_held_back = true;
			return true;
		}
	}
	return false;
}

/* Flows that end here when another balancer gets their packets: those of mode nat. */
static __u32 count_bound_flows(const struct config_service *service, const __u32 *by_backend)
{
	__u32 flows = 0;

	if (service->mode != MODE_NAT || !by_backend)
		return 0;
	for_each_backend(backend, service)
		flows += by_backend[backend->number];
	return flows;
}

static void add_route(struct routes *routes, const struct address *to, __u32 metric)
{
	struct blackhole *longer;

	longer = realloc(routes->route, (routes->count + 1) * sizeof(*longer));
	if (!longer)
		return; /* it comes with the next change */
	routes->route = longer;
	longer[routes->count++] = (struct blackhole){
		.to = *to,
		.table = announce.watch->request->table,
		.metric = metric,
	};
}

/* The route of a VIP, for its services, which follow each other. */
static void want_vip(struct routes *wanted, const struct config_service *services,
		     unsigned int count, const __u32 *by_backend)
{
	bool can = false, is_held = false;
	__u32 flows = 0;

	for (unsigned int i = 0; i < count; i++) {
		can |= can_get_flows(&services[i]);
		is_held |= is_held_back(&services[i]);
		flows += count_bound_flows(&services[i], by_backend);
	}
	if (!can || is_held)
		return;
	if (!announce.is_drained) {
		add_route(wanted, &services->vip.address, METRIC);
		return;
	}
	announce.flows_left += flows;
	if (flows && !(announce.deadline && nanosecond_now() >= announce.deadline))
		add_route(wanted, &services->vip.address, METRIC_DRAINING);
}

/* How many services from this one on are of its VIP. */
static unsigned int count_of_vip(const struct configuration *config, unsigned int first)
{
	const struct config_service *services = config->services;
	unsigned int end = first + 1;

	while (end < config->count &&
	       same_address(&services[end].vip.address, &services[first].vip.address))
		end++;
	return end - first;
}

static __u32 *count_if_drained(void)
{
	if (!announce.is_drained || map_flows(&announce.watch->balancer))
		return NULL;
	return count_flows_by_backend(&announce.watch->balancer);
}

static void want_vips(struct routes *wanted)
{
	const struct configuration *config = &announce.watch->config;
	__u32 *by_backend = count_if_drained();

	for (unsigned int i = 0, count; i < config->count; i += count) {
		count = count_of_vip(config, i);
		want_vip(wanted, &config->services[i], count, by_backend);
	}
	free(by_backend);
}

/* Answers to addresses of the pool come here alone, whether new flows do or not. */
static void want_sources(struct routes *wanted)
{
	const struct configuration *config = &announce.watch->config;

	for_each_source(source, config)
		add_route(wanted, &source->self.address, METRIC);
}

/* Nothing of a balancer that is detached; of one that is left alone no VIP. */
static struct routes wanted_routes(void)
{
	const struct watch *watch = announce.watch;
	struct routes wanted = { NULL, 0 };

	announce.flows_left = 0;
	announce.has_held_back = false;
	announce.has_vips = false;
	if (!watch->has_balancer || !watch->balancer.place.ifindex)
		return wanted;
	if (!announce.is_stopping)
		want_vips(&wanted);
	announce.has_vips = wanted.count;
	want_sources(&wanted);
	return wanted;
}

static void say(const char *what, const struct blackhole *route, int result)
{
	if (result)
		warn("cannot %s %s in table %u: %s", what, text_of_address(&route->to).s,
		     route->table, strerror(-result));
	else
		warn("%s %s%s", what, text_of_address(&route->to).s,
		     route->metric == METRIC_DRAINING ? ", to be drained" : "");
}

/* What comes is there before what it replaces goes. */
static void change_routes(const struct routes *running, const struct routes *wanted)
{
	for (unsigned int i = 0; i < wanted->count; i++) {
		const struct blackhole *route = &wanted->route[i];

		if (!has(running, route, compare_routes))
			say("announce", route, netlink_add_blackhole(announce.netlink, route));
	}
	for (unsigned int i = 0; i < running->count; i++) {
		const struct blackhole *route = &running->route[i];
		int result;

		if (has(wanted, route, compare_routes))
			continue;
		result = netlink_delete_blackhole(announce.netlink, route);
		if (result || !has(wanted, route, compare_addresses))
			say("withdraw", route, result);
	}
}

static void sort_routes(struct routes *routes)
{
	if (routes->count)
		qsort(routes->route, routes->count, sizeof(*routes->route), compare_routes);
}

static bool read_running(void)
{
	int count;

	free(announce.running.route);
	announce.running = (struct routes){ NULL, 0 };
	if (announce.netlink < 0)
		return false;
	count = netlink_blackholes(announce.netlink, announce.watch->request->table,
				   &announce.running.route);
	if (count < 0) {
		warn("cannot read table %u: %s", announce.watch->request->table, strerror(-count));
		return false;
	}
	announce.running.count = count;
	sort_routes(&announce.running);
	return true;
}

/* Seconds until the deadline, never 0. */
static unsigned int seconds_left(void)
{
	__u64 now = nanosecond_now();

	return announce.deadline > now ? 1 + (announce.deadline - now) / NS_PER_SECOND : 1;
}

/* For who waits for the drain to end; and for the next one that reads the mark, the deadline. */
static void report_drain(bool is_done)
{
	FILE *file = fopen(announce.mark, "r+e");

	if (!file)
		return;
	if (ftruncate(fileno(file), 0) == 0) {
		if (!is_done)
			fprintf(file, "%u flows left\n", announce.flows_left);
		else if (announce.flows_left)
			fprintf(file, "%s: withdrawn with %u flows left\n", DRAIN_EMPTY,
				announce.flows_left);
		else
			fprintf(file, "%s: nothing is announced\n", DRAIN_EMPTY);
		if (announce.deadline)
			fprintf(file, DRAIN_WITHIN " %u\n", seconds_left());
	}
	fclose(file);
}

/* Makes the table what is wanted. What somebody else has taken out of it comes again. */
static void update(void)
{
	bool is_read = read_running();
	struct routes wanted = wanted_routes();

	sort_routes(&wanted);
	if (is_read)
		change_routes(&announce.running, &wanted);
	timer_clear(&announce.look);
	if (announce.is_drained) {
		report_drain(!announce.has_vips);
	}
	if (announce.has_held_back || (announce.is_drained && announce.has_vips))
		timer_set(&announce.look, nanosecond_now() + LOOK_NS);
	free(wanted.route);
}

static void expire_look(struct timer *timer)
{
	(void)timer;
	update();
}

/* Whether it is drained, and until when at the latest. */
static void read_mark(void)
{
	FILE *file = fopen(announce.mark, "re");
	unsigned int seconds = 0;
	char line[100];

	announce.is_drained = file;
	announce.deadline = 0;
	if (!file)
		return;
	while (!seconds && fgets(line, sizeof(line), file))
		sscanf(line, DRAIN_WITHIN " %u", &seconds);
	if (seconds)
		announce.deadline = nanosecond_now() + seconds * NS_PER_SECOND;
	fclose(file);
}

/* Whether one of the events is the mark's: other parts write their files there. */
static bool is_about_mark(const char *events, ssize_t size)
{
	const struct inotify_event *event;

	for (ssize_t at = 0; at < size; at += sizeof(*event) + event->len) {
		event = (const struct inotify_event *)(events + at);
		if (event->len && !strcmp(event->name, DRAIN_FILE))
			return true;
	}
	return false;
}

static void receive_mark(struct io *io, __u32 events)
{
	_Alignas(struct inotify_event) char buffer[EVENTS_SIZE];
	bool is_marked = false;
	ssize_t size;

	(void)events;
	while ((size = read(io->fd, buffer, sizeof(buffer))) > 0)
		is_marked |= is_about_mark(buffer, size);
	if (!is_marked)
		return;
	read_mark();
	update();
}

static enum status watch_marks(const char *directory)
{
	int result = 0;

	snprintf(announce.mark, sizeof(announce.mark), "%s/" DRAIN_FILE, directory);
	announce.marks.ready = receive_mark;
	announce.marks.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if ((mkdir(directory, 0755) && errno != EEXIST) || announce.marks.fd < 0 ||
	    inotify_add_watch(announce.marks.fd, directory, IN_MOVED_TO | IN_DELETE) < 0)
		result = -errno;
	if (!result)
		result = loop_add(&announce.marks, EPOLLIN);
	if (result)
		return fail(FAILED, "'%s': %s", directory, strerror(-result));
	read_mark();
	return DONE;
}

static enum status start(struct watch *watch)
{
	announce.watch = watch;
	announce.look.expire = expire_look;
	return watch->request->table ? watch_marks(watch->request->directory) : DONE;
}

static void open_netlink(void)
{
	announce.netlink = netlink_open();
	if (announce.netlink < 0)
		warn("cannot announce: %s", strerror(-announce.netlink));
}

/* One that was killed, and so has left VIPs, goes on with what it has announced. */
static void begin_hold(void)
{
	struct blackhole *running = NULL;
	int count = netlink_blackholes(announce.netlink, announce.watch->request->table, &running);

	announce.hold_until = nanosecond_now() + HOLD_NS;
	for (int i = 0; i < count; i++) {
		if (!source_find(&announce.watch->config, &running[i].to))
			announce.hold_until = 0;
	}
	free(running);
}

static void follow(struct watch *watch)
{
	if (!watch->request->table)
		return;
	if (announce.netlink < 0) {
		open_netlink();
		begin_hold();
	}
	update();
	if (watch->has_balancer || announce.netlink < 0)
		return;
	close(announce.netlink); /* the next balancer may be in another namespace */
	announce.netlink = -1;
}

static void stop(struct watch *watch)
{
	announce.is_stopping = true;
	if (watch->request->table)
		update();
}

const struct part announce_part = { .start = start, .follow = follow, .stop = stop };
