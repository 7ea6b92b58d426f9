// SPDX-License-Identifier: GPL-2.0
/*
 * Numbers and records: who has which, and bringing them in line. A helper may be killed between any
 * two stores: what it did before its commit is thrown away here, what it left to do after is done.
 */
#include <stdlib.h>
#include <string.h>

#include "bpf.h"
#include "commit.h"
#include "counters.h"

#define store(where, value) __atomic_store_n(&(where), value, __ATOMIC_RELEASE)

void mark_used(struct used *used, const struct conf *conf, const struct conf *only)
{
	memset(used, 0, sizeof(*used));
	for (unsigned int i = 0; i < conf->count; i++) {
		const struct conf_service *service = &conf->services[i];

		if (only && !conf_find(only, &service->vip))
			continue;
		used->service[service->number] = true;
		used->vip[service->vip_number] = true;
		if (service->table < MAX_TABLES)
			used->table[service->table] = true;
		for (unsigned int j = 0; j < service->count; j++)
			used->backend[service->backends[j].number] = true;
	}
}

/* The lowest number from 1 to `last` that is free; 0: none. */
static unsigned int take_number(bool *is_used, unsigned int last)
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
static void assign_vip(struct conf *wanted, unsigned int first, unsigned int end, struct used *used)
{
	__u16 number = 0;

	for (unsigned int i = first; i < end; i++) {
		if (wanted->services[i].vip_number)
			number = wanted->services[i].vip_number;
	}
	if (!number)
		number = take_number(used->vip, MAX_SERVICES);
	for (unsigned int i = first; i < end; i++)
		wanted->services[i].vip_number = number;
}

static void assign_vips(struct conf *wanted, struct used *used)
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

enum status assign_numbers(struct conf *wanted, struct used *used)
{
	if (wanted->count > MAX_SERVICES)
		return fail(FAILED, "no room for more than %u services", MAX_SERVICES);
	if (wanted->count)
		assign_vips(wanted, used);
	for (unsigned int i = 0; i < wanted->count; i++) {
		struct conf_service *service = &wanted->services[i];

		if (!service->number)
			service->number = take_number(used->service, MAX_SERVICES);
		for (unsigned int j = 0; j < service->count; j++) {
			struct conf_backend *backend = &service->backends[j];

			backend->is_new = !backend->number;
			if (backend->is_new)
				backend->number = take_number(used->backend, MAX_BACKENDS);
			if (!backend->number)
				return fail(FAILED, "no room for more than %u backends",
					    MAX_BACKENDS);
		}
	}
	return DONE;
}

void write_new_record(struct balancer *balancer, const struct conf_service *service,
		      struct conf_backend *backend)
{
	struct backend *record = &balancer->backends[backend->number];

	zero_backend_stats(balancer, backend->number);
	backend->generation = record->generation;
	record->address = backend->real.address;
	record->port = backend->real.port;
	record->flags = backend->mac_given ? BACKEND_MAC_GIVEN : 0;
	record->drained = 0;
	record->mtu[0] = backend->mtu;
	record->hop[0] = backend->hop;
	store(record->service, service->number);
}

/* The hop that is not in force is written, then it comes in force, in one store. */
void update_record(struct balancer *balancer, const struct conf_service *service,
		   const struct conf_backend *backend)
{
	struct backend *record = &balancer->backends[backend->number];
	int hop = record->flags & BACKEND_HOP ? 1 : 0;
	__u16 flags = record->flags & ~BACKEND_MAC_GIVEN;

	if (backend->mac_given)
		flags |= BACKEND_MAC_GIVEN;
	if (memcmp(&record->hop[hop], &backend->hop, sizeof(backend->hop)) ||
	    record->mtu[hop] != backend->mtu) {
		record->hop[!hop] = backend->hop;
		record->mtu[!hop] = backend->mtu;
		flags ^= BACKEND_HOP;
	}
	if (record->flags != flags)
		store(record->flags, flags);
	if (record->service != service->number)
		store(record->service, service->number);
}

/* What a commit leaves to do: flows end, a drain begins or ends. */
static void sync_records(struct balancer *balancer, const struct conf *conf)
{
	for (unsigned int i = 0; i < conf->count; i++) {
		const struct conf_service *service = &conf->services[i];

		for (unsigned int j = 0; j < service->count; j++) {
			const struct conf_backend *backend = &service->backends[j];
			struct backend *record = &balancer->backends[backend->number];
			bool is_draining = backend->state == STATE_DRAINING;

			if (record->generation != backend->generation)
				store(record->generation, backend->generation);
			if (is_draining != !!record->drained)
				store(record->drained, is_draining ? second_now() : 0);
		}
	}
}

