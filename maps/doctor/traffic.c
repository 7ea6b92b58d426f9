// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>

#include "doctor/finding.h"
#include "doctor/traffic.h"
#include "model/check_address.h"
#include "lib/text.h"
#include "model/counters.h"

#define SHARE 10 /* more than one of so many is a finding */
#define LEAST_SLOW 100 /* packets: fewer are no traffic */

enum status begin_traffic(const struct balancer *balancer, const struct configuration *config,
			  struct traffic *traffic)
{
	memset(traffic, 0, sizeof(*traffic));
	return read_counters(balancer, config->services, config->count, &traffic->before);
}

enum status end_traffic(const struct balancer *balancer, const struct configuration *config,
			struct traffic *traffic)
{
	int result = read_slow_stats(balancer, &traffic->slow);

	if (!result)
		result = read_service_stats(balancer, STATS_RETIRED, &traffic->retired);
	if (result)
		return fail(FAILED, "cannot read the counters: %s", strerror(-result));
	return read_counters(balancer, config->services, config->count, &traffic->now);
}

void free_traffic(struct traffic *traffic)
{
	free_reading(&traffic->before);
	free_reading(&traffic->now);
}

static __u64 packets_of(const struct service_stats *stats)
{
	__u64 sum = 0;

	for (unsigned int i = 0; i < VERDICTS; i++)
		sum += stats->verdict[i].packets;
	return sum;
}

bool has_traffic(const struct traffic *traffic, unsigned int service)
{
	return packets_of(&traffic->now.services[service]) !=
	       packets_of(&traffic->before.services[service]);
}

/* Why the backends of a service get no new flow: how many of them are what. */
static struct text count_states(const struct config_service *service)
{
	unsigned int draining = 0, down = 0, failing = 0, unresolved = 0;
	struct text text;

	for_each_backend(backend, service) {
		bool is_up = backend->state == STATE_UP;

		draining += backend->state == STATE_DRAINING;
		down += backend->state == STATE_DOWN;
		unresolved += is_up && !is_resolved(&backend->hop);
		failing += is_up && is_resolved(&backend->hop);
	}
	snprintf(text.s, sizeof(text.s), "%u draining, %u down, %u failing, %u without a MAC",
		 draining, down, failing, unresolved);
	return text;
}

void check_watched(struct exam *exam, const struct balancer *balancer,
		   const struct configuration *config)
{
	struct command_line command = { .s = "systemctl start xdp-lb-watch", .purpose = MENDS };
	bool has_check = false, was_alive;
	__u32 age;

	for_each_service(service, config)
		has_check |= service->check.type != CHECK_NONE;
	was_alive = watch_age(balancer, &age);
	if (!has_check || (was_alive && age < WATCH_PATIENCE))
		return;
	if (was_alive)
		report(exam, "watch", CERTAIN, &command, "health is what it was then",
		       "checks are not made: xdp-lb watch was last alive %u s ago", age);
	else
		report(exam, "watch", CERTAIN, &command, "no backend that fails is left out",
		       "checks are not made: xdp-lb watch was not started");
}

void check_idle_services(struct exam *exam, const struct configuration *config)
{
	for_each_service(service, config) {
		struct text vip = text_of_vip(&service->vip);
		struct command_line command = helper(exam->subject.device.name, "service show '%s'",
						     vip.s);
		bool gets_flows = false;

		for_each_backend(backend, service)
			gets_flows |= backend->is_eligible;
		if (gets_flows || service->mode == MODE_USER)
			continue;
		command.purpose = SHOWS;
		if (service->count)
			report(exam, "no-backend", CERTAIN, &command,
			       "new flows are dropped until one is up",
			       "no backend of %s gets new flows: %s", vip.s,
			       count_states(service).s);
		else
			report(exam, "no-backend", CERTAIN, &command,
			       "new flows are dropped until it has one", "%s has no backend",
			       vip.s);
	}
}

/* A verdict by which clients are refused. */
struct refusal {
	__u8 verdict;
	bool of_flows; /* it meets new flows, not packets */
	const char *cause;
	const char *command; /* of the helper, that shows more */
};

static const struct refusal refusals[] = {
	{ VERDICT_NO_BACKEND, true, "no backend was up", "service show" },
	{ VERDICT_NO_NEIGHBOUR, false, "the MAC of their backend is not known", "service show" },
	{ VERDICT_NO_PORT, true, "all ports towards the backend are in use", "flow count" },
	{ VERDICT_TABLE_FULL, true, "the flow table is full", "flow count" },
	{ VERDICT_DENIED, false, "a prefix of the deny list covers these clients", "deny show" },
	{ VERDICT_RATE_LIMITED, false,
	  "a source sends more than the limit allows, or the limit is "
	  "too low for the clients",
	  "limit show" },
	{ VERDICT_FLOW_LIMITED, true,
	  "more flows begin than the limit allows, or the limit is too "
	  "low for the clients",
	  "limit show" },
};

