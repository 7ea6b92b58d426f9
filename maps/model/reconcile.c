// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "kernel/bpf.h"
#include "model/reconcile.h"
#include "model/records.h"

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
