// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "cmd/config_line.h"
#include "lib/text.h"

__u32 said_settle(const struct config_service *service)
{
	if (!service->settle)
		return DEFAULT_SETTLE;
	return service->settle == SETTLE_UNLIMITED ? 0 : service->settle;
}

struct line line_of_service(const struct config_service *service)
{
	struct line line;
	char settle[24] = "", via[96] = "";

	if (service->settle)
		snprintf(settle, sizeof(settle), " settle %u", said_settle(service));
	if (has_via(service))
		snprintf(via, sizeof(via), " via %s",
			 text_of_address(&service->via.real.address).s);
	snprintf(line.s, sizeof(line.s), "service add %s mode %s%s table %u%s hash %s%s",
		 text_of_vip(&service->vip).s, mode_name(service->mode), via, service->slots,
		 settle, hash_name(service->hash),
		 service->pick == PICK_LEAST ? " pick least" : "");
	return line;
}

struct line line_of_verb(const char *verb, const struct config_service *service,
			 const struct config_backend *backend)
{
	struct line line;

	snprintf(line.s, sizeof(line.s), "backend %s %s %s", verb, text_of_vip(&service->vip).s,
		 text_of_real(&backend->real).s);
	return line;
}

struct line line_of_backend(const struct config_service *service,
			    const struct config_backend *backend)
{
	struct line line = line_of_verb("add", service, backend);
	size_t length = strlen(line.s);

	snprintf(line.s + length, sizeof(line.s) - length, " weight %u%s%s%s", backend->weight,
		 backend->mac_given ? " mac " : "",
		 backend->mac_given ? text_of_mac(backend->hop.mac).s : "",
		 backend->is_backup ? " backup" : "");
	return line;
}

struct line line_of_state(const struct config_service *service,
			  const struct config_backend *backend)
{
	static const char *const verbs[] = { "up", "drain", "down" };

	return line_of_verb(verbs[backend->state], service, backend);
}

struct line line_of_limit(const struct config_service *service)
{
	const struct limit *limit = &service->limit;
	char pps[48] = "", flows[40] = "", conns[24] = "";
	struct line line;

	if (limit->pps)
		snprintf(pps, sizeof(pps), " pps %u burst %u", limit->pps,
			 limit->burst ? limit->burst : 1);
	if (limit->flows)
		snprintf(flows, sizeof(flows), " flows %u%s", limit->flows,
			 limit->flags & LIMIT_PER_SOURCE ? " per-source" : "");
	if (limit->conns)
		snprintf(conns, sizeof(conns), " conns %u", limit->conns);
	snprintf(line.s, sizeof(line.s), "limit set %s%s%s%s", text_of_vip(&service->vip).s, pps,
		 flows, conns);
	return line;
}

struct line line_of_pmtu(__u32 pmtu)
{
	struct line line;

	snprintf(line.s, sizeof(line.s), "limit pmtu %u", pmtu);
	return line;
}

/* What not every check has. */
static void add_check_options(struct line *line, const struct check *check)
{
	size_t length = strlen(line->s);

	if (*check->host)
		length += snprintf(line->s + length, sizeof(line->s) - length, " host %s",
				   check->host);
	if (check->status)
		length += snprintf(line->s + length, sizeof(line->s) - length, " status %u",
				   check->status);
	if (check->port)
		length += snprintf(line->s + length, sizeof(line->s) - length, " port %u",
				   ntohs(check->port));
	if (check->panic)
		snprintf(line->s + length, sizeof(line->s) - length, " panic %u", check->panic);
}

struct line line_of_check(const struct config_service *service)
{
	const struct check *check = &service->check;
	struct line line;

	snprintf(line.s, sizeof(line.s),
		 "check set %s %s%s%s interval %s timeout %s rise %u fall %u on-fail %s",
		 text_of_vip(&service->vip).s, check_type_name(check->type),
		 *check->word ? " " : "", check->word, text_of_seconds(check->interval).s,
		 text_of_seconds(check->timeout).s, check->rise, check->fall,
		 check->ends_flows ? "down" : "drain");
	add_check_options(&line, check);
	return line;
}

struct line line_of_source(const char *verb, const struct config_source *source)
{
	struct line line;

	snprintf(line.s, sizeof(line.s), "source %s %s", verb,
		 text_of_address(&source->self.address).s);
	return line;
}

struct line line_of_timeout(const char *name, __u32 seconds)
{
	struct line line;

	snprintf(line.s, sizeof(line.s), "timeout set %s %u", name, seconds);
	return line;
}

struct line line_of_deny(const char *verb, const struct deny_key *key)
{
	struct line line;

	snprintf(line.s, sizeof(line.s), "deny %s %s", verb, text_of_prefix(key).s);
	return line;
}
