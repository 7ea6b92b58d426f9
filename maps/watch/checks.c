// SPDX-License-Identifier: GPL-2.0
/*
 * Which checks are made when, and what becomes of their results. Each interval begins an attempt,
 * whether the one before has ended or not: so a backend that falls silent has failed after
 * fall * interval + timeout. What changes is written together, in one change of the configuration.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/print.h"
#include "kernel/store.h"
#include "lib/clock.h"
#include "lib/text.h"
#include "model/check_address.h"
#include "watch/checks.h"
#include "watch/connection.h"
#include "watch/packets.h"
#include "watch/program.h"

#define BATCH_NS (10 * NS_PER_MS) /* that results wait for others */
#define TOGETHER_NS (20 * NS_PER_MS) /* checks that begin within it, begin at once */
#define RETRY_NS NS_PER_SECOND /* after a change that could not be made */
#define MOST_UNDER_WAY 16 /* attempts of one backend */

static struct watch *watch;
static struct target **targets; /* sorted by vip, real */
static unsigned int target_count;
static struct timer batch;

/* What was said of a service. */
struct said {
	struct endpoint vip;
	bool is_panicking, has_no_address;
};

static struct said *said; /* sorted */
static unsigned int said_count;

static int compare_targets(const void *a, const void *b)
{
	const struct target *x = *(struct target *const *)a, *y = *(struct target *const *)b;
	int order = compare_endpoints(&x->vip, &y->vip);

	return order ? order : compare_endpoints(&x->real, &y->real);
}

static struct target *find_target(const struct endpoint *vip, const struct endpoint *real)
{
	struct target key = { .vip = *vip, .real = *real }, *wanted = &key, **found;

	if (!target_count)
		return NULL;
	found = bsearch(&wanted, targets, target_count, sizeof(void *), compare_targets);
	return found ? *found : NULL;
}

/* Drops the attempt that `link` of its target's list leads to. */
static void drop_linked(struct attempt **link)
{
	struct attempt *attempt = *link;
	struct target *target = attempt->target;

	*link = attempt->sibling;
	target->under_way--;
	timer_clear(&attempt->timeout);
	if (target->check.type == CHECK_EXEC)
		drop_program(attempt);
	else if (target->is_by_packets)
		drop_packets(attempt);
	else
		drop_connection(attempt);
	free(attempt);
}

static void drop_attempt(struct attempt *attempt)
{
	struct attempt **link = &attempt->target->attempts;

	while (*link != attempt)
		link = &(*link)->sibling;
	drop_linked(link);
}

/* What is to be written for a target: enough good or bad checks in a row say it. */
static void judge(struct target *target)
{
	__u8 wanted = target->health;

	if (target->bad >= target->check.fall)
		wanted = HEALTH_FAILING;
	else if (target->good >= target->check.rise)
		wanted = HEALTH_OK;
	target->wanted = wanted;
	if (wanted != target->health && !batch.place)
		timer_set(&batch, nanosecond_now() + BATCH_NS);
}

static void end_attempt(struct attempt *attempt, const char *fault)
{
	struct target *target = attempt->target;

	snprintf(target->reason, sizeof(target->reason), "%s", fault ? fault : "");
	target->bad = fault ? target->bad + 1 : 0;
	target->good = fault ? 0 : target->good + 1;
	drop_attempt(attempt);
	judge(target);
}

static void expire_attempt(struct timer *timer)
{
	end_attempt(owner_of(timer, struct attempt, timeout), "no answer in time");
}

static void begin_attempt(struct target *target)
{
	struct attempt *attempt = calloc(1, sizeof(*attempt));

	if (!attempt)
		return;
	attempt->target = target;
	attempt->end = end_attempt;
	attempt->io.fd = -1;
	attempt->sibling = target->attempts;
	target->attempts = attempt;
	target->under_way++;
	attempt->timeout.expire = expire_attempt;
	timer_set(&attempt->timeout, nanosecond_now() + target->check.timeout * NS_PER_MS);
	if (target->check.type == CHECK_EXEC)
		start_program(attempt);
	else if (target->is_by_packets)
		start_packets(attempt);
	else
		start_connection(attempt);
}

