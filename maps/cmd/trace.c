// SPDX-License-Identifier: GPL-2.0
/* trace: decisions as they happen, from the data path's ring buffer. */
#define _GNU_SOURCE /* ppoll */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/json.h"
#include "cmd/options.h"
#include "cmd/trace.h"
#include "kernel/ring_buffer.h"
#include "lib/text.h"
#include "model/balancer.h"
#include "model/discover.h"
#include "model/map_list.h"
#include "model/read_config.h"

bool parse_trace(struct words *words, struct request *request)
{
	struct option count = { "count", parse_count, &request->count, false };

	if (words->left && strchr(*words->word, '/')) {
		if (!parse_vip(next_word(words, "a service"), &request->vip))
			return false;
		request->has_vip = true;
	}
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

static __u64 read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static const char *describe(const struct event *event)
{
	if (event->from_backend)
		return "answer of";
	if (event->choice == CHOICE_FLOW)
		return "known flow of";
	return event->choice == CHOICE_FORMER ? "former owner" : "table gives";
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

/* The ends of the packet's flow. */
struct decided {
	struct endpoint client, vip, real;
	bool has_backend;
};

static void name_ends(const struct trace *trace, const struct event *event, struct decided *decided)
{
	const struct backend *record = &trace->balancer->backends[event->backend];

	memset(decided, 0, sizeof(*decided));
	decided->client.address = event->tuple.peer;
	decided->client.port = event->tuple.peer_port;
	decided->vip.address = event->vip;
	decided->vip.port = event->tuple.vip_port;
	decided->vip.protocol = event->tuple.protocol;
	decided->has_backend = event->backend;
	decided->real.address = record->address;
	decided->real.port = record->port ? record->port : event->tuple.vip_port;
}

static void print_event(const struct trace *trace, const struct event *event,
			const struct decided *decided)
{
	printf("%s %s > %s", time_of_day(event->time + trace->offset).s,
	       text_of_socket(&decided->client).s, text_of_vip(&decided->vip).s);
	if (decided->has_backend)
		printf("  %s %s", describe(event), text_of_socket(&decided->real).s);
	printf("  %s %s, %u bytes\n", action_name(event->verdict), reason_name(event->verdict),
	       event->length);
}

static void write_event(const struct trace *trace, const struct event *event,
			const struct decided *decided)
{
	static const char *const choices[] = { "none", "known-flow", "table", "former-owner" };

	json_object(NULL);
	json_string("time", time_of_day(event->time + trace->offset).s);
	json_string("client", text_of_socket(&decided->client).s);
	json_string("vip", text_of_vip(&decided->vip).s);
	if (decided->has_backend)
		json_string("backend", text_of_socket(&decided->real).s);
	else
		json_null("backend");
	json_string("direction", event->from_backend ? "answer" : "request");
	json_string("choice", choices[event->choice % 4]);
	json_string("action", action_name(event->verdict));
	json_string("reason", reason_name(event->verdict));
	json_number("bytes", event->length);
	json_end();
}

static bool take_event(const void *sample, __u32 size, void *argument)
{
	struct trace *trace = argument;
	struct decided decided;
	struct event event;

	if (size < sizeof(event))
		return true;
	memcpy(&event, sample, sizeof(event));
	if (event.time < trace->started || event.backend > MAX_BACKENDS)
		return true;
	name_ends(trace, &event, &decided);
	if (options.json)
		write_event(trace, &event, &decided);
	else
		print_event(trace, &event, &decided);
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
static enum status find_filter(struct balancer *balancer, const struct request *request,
			       struct tuple *filter)
{
	struct endpoint any_port = request->vip;
	struct conf_service *service;
	enum status status;
	struct conf conf;

	memset(filter, 0, sizeof(*filter));
	filter->peer = request->real.address;
	filter->peer_port = request->real.port;
	if (!request->has_vip)
		return DONE;
	status = conf_load(balancer, &conf, false);
	if (status)
		return status;
	any_port.port = ANY_PORT;
	service = conf_find(&conf, &request->vip);
	if (!service)
		service = conf_find(&conf, &any_port);
	if (service) {
		filter->vip = service->vip_number;
		filter->vip_port = request->vip.port;
		filter->protocol = request->vip.protocol;
	} else {
		status = fail(FAILED, "'%s': no such service", text_of_vip(&request->vip).s);
	}
	conf_free(&conf);
	return status;
}

static enum status trace_on(struct balancer *balancer, const struct tuple *filter,
			    const struct request *request)
{
	struct trace trace = {
		.balancer = balancer,
		.started = read_clock(CLOCK_MONOTONIC),
		.left = request->count,
	};
	sigset_t while_waiting;
	enum status status;

	trace.offset = read_clock(CLOCK_REALTIME) - trace.started;
	catch_signals(&while_waiting);
	balancer->config->trace = *filter;
	__atomic_or_fetch(&balancer->config->flags, CONFIG_TRACE, __ATOMIC_RELEASE);
	status = follow(&trace, &while_waiting);
	__atomic_and_fetch(&balancer->config->flags, ~CONFIG_TRACE, __ATOMIC_RELEASE);
	return status;
}

enum status trace_decisions(const struct request *request)
{
	struct balancer balancer;
	struct tuple filter;
	enum status status = open_balancer(&options.selection, &balancer);

	if (status)
		return status;
	status = lock_balancer(&balancer);
	if (!status)
		status = find_filter(&balancer, request, &filter);
	unlock_balancer(&balancer);
	if (!status)
		status = lock_trace(&balancer);
	if (!status)
		status = trace_on(&balancer, &filter, request);
	close_balancer(&balancer);
	return status;
}
