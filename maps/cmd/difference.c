// SPDX-License-Identifier: GPL-2.0
/* What `apply` says that it does. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmd/config_line.h"
#include "cmd/difference.h"
#include "cmd/print.h"
#include "cmd/timeout.h"
#include "lib/text.h"

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	va_list arguments;
	char line[800];

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	print_string(NULL, "%s\n", line);
}

static void say_new_backend(const struct config_service *service,
			    const struct config_backend *backend)
{
	say("%s", line_of_backend(service, backend).s);
	if (backend->state != STATE_UP)
		say("%s", line_of_state(service, backend).s);
}

void say_new_service(const struct config_service *service)
{
	say("%s", line_of_service(service).s);
	for_each_backend(backend, service)
		say_new_backend(service, backend);
	if (has_limit(&service->limit))
		say("%s", line_of_limit(service).s);
	if (service->check.type)
		say("%s", line_of_check(service).s);
}

static void say_changed_backend(const struct config_service *service,
				const struct config_backend *before,
				const struct config_backend *now)
{
	bool mac_differs = now->mac_given && memcmp(before->hop.mac, now->hop.mac, 6);

	if (before->weight != now->weight)
		say("%s weight %u", line_of_verb("set", service, now).s, now->weight);
	if (mac_differs || (now->mac_given && !before->mac_given))
		say("%s mac %s", line_of_verb("set", service, now).s, text_of_mac(now->hop.mac).s);
	else if (before->mac_given && !now->mac_given)
		say("# %s: its mac is resolved, no more given", text_of_real(&now->real).s);
	if (before->is_backup != now->is_backup)
		say("# %s: now %s backup", text_of_real(&now->real).s, now->is_backup ? "a" : "no");
	if (before->state != now->state)
		say("%s", line_of_state(service, now).s);
}

static void say_changed_backends(const struct config_service *before,
				 const struct config_service *now)
{
	for_each_backend(backend, before) {
		if (!backend_find(now, &backend->real))
			say("%s", line_of_verb("del", before, backend).s);
	}
	for_each_backend(backend, now) {
		const struct config_backend *old = backend_find(before, &backend->real);

		if (old)
			say_changed_backend(now, old, backend);
		else
			say_new_backend(now, backend);
	}
}

static void say_changed_service(const struct config_service *before,
				const struct config_service *now)
{
	if (before->mode != now->mode || before->hash != now->hash || before->slots != now->slots ||
	    before->settle != now->settle || before->pick != now->pick ||
	    !same_address(&before->via.real.address, &now->via.real.address))
		say("# %s: now as by %s", text_of_vip(&now->vip).s, line_of_service(now).s);
	say_changed_backends(before, now);
	if (has_limit(&before->limit) && !has_limit(&now->limit))
		say("limit del %s", text_of_vip(&now->vip).s);
	else if (limit_differs(&before->limit, &now->limit))
		say("%s", line_of_limit(now).s);
	if (before->check.type && !now->check.type)
		say("check del %s", text_of_vip(&now->vip).s);
	else if (memcmp(&before->check, &now->check, sizeof(now->check)))
		say("%s", line_of_check(now).s);
	if (now->is_rebuilt)
		say("# %s: %.1f %% of %u slots move", text_of_vip(&now->vip).s,
		    100.0 * now->moved / now->slots, now->slots);
}

static void say_services(const struct configuration *running, const struct configuration *wanted)
{
	for_each_service(service, running) {
		if (!config_find(wanted, &service->vip))
			say("service del %s", text_of_vip(&service->vip).s);
	}
	for_each_service(service, wanted) {
		const struct config_service *before = config_find(running, &service->vip);

		if (before)
			say_changed_service(before, service);
		else
			say_new_service(service);
	}
}

static void say_sources(const struct configuration *running, const struct configuration *wanted)
{
	for_each_source(source, running) {
		if (is_source_up(source) &&
		    !is_source_up(source_find(wanted, &source->self.address)))
			say("%s", line_of_source("del", source).s);
	}
	for_each_source(source, wanted) {
		if (is_source_up(source) &&
		    !is_source_up(source_find(running, &source->self.address)))
			say("%s", line_of_source("add", source).s);
	}
}

static void say_denies(const struct configuration *running, const struct configuration *wanted)
{
	unsigned int i = 0, j = 0;

	while (i < running->deny_count || j < wanted->deny_count) {
		int order = compare_listed(running, i, wanted, j);

		if (order < 0)
			say("%s", line_of_deny("del", &running->denies[i].key).s);
		else if (order > 0)
			say("%s", line_of_deny("add", &wanted->denies[j].key).s);
		i += order <= 0;
		j += order >= 0;
	}
}

void report_difference(struct balancer *balancer, const struct request *request,
		       const struct configuration *running, const struct configuration *wanted)
{
	(void)balancer;
	(void)request;
	open_array(NULL);
	for (unsigned int i = 0; i < TIMEOUTS; i++) {
		__u32 seconds = timeout_of(wanted, i);

		if (timeout_of(running, i) != seconds)
			say("%s", line_of_timeout(timeout_names[i], seconds).s);
	}
	if (running->pmtu != wanted->pmtu)
		say("%s", line_of_pmtu(wanted->pmtu).s);
	say_sources(running, wanted);
	say_services(running, wanted);
	say_denies(running, wanted);
	close_level();
}