static void expire_next(struct timer *timer)
{
	struct target *target = owner_of(timer, struct target, next);
	__u64 due = timer->due + target->check.interval * NS_PER_MS, now = nanosecond_now();

	timer_set(timer, due > now ? due : now + target->check.interval * NS_PER_MS);
	if (target->under_way < MOST_UNDER_WAY &&
	    (!target->is_by_packets || can_send_packets(target)))
		begin_attempt(target);
}

static void free_target(struct target *target)
{
	while (target->attempts) /* to drop one may end another, whose turn it is */
		drop_linked(&target->attempts);
	timer_clear(&target->next);
	free(target);
}

/* The first checks are spread over the interval; but those of one moment begin together, which
 * spares the process most of its waking up. */
static void schedule(struct target *target, unsigned int turn, unsigned int turns)
{
	__u64 interval = target->check.interval * NS_PER_MS;
	__u64 due = nanosecond_now() + interval * turn / turns;

	target->next.expire = expire_next;
	timer_set(&target->next, due - due % TOGETHER_NS);
}

/* Where the backend is connected to. */
static struct endpoint address_of(const struct config_service *service,
				  const struct config_backend *backend)
{
	struct endpoint at = backend->real;

	if (is_checked_by_vip(&watch->balancer, service, &service->check))
		at.address = service->vip.address;
	if (service->check.port)
		at.port = service->check.port;
	else if (!at.port)
		at.port = service->vip.port;
	return at;
}

/* A target anew, with what the one from before knows; NULL: no memory. */
static struct target *make_target(const struct config_service *service,
				  const struct config_backend *backend, struct target *before)
{
	struct target *target = before ? before : calloc(1, sizeof(*target));

	if (!target)
		return NULL;
	target->vip = service->vip;
	target->real = backend->real;
	target->check = service->check;
	target->mode = service->mode;
	target->is_by_packets = is_checked_by_vip(&watch->balancer, service, &service->check);
	target->at = address_of(service, backend);
	target->hop = backend->hop;
	/* Somebody else has said it; or we have, and read it late. */
	if (!before || (target->health != backend->health && target->written != backend->health))
		target->said = backend->health;
	target->health = backend->health;
	return target;
}

static bool is_usable(const struct target *target, const struct config_service *service)
{
	return !memcmp(&target->check, &service->check, sizeof(target->check)) &&
	       target->mode == service->mode;
}

/* Whether an address of this host is a VIP. */
static bool has_vip(void)
{
	struct ifaddrs *list = NULL;
	bool found = false;

	if (getifaddrs(&list))
		return true;
	for (const struct ifaddrs *entry = list; entry && !found; entry = entry->ifa_next) {
		struct address address;

		found = read_interface_address(entry, &address) && is_vip(&watch->config, &address);
	}
	freeifaddrs(list);
	return found;
}

/* Adds the backends of a service to `made`. */
static unsigned int add_targets(const struct config_service *service, struct target **made,
				unsigned int count, unsigned int turns)
{
	for_each_backend(backend, service) {
		struct target *before = find_target(&service->vip, &backend->real);
		struct target *target;

		if (before && !is_usable(before, service))
			before = NULL;
		target = make_target(service, backend, before);
		if (!target)
			continue;
		if (!before)
			schedule(target, count, turns);
		made[count++] = target;
		judge(target);
	}
	return count;
}

/* Frees those targets that are not among the new ones, which are sorted as these are. */
static void free_old_targets(struct target **made, unsigned int count)
{
	for (unsigned int i = 0; i < target_count; i++) {
		struct target **found = count ? bsearch(&targets[i], made, count, sizeof(void *),
							compare_targets) :
						NULL;

		if (!found || *found != targets[i])
			free_target(targets[i]);
	}
	free(targets);
	targets = made;
	target_count = count;
}

/* A check that came by a file, and for which there is no address to check from. */
static void say_no_address(const struct config_service *service, bool *before)
{
	const struct target *target;
	bool now = false;

	if (service->count && service->check.type) {
		target = find_target(&service->vip, &service->backends[0].real);
		now = target && target->is_by_packets && !can_send_packets(target);
	}
	if (now && !*before)
		warn("%s is not checked: in mode %s that takes an address of its own (watch from "
		     "ADDR)%s",
		     text_of_vip(&service->vip).s, mode_name(service->mode),
		     service->check.type == CHECK_TCP ? ", or one of the host that is no VIP" : "");
	*before = now;
}