/* Whether what refused clients is configured still; else it counts while it goes on. */
static bool is_in_force(const struct balancer *balancer, const struct config_service *service,
			__u8 verdict)
{
	switch (verdict) {
	case VERDICT_DENIED:
		return balancer->config->flags & CONFIG_DENY;
	case VERDICT_RATE_LIMITED:
		return service->limit.pps;
	case VERDICT_FLOW_LIMITED:
		return service->limit.flows || service->limit.conns;
	default:
		return false;
	}
}

/* All that was asked for: flows, where they are counted, or packets. */
static __u64 asked_of(const struct service_stats *stats, const struct refusal *refusal)
{
	if (refusal->of_flows && stats->flows)
		return stats->flows + stats->verdict[refusal->verdict].packets;
	return packets_of(stats);
}

static bool is_large_share(__u64 part, __u64 whole)
{
	return part > whole / SHARE;
}

static void check_refusal(struct exam *exam, const struct balancer *balancer,
			  const struct config_service *service, const struct service_stats *before,
			  const struct service_stats *now, const struct refusal *refusal)
{
	__u64 refused = now->verdict[refusal->verdict].packets, asked = asked_of(now, refusal);
	__u64 climb = refused - before->verdict[refusal->verdict].packets;
	struct command_line command = helper(exam->subject.device.name, "%s", refusal->command);
	bool climbs = climb && is_large_share(climb, asked - asked_of(before, refusal));

	if (!climbs &&
	    (!is_in_force(balancer, service, refusal->verdict) || !is_large_share(refused, asked)))
		return;
	command.purpose = SHOWS;
	report(exam, "refused", CERTAIN, &command, refusal->cause,
	       "%s refused %llu of %llu %s of clients (%s), %llu in the last second; `stats zero` "
	       "begins anew",
	       text_of_vip(&service->vip).s, refused, asked,
	       refusal->of_flows && now->flows ? "new flows" : "packets",
	       reason_name(refusal->verdict), climb);
}

void check_refused(struct exam *exam, const struct balancer *balancer,
		   const struct configuration *config, const struct traffic *traffic)
{
	for (unsigned int i = 0; i < config->count; i++) {
		for (unsigned int j = 0; j < sizeof(refusals) / sizeof(*refusals); j++)
			check_refusal(exam, balancer, &config->services[i],
				      &traffic->before.services[i], &traffic->now.services[i],
				      &refusals[j]);
	}
}

static const char *const slow_causes[] = {
#define SLOW_TEXT(name, text) text,
	SLOW_LIST(SLOW_TEXT)
#undef SLOW_TEXT
};

/* Packets that begin and end a flow and so take the slow path, at most: SYN, SYN-ACK, ACK, two
 * FINs, and one again. */
#define SLOW_OF_FLOW 6

/* What a service may have had on the slow path without a fault. Answers to what this host and
 * doctor send from a VIP are of no flow. */
static __u64 owed_to(const struct service_stats *stats)
{
	return SLOW_OF_FLOW * stats->flows + stats->verdict[VERDICT_NO_FLOW].packets;
}

/* Takes from the packets of a cause what is owed to flows that begin and end. */
static void take_owed(__u64 *packets, __u64 *owed)
{
	__u64 part = *packets < *owed ? *packets : *owed;

	*packets -= part;
	*owed -= part;
}

void check_slow_path(struct exam *exam, const struct configuration *config,
		     const struct traffic *traffic)
{
	struct command_line command = helper(exam->subject.device.name, "stats");
	struct slow_stats slow = traffic->slow;
	__u64 all = packets_of(&traffic->retired), sum = 0, owed = owed_to(&traffic->retired);
	unsigned int most = 0;

	for (unsigned int i = 0; i < config->count; i++) {
		all += packets_of(&traffic->now.services[i]);
		owed += owed_to(&traffic->now.services[i]);
	}
	take_owed(&slow.packets[SLOW_NEW_FLOW - CONTINUE - 1], &owed);
	take_owed(&slow.packets[SLOW_FLOW_STATE - CONTINUE - 1], &owed);
	for (unsigned int i = 0; i < SLOW_CAUSES; i++) {
		sum += slow.packets[i];
		most = slow.packets[i] > slow.packets[most] ? i : most;
	}
	if (sum < LEAST_SLOW || !is_large_share(sum, all))
		return;
	command.purpose = SHOWS;
	report(exam, "slow-path", CERTAIN, &command,
	       "the slow path takes more time for each; `stats zero` begins anew",
	       "%llu of %llu packets of VIPs took the slow path, and did not begin or end a flow; "
	       "most because of '%s' (%llu)",
	       sum, sum > all ? sum : all, slow_causes[most], slow.packets[most]);
}
