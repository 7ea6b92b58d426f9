// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "kernel/bpf.h"
#include "kernel/store.h"
#include "model/answers.h"
#include "model/least.h"
#include "model/pool.h"
#include "model/reconcile.h"
#include "model/own.h"
#include "model/records.h"
#include "model/sweep.h"
#include "model/vips.h"

static void clear_limits(struct balancer *balancer, const struct used *used)
{
	static const struct limit zero;

	for (unsigned int i = 1; i <= MAX_SERVICES; i++) {
		const struct limit *limit = &balancer->limits[i];

		if (!used->service[i] && memcmp(limit, &zero, sizeof(zero)))
			store_bytes(limit, &zero, sizeof(zero));
	}
}

static void clear_checks(struct balancer *balancer, const struct used *used)
{
	static const struct check zero;

	for (unsigned int i = 1; i <= MAX_SERVICES; i++) {
		const struct check *check = &balancer->checks[i];

		if (!used->service[i] && memcmp(check, &zero, sizeof(zero)))
			store_bytes(check, &zero, sizeof(zero));
	}
}

struct wanted_vip {
	const struct address *address;
	struct vip vip;
};

/* What each VIP has to say of its services, by number: see struct vip. */
static void describe_vips(const struct configuration *config, struct wanted_vip *vips)
{
	bool has_any_port[MAX_SERVICES + 1] = { false };

	for (unsigned int i = 0; i <= MAX_SERVICES; i++)
		vips[i].vip.flags = VIP_STATELESS;
	for_each_service(service, config) {
		struct vip *vip = &vips[service->vip_number].vip;

		vips[service->vip_number].address = &service->vip.address;
		vip->number = service->vip_number;
		vip->ports |= port_bit(service->vip.port, service->vip.protocol);
		if (service->mode == MODE_NAT)
			vip->flags = 0;
		if (service->vip.port == ANY_PORT)
			has_any_port[service->vip_number] = true;
	}
	for (unsigned int i = 0; i <= MAX_SERVICES; i++)
		if (has_any_port[i])
			vips[i].vip.ports = 0;
}

/* Removes the VIP if it has no services, else brings it in line with those that it has. */
static void reconcile_vip(struct balancer *balancer, const struct address *address,
			  const struct vip *vip, const struct wanted_vip *vips)
{
	const struct wanted_vip *wanted = &vips[vip->number <= MAX_SERVICES ? vip->number : 0];
	int map = balancer->map[MAP_VIPS];

	if (vip->flags & VIP_POOL)
		return;
	if (!wanted->address || !same_address(wanted->address, address)) {
		stop_caching(balancer);
		map_delete(map, address);
	} else if (memcmp(vip, &wanted->vip, sizeof(*vip))) {
		stop_caching(balancer);
		map_update(map, address, &wanted->vip, BPF_EXIST);
	}
}

static void reconcile_vips(struct balancer *balancer, const struct configuration *config)
{
	struct wanted_vip *wanted = calloc(MAX_SERVICES + 1, sizeof(*wanted));
	struct vips vips;

	if (!read_vips(balancer, &vips) && wanted) {
		describe_vips(config, wanted);
		for (__u32 i = 0; i < vips.count; i++)
			reconcile_vip(balancer, &vips.address[i], &vips.vip[i], wanted);
	}
	free_vips(&vips);
	free(wanted);
}

/* A limit that was set or deleted is in force, or not, with the flag of its service. */
static void reconcile_service_flags(struct balancer *balancer, const struct configuration *config)
{
	struct service_key *keys = calloc(MAX_SERVICES, sizeof(*keys));
	struct service *entries = calloc(MAX_SERVICES, sizeof(*entries));
	__u16 *limited = calloc(MAX_SERVICES + 1, sizeof(*limited)); /* by number */
	__u32 count = MAX_SERVICES;
	int map = balancer->map[MAP_SERVICES];

	if (!keys || !entries || !limited || map_read_all(map, keys, entries, &count))
		count = 0;
	for (unsigned int i = 0; i < config->count && count; i++) {
		const struct config_service *service = &config->services[i];

		limited[service->number] = service_flags(service) & SERVICE_LIMITED;
	}
	for (__u32 i = 0; i < count; i++) {
		if (entries[i].number > MAX_SERVICES ||
		    (entries[i].flags & SERVICE_LIMITED) == limited[entries[i].number])
			continue;
		entries[i].flags ^= SERVICE_LIMITED;
		stop_caching(balancer);
		map_update(map, &keys[i], &entries[i], BPF_EXIST);
	}
	free(keys);
	free(entries);
	free(limited);
}

static void reconcile_deny_flag(struct balancer *balancer)
{
	bool is_set = balancer->config->flags & CONFIG_DENY;
	struct deny_key key;
	bool is_empty = map_next_key(balancer->map[MAP_DENY], NULL, &key);

	if (is_set && is_empty)
		clear_bits(&balancer->config->flags, CONFIG_DENY);
	if (!is_set && !is_empty)
		set_bits(&balancer->config->flags, CONFIG_DENY);
}

/* A trace that was killed could not switch it off. */
static void reconcile_trace_flag(struct balancer *balancer)
{
	if (balancer->config->flags & CONFIG_TRACE && !is_traced(balancer))
		clear_bits(&balancer->config->flags, CONFIG_TRACE);
}

void bring_in_line(struct balancer *balancer, const struct configuration *config,
		   const struct used *used)
{
	sync_records(balancer, config);
	free_records(balancer, used);
	clear_limits(balancer, used);
	clear_checks(balancer, used);
	reconcile_service_flags(balancer, config);
	reconcile_vips(balancer, config);
	reconcile_answers(balancer, config);
	sync_pool(balancer, config);
	sync_least(balancer, config);
	reconcile_deny_flag(balancer);
	sync_own(balancer, config);
}

void reconcile(struct balancer *balancer, const struct configuration *running, bool is_reader)
{
	struct used used;

	reconcile_trace_flag(balancer);
	if (is_reader) {
		sync_records(balancer, running);
		return;
	}
	mark_used(&used, running, NULL);
	bring_in_line(balancer, running, &used);
	resume_caching(balancer);
	sweep_flows(balancer, running);
}