static void say_panic(const struct config_service *service, bool *before)
{
	if (service->is_panicking && !*before)
		warn("%s: fewer than %u %% of the backends would be left: checks are not believed",
		     text_of_vip(&service->vip).s, service->check.panic);
	if (!service->is_panicking && *before)
		warn("%s: checks are believed again", text_of_vip(&service->vip).s);
	*before = service->is_panicking;
}

static int compare_said(const void *a, const void *b)
{
	const struct said *one = a, *other = b;

	return compare_endpoints(&one->vip, &other->vip);
}

/* What is new of each service. Those that are gone are forgotten. */
static void say_news(void)
{
	unsigned int count = watch->config.count;
	struct said *now = calloc(count + 1, sizeof(*now));

	for (unsigned int i = 0; now && i < count; i++) {
		const struct config_service *service = &watch->config.services[i];
		const struct said *before;

		now[i].vip = service->vip;
		before = said_count ?
				 bsearch(&now[i], said, said_count, sizeof(*said), compare_said) :
				 NULL;
		if (before)
			now[i] = *before;
		say_panic(service, &now[i].is_panicking);
		say_no_address(service, &now[i].has_no_address);
	}
	free(said);
	said = now;
	said_count = now ? count : 0;
}

static void follow_checks(struct watch *changed)
{
	unsigned int turns, count = 0;
	struct target **made;

	watch = changed;
	turns = count_backends(&watch->config);
	made = calloc(turns + 1, sizeof(struct target *));
	if (!made)
		return;
	for_each_service(service, &watch->config) {
		if (service->check.type)
			count = add_targets(service, made, count, turns);
	}
	free_old_targets(made, count);
	needs_low_ports = has_vip();
	say_news();
}

/* All that targets say. What is said again by a later change finds it so already. */
static enum status write_health(struct configuration *config, const struct request *request)
{
	(void)request;
	for (unsigned int i = 0; i < target_count; i++) {
		struct target *target = targets[i];
		struct config_service *service = config_find(config, &target->vip);
		struct config_backend *backend = service ? backend_find(service, &target->real) :
							   NULL;

		if (!backend || target->wanted == target->health || !service->check.type)
			continue;
		backend->health = target->wanted;
		target->written = target->wanted;
	}
	return DONE;
}

static void say_changes(void)
{
	for (unsigned int i = 0; i < target_count; i++) {
		struct target *target = targets[i];

		if (target->wanted == target->said)
			continue;
		target->said = target->wanted;
		warn("%s of %s is %s%s%s", text_of_real(&target->real).s,
		     text_of_vip(&target->vip).s, health_name(target->wanted),
		     *target->reason ? ": " : "", target->reason);
	}
}

static void expire_batch(struct timer *timer)
{
	struct change change = { .change = write_health };

	if (!watch->has_balancer)
		return;
	say_changes();
	if (watch_change(watch, &change) && !timer->place)
		timer_set(timer, nanosecond_now() + RETRY_NS);
}

static void report_reasons(const struct watch *reported)
{
	(void)reported;
	open_array("checks");
	for (unsigned int i = 0; i < target_count; i++) {
		const struct target *target = targets[i];

		if (!*target->reason)
			continue;
		open_object(NULL);
		print_string("vip", NULL, text_of_vip(&target->vip).s);
		open_object("backend");
		print_endpoint(&target->real);
		close_level();
		print_string("reason", NULL, target->reason);
		close_level();
	}
	close_level();
}

static enum status start_checks(struct watch *started)
{
	watch = started;
	batch.expire = expire_batch;
	return DONE;
}

static void stop_checks(struct watch *stopped)
{
	(void)stopped;
	for (unsigned int i = 0; i < target_count; i++)
		free_target(targets[i]);
	target_count = 0;
}

const struct part checks = {
	.start = start_checks,
	.follow = follow_checks,
	.report = report_reasons,
	.stop = stop_checks,
};
