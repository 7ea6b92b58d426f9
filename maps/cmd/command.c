// SPDX-License-Identifier: GPL-2.0
/* The table of commands, in the order of `xdp-lb help`. Completion reads that; a test compares the
 * man page with it. */
#include <stdio.h>
#include <string.h>

#include "cmd/apply.h"
#include "cmd/backend.h"
#include "cmd/check.h"
#include "cmd/command.h"
#include "cmd/deny.h"
#include "cmd/fingerprint.h"
#include "cmd/flow.h"
#include "cmd/help.h"
#include "cmd/limit.h"
#include "cmd/metrics.h"
#include "cmd/refresh.h"
#include "cmd/save.h"
#include "cmd/service.h"
#include "cmd/source.h"
#include "cmd/stats.h"
#include "cmd/timeout.h"
#include "cmd/trace.h"
#include "cmd/upgrade.h"
#include "cmd/where.h"
#include "doctor/doctor.h"
#include "watch/drain.h"
#include "watch/watch.h"

/* clang-format off */
const struct command commands[] = {
	{ "service add VIP [mode nat|dsr|ipip|dnat|user] [via ADDR] [table N] [settle SECONDS] "
	  "[hash flow|source] [pick hash|least]",
	  "balance a new service",
	  parse_service_add, .change = add_service, .run = run_service_add, .flags = IN_FILE },
	{ "service del VIP", "delete it and its backends",
	  parse_vip_only, .change = delete_service },
	{ "service show [VIP]", "services and their backends",
	  parse_optional_vip, .show = show_services },
	{ "backend add VIP REAL [weight N] [mac MAC] [backup]", "add a backend to a service",
	  parse_backend_add, .change = add_backend, .flags = IN_FILE },
	{ "backend set VIP REAL [weight N] [mac MAC]", "change a backend",
	  parse_backend_set, .change = set_backend },
	{ "backend drain VIP REAL", "no new flows; its flows live on",
	  parse_vip_and_real, .change = drain_backend, .flags = IN_FILE },
	{ "backend down VIP REAL", "out at once; its flows end",
	  parse_vip_and_real, .change = down_backend, .flags = IN_FILE },
	{ "backend up VIP REAL", "end a drain or a down",
	  parse_vip_and_real, .change = up_backend },
	{ "backend health VIP REAL ok|failing", "what a checker found: failing ones get no flows",
	  parse_backend_health, .change = set_health },
	{ "backend del VIP REAL", "delete it; its flows end",
	  parse_vip_and_real, .change = delete_backend },
	{ "source add ADDR...", "addresses that nat has as source instead of the VIP",
	  parse_source_add, .change = add_sources, .flags = IN_FILE },
	{ "source del ADDR", "no new flows; gone when it has none",
	  parse_source, .change = delete_source },
	{ "source show", "sources and their flows", parse_nothing,
	  .show = show_sources, .flags = WITH_FLOWS },
	{ "flow show [VIP] [CLIENT] [REAL]", "living flows: all, or those that match",
	  parse_flow_show, .show = show_flows, .flags = WITH_FLOWS | ANY_PORT_TOO },
	{ "flow count", "how many flows live", parse_nothing,
	  .show = count_flows, .flags = WITH_FLOWS },
	{ "flow flush [VIP [REAL]]", "end flows", parse_flow_flush,
	  .show = flush_flows, .flags = WITH_FLOWS | CHANGES },
	{ "timeout show", "idle timeouts of flows", parse_nothing, .show = show_timeouts },
	{ "timeout set tcp|fin|udp SECONDS", "change one",
	  parse_timeout, .change = set_timeout, .flags = IN_FILE },
	{ "where VIP CLIENT", "which backend a client gets, and why",
	  parse_where, .show = show_where },
	{ "stats zero", "set all counters to zero", parse_nothing, .store = zero_stats },
	{ "stats [VIP] [interval SECONDS]", "counters, or rates over an interval",
	  parse_stats, .show = show_stats, .flags = WITH_FLOWS },
	{ "metrics", "counters in the text format of Prometheus",
	  parse_nothing, .show = show_metrics, .flags = WITH_FLOWS },
	{ "deny add PREFIX", "drop what these sources send to services",
	  parse_deny, .change = add_deny, .store = insert_deny, .flags = IN_FILE },
	{ "deny del PREFIX", "deny it no longer", parse_deny, .store = delete_deny },
	{ "deny show", "denied prefixes", parse_nothing,
	  .show = show_denies, .flags = WITH_DENIES },
	{ "limit set VIP [pps N [burst M]] [flows N [per-source]] [conns N]",
	  "packets per second per source; new flows per second; flows of a source",
	  parse_limit, .change = set_limit, .flags = IN_FILE },
	{ "limit pmtu N", "the least path MTU that ICMP errors are relayed with",
	  parse_pmtu, .change = set_pmtu, .flags = IN_FILE },
	{ "limit del VIP", "delete its limits", parse_vip_only, .change = delete_limit },
	{ "limit show", "limits of services", parse_nothing, .show = show_limits },
	{ "check set VIP tcp|http|exec PATH|NAME [host NAME] [status N] [port N] [interval S] "
	  "[timeout S] [rise N] [fall N] [on-fail down|drain] [panic PERCENT]",
	  "have watch check the backends of a service",
	  parse_check_set, .change = set_check, .run = run_check_set, .flags = IN_FILE },
	{ "check del VIP", "check them no more", parse_vip_only, .change = delete_check },
	{ "check show", "checks of services", parse_nothing, .show = show_checks },
	{ "refresh", "resolve next hops again", parse_nothing, .run = refresh_backends },
	{ "trace [VIP] [CLIENT] [count N]", "decisions as they happen",
	  parse_trace, .show = trace_decisions, .flags = ANY_PORT_TOO },
	{ "save [FILE]", "print the configuration, or write it to a file", parse_save,
	  .show = save_config, .flags = WITH_DENIES | OLDER_TOO },
	{ "apply FILE... [dry-run] [empty]", "make the configuration equal what files say",
	  parse_apply, .run = apply_files },
	{ "fingerprint", "digests by which balancers are compared",
	  parse_nothing, .show = show_fingerprint },
	{ "upgrade DEV [dry-run]", "put this version in the place of the one that runs on DEV",
	  parse_upgrade, .run = run_upgrade },
	{ "doctor DEV", "what keeps the balancer from working on DEV, and what mends it",
	  parse_doctor, .run = run_doctor },
	{ "watch drain [within SECONDS] [-o DIR]",
	  "announce VIPs no more, once no flow needs this balancer",
	  parse_watch_drain, .run = run_watch_drain },
	{ "watch up [-o DIR]", "end a drain", parse_watch_up, .run = run_watch_up },
	{ "watch [from ADDR...] [announce TABLE [keep]] [-o DIR]",
	  "check backends, and follow the network, until it is ended",
	  parse_watch, .run = run_watch },
	{ "help [OBJECT]", "all commands, or those of an object", parse_help, .run = show_help },
	{ "version", "version of the helper, and of the maps that it knows",
	  parse_nothing, .run = show_version },
};
/* clang-format on */

