// SPDX-License-Identifier: GPL-2.0
/* The table of commands, in the order of `xdp-lb help`. */
#include <stdio.h>
#include <string.h>

#include "cmd/apply.h"
#include "cmd/backend.h"
#include "cmd/command.h"
#include "cmd/deny.h"
#include "cmd/flow.h"
#include "cmd/help.h"
#include "cmd/limit.h"
#include "cmd/metrics.h"
#include "cmd/refresh.h"
#include "cmd/save.h"
#include "cmd/service.h"
#include "cmd/stats.h"
#include "cmd/timeout.h"
#include "cmd/trace.h"
#include "cmd/where.h"
#include "doctor/doctor.h"

const struct command commands[] = {
	{ "service", "add", "VIP [mode nat|dsr|ipip] [table N] [settle SECONDS] [hash flow|source]",
	  "balance a new service", parse_service_add, add_service, run_service_add, true },
	{ "service", "del", "VIP", "and its backends", parse_vip_only, delete_service, NULL,
	  false },
	{ "service", "show", "[VIP]", "services and their backends", parse_optional_vip, NULL,
	  show_services, false },
	{ "backend", "add", "VIP REAL [weight N] [mac MAC]", "add a backend to a service",
	  parse_backend_add, add_backend, NULL, true },
	{ "backend", "set", "VIP REAL [weight N] [mac MAC]", "change a backend", parse_backend_set,
	  set_backend, NULL, false },
	{ "backend", "drain", "VIP REAL", "no new flows; those it has live on", parse_vip_and_real,
	  drain_backend, NULL, true },
	{ "backend", "down", "VIP REAL", "out at once; its flows end", parse_vip_and_real,
	  down_backend, NULL, true },
	{ "backend", "up", "VIP REAL", "ends a drain as well as a down", parse_vip_and_real,
	  up_backend, NULL, false },
	{ "backend", "del", "VIP REAL", "out for good; its flows end", parse_vip_and_real,
	  delete_backend, NULL, false },
	{ "flow", "show", "", "living flows", parse_nothing, NULL, show_flows, false },
	{ "flow", "count", "", "how many there are", parse_nothing, NULL, count_flows, false },
	{ "flow", "flush", "[VIP [REAL]]", "end flows", parse_flow_flush, NULL, flush_flows,
	  false },
	{ "timeout", "show", "", "idle timeouts of flows", parse_nothing, NULL, show_timeouts,
	  false },
	{ "timeout", "set", "tcp|fin|udp SECONDS", "change one", parse_timeout, set_timeout, NULL,
	  true },
	{ "where", NULL, "VIP CLIENT", "which backend a client gets, and why", parse_where, NULL,
	  show_where, false },
	{ "stats", "zero", "", "counters back to zero", parse_nothing, NULL, zero_stats, false },
	{ "stats", NULL, "[VIP] [interval SECONDS]", "counters, or rates over an interval",
	  parse_stats, NULL, show_stats, false },
	{ "metrics", NULL, "", "counters in the text format of Prometheus", parse_nothing, NULL,
	  show_metrics, false },
	{ "deny", "add", "PREFIX", "drop what these sources send to services", parse_deny, add_deny,
	  run_deny_add, true },
	{ "deny", "del", "PREFIX", "no more", parse_deny, NULL, run_deny_delete, false },
	{ "deny", "show", "", "denied prefixes", parse_nothing, NULL, show_denies, false },
	{ "limit", "set", "VIP pps N [burst M] | VIP flows N",
	  "packets per second per source; new flows per second", parse_limit, set_limit, NULL,
	  true },
	{ "limit", "del", "VIP", "no limits", parse_vip_only, delete_limit, NULL, false },
	{ "limit", "show", "", "limits of services", parse_nothing, NULL, show_limits, false },
	{ "refresh", NULL, "", "resolve next hops anew", parse_nothing, NULL, refresh_backends,
	  false },
	{ "trace", NULL, "[VIP] [CLIENT] [count N]", "decisions as they happen", parse_trace, NULL,
	  trace_decisions, false },
	{ "save", NULL, "", "print the configuration", parse_nothing, NULL, save_conf, false },
	{ "apply", NULL, "FILE [dry-run]", "make the configuration equal a file", parse_apply, NULL,
	  apply_file, false },
	{ "doctor", NULL, "DEV",
	  "what would keep the balancer from working on DEV, and what mends it", parse_doctor, NULL,
	  run_doctor, false },
	{ "help", NULL, "", "this", parse_nothing, NULL, show_help, false },
	{ "version", NULL, "", "of the helper, and of the maps it knows", parse_nothing, NULL,
	  show_version, false },
};

const unsigned int command_count = sizeof(commands) / sizeof(*commands);

/* The verbs of an object as "add, del or show"; false if there is no such object. */
static bool list_verbs(const char *object, char *text, size_t size)
{
	unsigned int count = 0, seen = 0;
	size_t length = 0;

	*text = '\0';
	for (unsigned int i = 0; i < command_count; i++)
		count += !strcmp(commands[i].object, object);
	for (unsigned int i = 0; i < command_count && length < size; i++) {
		if (strcmp(commands[i].object, object))
			continue;
		seen++;
		length += snprintf(text + length, size - length, "%s%s",
				   seen == 1	 ? "" :
				   seen == count ? " or " :
						   ", ",
				   commands[i].verb ? commands[i].verb : "an argument");
	}
	return count;
}

const struct command *find_command(struct words *words)
{
	const char *object = next_word(words, "a command (see xdp-lb help)");
	const char *verb = words->left ? *words->word : NULL;
	char verbs[100];

	if (!object)
		return NULL;
	for (unsigned int i = 0; i < command_count; i++) {
		if (strcmp(object, commands[i].object))
			continue;
		if (commands[i].verb && (!verb || strcmp(verb, commands[i].verb)))
			continue;
		if (commands[i].verb)
			next_word(words, "a verb");
		return &commands[i];
	}
	if (!list_verbs(object, verbs, sizeof(verbs)))
		fail(WRONG, "'%.100s': no such command (see xdp-lb help)", object);
	else if (verb)
		fail(WRONG, "'%.100s': %s expected", verb, verbs);
	else
		fail(WRONG, "%s expected at the end", verbs);
	return NULL;
}
