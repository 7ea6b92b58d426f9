// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "kernel/bpf.h"
#include "model/reconcile.h"
#include "model/records.h"
#include "model/sweep.h"

static void clear_limits(struct balancer *balancer, const struct used *used)
{
	for (unsigned int i = 1; i <= MAX_SERVICES; i++) {
		struct limit *limit = &balancer->limits[i];

		if (!used->service[i] && (limit->pps || limit->flows))
			memset(limit, 0, sizeof(*limit));
	}
}

/* What each VIP has to say of its services, by number: see struct vip. */
static void describe_vips(const struct conf *conf, struct vip *vips)
{
	bool has_any_port[MAX_SERVICES + 1] = { false };

	for (unsigned int i = 0; i <= MAX_SERVICES; i++)
		vips[i].flags = VIP_STATELESS;
	for (unsigned int i = 0; i < conf->count; i++) {
		const struct conf_service *service = &conf->services[i];
		struct vip *vip = &vips[service->vip_number];

		vip->number = service->vip_number;
		vip->ports |= port_bit(service->vip.port, service->vip.protocol);
		if (service->mode == MODE_NAT)
			vip->flags = 0;
		if (service->vip.port == ANY_PORT)
			has_any_port[service->vip_number] = true;
	}
	for (unsigned int i = 0; i <= MAX_SERVICES; i++)
		if (has_any_port[i])
			vips[i].ports = 0;
}

/* Removes VIPs without services, and brings the others in line with those that they have. */
static void repair_vips(struct balancer *balancer, const struct conf *conf)
{
	struct address *keys = malloc(MAX_SERVICES * sizeof(*keys)), *previous = NULL;
	struct vip vip, wanted[MAX_SERVICES + 1] = { 0 };
	int map = balancer->map[MAP_VIPS];
	unsigned int count = 0;

	describe_vips(conf, wanted);
	while (keys && count < MAX_SERVICES && !map_next_key(map, previous, &keys[count]))
		previous = &keys[count++];
	for (unsigned int i = 0; i < count; i++) {
		if (map_lookup(map, &keys[i], &vip))
			continue;
		if (vip.number > MAX_SERVICES || !wanted[vip.number].number) {
			stop_caching(balancer);
			map_delete(map, &keys[i]);
		} else if (memcmp(&vip, &wanted[vip.number], sizeof(vip))) {
			stop_caching(balancer);
			map_update(map, &keys[i], &wanted[vip.number], BPF_EXIST);
		}
	}
	free(keys);
}

/* A limit that was set or deleted is in force, or not, with the flag of its service. */
static void repair_service_flags(struct balancer *balancer, const struct conf *conf)
{
	int map = balancer->map[MAP_SERVICES];

	for (unsigned int i = 0; i < conf->count; i++) {
		struct service_key key;
		struct service entry;
		__u16 limited = service_flags(&conf->services[i]) & SERVICE_LIMITED;

		service_key(&conf->services[i], &key);
		if (map_lookup(map, &key, &entry) || entry.number != conf->services[i].number ||
		    (entry.flags & SERVICE_LIMITED) == limited)
			continue;
		entry.flags ^= SERVICE_LIMITED;
		stop_caching(balancer);
		map_update(map, &key, &entry, BPF_EXIST);
	}
}

static void repair_deny_flag(struct balancer *balancer)
{
	struct deny_key key;

	if (map_next_key(balancer->map[MAP_DENY], NULL, &key))
		__atomic_and_fetch(&balancer->config->flags, ~CONFIG_DENY, __ATOMIC_RELEASE);
	else
		__atomic_or_fetch(&balancer->config->flags, CONFIG_DENY, __ATOMIC_RELEASE);
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
	repair_service_flags(balancer, conf);
	repair_vips(balancer, conf);
	repair_deny_flag(balancer);
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
	sweep_flows(balancer, running);
}