const unsigned int command_count = sizeof(commands) / sizeof(*commands);

/* A verb is in lower case; what is no verb is in capitals, in brackets, or has a bar. */
size_t name_length(const struct command *command)
{
	size_t object = strcspn(command->words, " "), verb;

	if (!command->words[object])
		return object;
	verb = strspn(command->words + object + 1, "abcdefghijklmnopqrstuvwxyz");
	if (verb && strchr(" ", command->words[object + 1 + verb]))
		return object + 1 + verb;
	return object;
}

bool is_of_object(const struct command *command, const char *object)
{
	size_t length = strcspn(command->words, " ");

	return strlen(object) == length && !memcmp(command->words, object, length);
}

/* The verb of a command and its length, which may be 0. */
static const char *verb_of(const struct command *command, size_t *length)
{
	size_t object = strcspn(command->words, " "), name = name_length(command);

	*length = name > object ? name - object - 1 : 0;
	return command->words + object + 1;
}

/* Says which verbs an object has, as "add, del or show". `word` (or NULL) is none of them. */
static void say_verbs(const char *object, const char *word)
{
	unsigned int count = 0, seen = 0;
	char verbs[100] = "";
	size_t used = 0;

	for (unsigned int i = 0; i < command_count; i++)
		count += is_of_object(&commands[i], object);
	for (unsigned int i = 0; i < command_count && used < sizeof(verbs); i++) {
		size_t length;
		const char *verb = verb_of(&commands[i], &length);

		if (!is_of_object(&commands[i], object))
			continue;
		seen++;
		used += snprintf(verbs + used, sizeof(verbs) - used, "%s%.*s",
				 seen == 1     ? "" :
				 seen == count ? " or " :
						 ", ",
				 (int)length, verb);
	}
	if (!count)
		fail(WRONG, "'%.100s' is not a command (see xdp-lb help)", object);
	else if (word)
		fail(WRONG, "'%.100s': expected %s", word, verbs);
	else
		fail(WRONG, "expected %s at the end", verbs);
}

const struct command *find_command(struct words *words)
{
	const char *object = words->left ? next_word(words, "a command") : NULL;
	const char *word = words->left ? *words->word : NULL;

	if (!object) {
		fail(WRONG, "expected a command (see xdp-lb help)");
		return NULL;
	}
	for (unsigned int i = 0; i < command_count; i++) {
		size_t length;
		const char *verb = verb_of(&commands[i], &length);

		if (!is_of_object(&commands[i], object))
			continue;
		if (length && (!word || strlen(word) != length || memcmp(word, verb, length)))
			continue;
		if (length)
			next_word(words, "a verb");
		return &commands[i];
	}
	say_verbs(object, word);
	return NULL;
}
