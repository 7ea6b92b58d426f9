// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdio.h>

#include "lib/text.h"
#include "model/fingerprint.h"

#define FNV_BASIS 0xcbf29ce484222325ULL
#define FNV_PRIME 0x100000001b3ULL
#define MAX_LINE 256

struct digests {
	__u64 configuration, live;
};

static __u64 digest(__u64 hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * FNV_PRIME;
	return hash;
}

/* What all balancers are to have alike is part of both digests. */
static void add_line(struct digests *digests, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add_line(struct digests *digests, const char *format, ...)
{
	char line[MAX_LINE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	digests->configuration = digest(digests->configuration, line);
	digests->live = digest(digests->live, line);
}

static void add_state(struct digests *digests, const struct config_backend *backend)
{
	digests->live = digest(digests->live, state_name(backend->state));
	digests->live = digest(digests->live, backend->health == HEALTH_FAILING ? " failing" : "");
	digests->live = digest(digests->live, backend->is_eligible ? " in\n" : " out\n");
}

static void add_service(struct digests *digests, const struct config_service *service)
{
	add_line(digests, "service %s mode %s table %u settle %u hash %s pick %s\n",
		 text_of_vip(&service->vip).s, mode_name(service->mode), service->slots,
		 service->settle, hash_name(service->hash), pick_name(service->pick));
	for_each_backend(backend, service) {
		add_line(digests, "backend %s weight %u%s\n", text_of_real(&backend->real).s,
			 backend->weight, backend->is_backup ? " backup" : "");
		add_state(digests, backend);
	}
}

struct fingerprint fingerprint_of(const struct configuration *config)
{
	struct digests digests = { FNV_BASIS, FNV_BASIS };
	struct fingerprint fingerprint;

	for_each_service(service, config)
		add_service(&digests, service);
	snprintf(fingerprint.configuration, sizeof(fingerprint.configuration), "%0*llx",
		 DIGEST_LENGTH, digests.configuration);
	snprintf(fingerprint.live, sizeof(fingerprint.live), "%0*llx", DIGEST_LENGTH, digests.live);
	return fingerprint;
}
