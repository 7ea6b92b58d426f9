// SPDX-License-Identifier: GPL-2.0
/* trace: decisions as they happen, from the data path's ring buffer. */
#define _GNU_SOURCE /* ppoll */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/print.h"
#include "cmd/trace.h"
#include "kernel/ring_buffer.h"
#include "kernel/store.h"
#include "lib/clock.h"
#include "lib/text.h"
#include "model/map_list.h"

bool parse_trace(struct words *words, struct request *request)
{
	struct option count = { "count", parse_count, &request->count, false };

	if (words->left && strchr(*words->word, '/') && !take_vip(words, request))
		return false;
	if (words->left && strcmp(*words->word, "count")) {
		if (!parse_real(next_word(words, "a client"), &request->real))
			return false;
		request->has_real = true;
	}
	return parse_options(words, &count, 1);
}

static volatile sig_atomic_t is_stopped;

static void stop(int signal_number)
{
	(void)signal_number;
	is_stopped = 1;
}

/* Lets the signals that end the trace come only while it waits. */
static void catch_signals(sigset_t *while_waiting)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = stop };
	sigset_t blocked;

	sigemptyset(&blocked);
	for (unsigned int i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		sigaction(signals[i], &action, NULL);
		sigaddset(&blocked, signals[i]);
	}
	sigprocmask(SIG_BLOCK, &blocked, while_waiting);
	for (unsigned int i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigdelset(while_waiting, signals[i]);
}

struct trace {
	const struct balancer *balancer;
	__u64 started; /* ns of CLOCK_MONOTONIC: what is older is of another trace */
	__s64 offset; /* ns from that clock to the time of day */
	__u32 left; /* decisions to print; 0: no end */
};

/* From CLOCK_MONOTONIC, which says `monotonic`, to the time of day. */
static __s64 time_offset(__u64 monotonic)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec - monotonic;
}

static const char *describe(const struct event *event)
{
	if (event->from_backend)
		return "answer of";
	if (event->choice == CHOICE_FLOW)
		return "known flow of";
	if (event->choice == CHOICE_LEAST)
		return "fewest flows:";
	return event->choice == CHOICE_FORMER ? "former backend" : "table gives";
}

static struct text time_of_day(__u64 time)
{
	time_t seconds = time / 1000000000ULL;
	struct text text;
	struct tm parts;
	size_t length;

	localtime_r(&seconds, &parts);
	length = strftime(text.s, sizeof(text.s), "%H:%M:%S", &parts);
	snprintf(text.s + length, sizeof(text.s) - length, ".%06llu", time % 1000000000ULL / 1000);
	return text;
}

static void show_backend(const struct trace *trace, const struct event *event)
{
	const struct backend *record = &trace->balancer->backends[event->backend];
	struct endpoint real = {
		.address = record->address,
		.port = record->port ? record->port : event->tuple.vip_port,
	};

	print_text("  %s %s", describe(event), text_of_socket(&real).s);
	open_object("backend");
	print_endpoint(&real);
	close_level();
}

static void show_event(const struct trace *trace, const struct event *event)
{
	const struct tuple *tuple = &event->tuple;
	struct endpoint client = { .address = tuple->peer, .port = tuple->peer_port };
	struct endpoint vip = { event->vip, tuple->vip_port, tuple->protocol };

	open_object(NULL);
	print_string("time", "%s", time_of_day(event->time + trace->offset).s);
	print_string("client", " %s", text_of_socket(&client).s);
	print_string("vip", " > %s", text_of_vip(&vip).s);
	if (event->backend)
		show_backend(trace, event);
	else
		print_null("backend", "");
	print_string("direction", NULL, event->from_backend ? "answer" : "request");
	print_string("choice", NULL, choice_name(event->choice));
	print_string("action", "  %s", action_name(event->verdict));
	print_string("reason", " %s", reason_name(event->verdict));
	print_number("bytes", ", %llu bytes\n", event->length);
	close_level();
}

static bool take_event(const void *sample, __u32 size, void *argument)
{
	struct trace *trace = argument;
	struct event event;

	if (size < sizeof(event))
		return true;
	memcpy(&event, sample, sizeof(event));
	if (event.time < trace->started || event.backend > MAX_BACKENDS)
		return true;
	show_event(trace, &event);
	return (!trace->left || --trace->left) && !ferror(stdout);
}

static enum status follow(struct trace *trace, const sigset_t *while_waiting)
{
	struct pollfd wait = { .fd = trace->balancer->map[MAP_TRACE], .events = POLLIN };
	struct ring ring;
	int result = ring_open(&ring, wait.fd, TRACE_SIZE);

	if (result)
		return fail(FAILED, "cannot read the trace: %s", strerror(-result));
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (!is_stopped && ring_read(&ring, take_event, trace)) {
		if (ppoll(&wait, 1, NULL, while_waiting) < 0 && errno != EINTR)
			break;
	}
	ring_close(&ring);
	return DONE;
}

/* What the data path is to look at. */
static struct tuple filter_of(const struct view *view, const struct request *request)
{
	struct tuple filter = { .peer = request->real.address, .peer_port = request->real.port };

	if (!request->has_vip)
		return filter;
	filter.vip = view->services->vip_number;
	filter.vip_port = request->vip.port;
	filter.protocol = request->vip.protocol;
	return filter;
}

enum status trace_decisions(struct view *view, const struct request *request)
{
	struct balancer *balancer = &view->balancer;
	struct trace trace = { .balancer = balancer, .left = request->count };
	struct tuple filter = filter_of(view, request);
	enum status status = lock_role(balancer, ROLE_TRACE);
	sigset_t while_waiting;

	if (status)
		return status;
	trace.started = nanosecond_now();
	trace.offset = time_offset(trace.started);
	catch_signals(&while_waiting);
	store_bytes(&balancer->config->trace, &filter, sizeof(filter));
	config_free(&view->config); /* it would keep tables for as long as the trace runs */
	set_bits(&balancer->config->flags, CONFIG_TRACE);
	status = follow(&trace, &while_waiting);
	clear_bits(&balancer->config->flags, CONFIG_TRACE);
	return status;
}
