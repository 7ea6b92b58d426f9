// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "model/numbers.h"

void mark_used(struct used *used, const struct configuration *config,
	       const struct configuration *only)
{
	memset(used, 0, sizeof(*used));
	for_each_source(source, config)
		used->source[source->number] = true;
	for_each_service(service, config) {
		if (only && !config_find(only, &service->vip))
			continue;
		used->service[service->number] = true;
		used->vip[service->vip_number] = true;
		if (service->table < MAX_TABLES)
			used->table[service->table] = true;
		for_each_backend(backend, service)
			used->backend[backend->number] = true;
		used->backend[service->via.number] = true;
	}
}

static const struct config_backend *same_via(const struct config_service *wanted,
					     const struct config_service *running)
{
	return running && has_via(wanted) &&
			       same_address(&wanted->via.real.address, &running->via.real.address) ?
		       &running->via :
		       NULL;
}

static void adopt_sources(struct configuration *wanted, const struct configuration *running)
{
	for_each_source(source, wanted) {
		const struct config_source *before = source_find(running, &source->self.address);

		source->number = before ? before->number : 0;
	}
}

static void adopt_backend(struct config_backend *wanted, const struct config_backend *running)
{
	wanted->number = running ? running->number : 0;
	wanted->generation = running ? running->generation : 0;
	wanted->drained = running ? running->drained : 0;
	wanted->was_eligible = running && running->was_eligible;
}

void adopt_numbers(struct configuration *wanted, const struct configuration *running)
{
	adopt_sources(wanted, running);
	for_each_service(service, wanted) {
		const struct config_service *before = config_find(running, &service->vip);

		service->number = before ? before->number : 0;
		service->vip_number = before ? before->vip_number : 0;
		service->table = before ? before->table : 0;
		service->changed = before ? before->changed : 0;
		service->moving = before && before->moving;
		for_each_backend(backend, service) {
			adopt_backend(backend,
				      before ? backend_find(before, &backend->real) : NULL);
		}
		adopt_backend(&service->via, same_via(service, before));
	}
}

/* The lowest number from 1 to `last` that is free; 0: none. */
static unsigned int lowest_free(bool *is_used, unsigned int last)
{
	for (unsigned int i = 1; i <= last; i++) {
		if (is_used[i])
			continue;
		is_used[i] = true;
		return i;
	}
	return 0;
}

/* Services of one address have one VIP number; they are neighbours, as they are sorted. */
static void assign_vip(struct configuration *wanted, unsigned int first, unsigned int end,
		       struct used *used)
{
	__u16 number = 0;

	for (unsigned int i = first; i < end; i++) {
		if (wanted->services[i].vip_number)
			number = wanted->services[i].vip_number;
	}
	if (!number)
		number = lowest_free(used->vip, MAX_SERVICES);
	for (unsigned int i = first; i < end; i++)
		wanted->services[i].vip_number = number;
}

static void assign_vips(struct configuration *wanted, struct used *used)
{
	unsigned int first = 0;

	for (unsigned int i = 1; i <= wanted->count; i++) {
		if (i < wanted->count && same_address(&wanted->services[i].vip.address,
						      &wanted->services[first].vip.address))
			continue;
		assign_vip(wanted, first, i, used);
		first = i;
	}
}

static enum status assign_sources(struct configuration *wanted, struct used *used)
{
	for_each_source(source, wanted) {
		if (!source->number)
			source->number = lowest_free(used->source, MAX_POOL);
		if (!source->number)
			return fail(FAILED, "no room for more than %u sources", MAX_POOL);
	}
	return DONE;
}

enum status assign_numbers(struct configuration *wanted, struct used *used)
{
	if (wanted->count > MAX_SERVICES)
		return fail(FAILED, "no room for more than %u services", MAX_SERVICES);
	if (wanted->count)
		assign_vips(wanted, used);
	for_each_service(service, wanted) {
		if (!service->number)
			service->number = lowest_free(used->service, MAX_SERVICES);
		for_each_record(backend, service) {
			backend->is_new = !backend->number;
			if (backend->is_new)
				backend->number = lowest_free(used->backend, MAX_BACKENDS);
			if (!backend->number)
				return fail(FAILED, "no room for more than %u backends",
					    MAX_BACKENDS);
		}
	}
	return assign_sources(wanted, used);
}