/* The new generation comes first: it ends the flows. Were we killed between the counters, packets
 * would be counted twice, but never be lost. */
static void free_record(struct balancer *balancer, __u32 number)
{
	struct backend *record = &balancer->backends[number];
	__u16 generation = record->generation + 1;

	store(record->generation, generation);
	if (record->service && record->service <= MAX_SERVICES)
		retire_backend_stats(balancer, number, record->service);
	store(record->service, 0);
	memset(record, 0, sizeof(*record));
	store(record->generation, generation);
}

static void free_records(struct balancer *balancer, const struct used *used)
{
	static const struct address zero;

	for (unsigned int i = 1; i <= MAX_BACKENDS; i++) {
		const struct backend *record = &balancer->backends[i];

		if (!used->backend[i] &&
		    (record->service || !same_address(&record->address, &zero)))
			free_record(balancer, i);
	}
}

static void clear_limits(struct balancer *balancer, const struct used *used)
{
	for (unsigned int i = 1; i <= MAX_SERVICES; i++) {
		struct limit *limit = &balancer->limits[i];

		if (!used->service[i] && (limit->pps || limit->flows))
			memset(limit, 0, sizeof(*limit));
	}
}

/* VIPs that have a service in mode nat, by number. */
static void mark_nat(const struct conf *conf, bool *has_nat)
{
	for (unsigned int i = 0; i < conf->count; i++)
		has_nat[conf->services[i].vip_number] |= conf->services[i].mode == MODE_NAT;
}

/* Removes VIPs without services, and marks those that have none in mode nat. */
static void repair_vips(struct balancer *balancer, const struct conf *conf, const struct used *used)
{
	struct address *keys = malloc(MAX_SERVICES * sizeof(*keys)), *previous = NULL;
	bool has_nat[MAX_SERVICES + 1] = { false };
	int map = balancer->map[MAP_VIPS];
	unsigned int count = 0;
	struct vip vip;

	mark_nat(conf, has_nat);
	while (keys && count < MAX_SERVICES && !map_next_key(map, previous, &keys[count]))
		previous = &keys[count++];
	for (unsigned int i = 0; i < count; i++) {
		__u16 flags;

		if (map_lookup(map, &keys[i], &vip))
			continue;
		if (vip.number > MAX_SERVICES || !used->vip[vip.number]) {
			stop_caching(balancer);
			map_delete(map, &keys[i]);
			continue;
		}
		flags = has_nat[vip.number] ? 0 : VIP_STATELESS;
		if (flags == vip.flags)
			continue;
		vip.flags = flags;
		stop_caching(balancer);
		map_update(map, &keys[i], &vip, BPF_EXIST);
	}
	free(keys);
}

static void repair_deny_flag(struct balancer *balancer)
{
	struct deny_key key;

	if (map_next_key(balancer->map[MAP_DENY], NULL, &key))
		__atomic_and_fetch(&balancer->config->flags, ~CONFIG_DENY, __ATOMIC_RELEASE);
	else
		__atomic_or_fetch(&balancer->config->flags, CONFIG_DENY, __ATOMIC_RELEASE);
}

static void repair_limits_flag(struct balancer *balancer)
{
	bool limited = false;

	for (unsigned int i = 1; i <= MAX_SERVICES; i++)
		limited |= balancer->limits[i].pps || balancer->limits[i].flows;
	if (limited)
		__atomic_or_fetch(&balancer->config->flags, CONFIG_LIMITS, __ATOMIC_RELEASE);
	else
		__atomic_and_fetch(&balancer->config->flags, ~CONFIG_LIMITS, __ATOMIC_RELEASE);
}

/* A trace that was killed could not switch it off. */
static void repair_trace_flag(struct balancer *balancer)
{
	if (balancer->config->flags & CONFIG_TRACE && !is_traced(balancer))
		__atomic_and_fetch(&balancer->config->flags, ~CONFIG_TRACE, __ATOMIC_RELEASE);
}

void repair(struct balancer *balancer, const struct conf *conf, const struct used *used)
{
	sync_records(balancer, conf);
	free_records(balancer, used);
	clear_limits(balancer, used);
	repair_vips(balancer, conf, used);
	repair_deny_flag(balancer);
	repair_limits_flag(balancer);
}

void conf_repair(struct balancer *balancer, const struct conf *running, bool is_reader)
{
	struct used used;

	repair_trace_flag(balancer);
	if (is_reader) {
		sync_records(balancer, running);
		return;
	}
	mark_used(&used, running, NULL);
	repair(balancer, running, &used);
	resume_caching(balancer);
}
