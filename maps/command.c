// SPDX-License-Identifier: GPL-2.0
/* The table of commands, in the order of `xdp-lb help`. */
#include <stdio.h>
#include <string.h>

#include "command.h"

#ifndef VERSION
#define VERSION "1.0"
#endif

struct global_options options;

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

bool parse_nothing(struct words *words, struct request *request)
{
	(void)request;
	return no_more_words(words);
}

static bool take_vip(struct words *words, struct request *request)
{
	const char *word = next_word(words, "a service");

	request->has_vip = word && parse_vip(word, &request->vip);
	return request->has_vip;
}

bool parse_vip_only(struct words *words, struct request *request)
{
	return take_vip(words, request) && no_more_words(words);
}

bool parse_optional_vip(struct words *words, struct request *request)
{
	return !words->left || parse_vip_only(words, request);
}

bool parse_vip_and_real(struct words *words, struct request *request)
{
	const char *word;

	if (!take_vip(words, request))
		return false;
	word = next_word(words, "a backend");
	request->has_real = word && parse_real(word, &request->real);
	return request->has_real && no_more_words(words);
}

bool select_services(const struct conf *conf, const struct request *request,
		     const struct conf_service **first, unsigned int *count)
{
	*first = conf->services;
	*count = conf->count;
	if (!request->has_vip)
		return true;
	*first = conf_need(conf, &request->vip);
	*count = 1;
	return *first;
}

enum status show_help(const struct request *request)
{
	char words[120];

	(void)request;
	printf("xdp-lb [-j] [-n NETNS] [-d DEV] [-p PINDIR] OBJECT VERB ...\n\n"
	       "  -j         JSON\n"
	       "  -n NETNS   the balancer in this network namespace\n"
	       "  -d DEV     the balancer on this device\n"
	       "  -p PINDIR  the balancer whose maps are pinned there\n\n"
	       "VIP is ADDR:PORT/PROTO as 10.0.0.10:80/tcp or [fd00::10]:53/udp, port * is any;\n"
	       "REAL is ADDR4, ADDR4:PORT, ADDR6 or [ADDR6]:PORT. See xdp-lb(8).\n\n");
	for (unsigned int i = 0; i < command_count; i++) {
		snprintf(words, sizeof(words), "%s%s%s%s%s", commands[i].object,
			 commands[i].verb ? " " : "", commands[i].verb ? commands[i].verb : "",
			 *commands[i].arguments ? " " : "", commands[i].arguments);
		printf(strlen(words) < 42 ? "  %-42s%s\n" : "  %s\n%44s%s\n", words,
		       strlen(words) < 42 ? commands[i].help : "", commands[i].help);
	}
	return DONE;
}

enum status show_version(const struct request *request)
{
	(void)request;
	printf("xdp-lb %s, layout of maps %u\n", VERSION, LAYOUT_VERSION);
	return DONE;
}
