// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/bpf.h"
#include "kernel/store.h"
#include "model/flow_table.h"
#include "model/maglev.h"
#include "model/own.h"
#include "model/pool.h"
#include "model/vips.h"

int load_sources(const struct balancer *balancer, struct configuration *config)
{
	struct vips vips;
	int result = read_vips(balancer, &vips);

	for (__u32 i = 0; i < vips.count && !result; i++) {
		struct config_source *source;

		if (!(vips.vip[i].flags & VIP_POOL))
			continue;
		source = source_insert(config, &vips.address[i]);
		if (!source) {
			result = -ENOMEM;
			break;
		}
		source->number = vips.vip[i].number - POOL_NUMBER(0);
		source->state = vips.vip[i].flags & VIP_DRAINING ? STATE_DRAINING : STATE_UP;
	}
	free_vips(&vips);
	return result;
}

void write_address(struct balancer *balancer, __u16 number, const struct address *address)
{
	const struct address *entry = &balancer->addresses[number];

	if (!same_address(entry, address))
		store_bytes(entry, address, sizeof(*address));
}

static int write_source(struct balancer *balancer, const struct config_source *source)
{
	int map = balancer->map[MAP_VIPS];
	struct vip before = {};
	struct vip vip = {
		.number = POOL_NUMBER(source->number),
		.flags = VIP_POOL | (is_source_up(source) ? 0 : VIP_DRAINING),
	};

	write_address(balancer, vip.number, &source->self.address);
	if (!map_lookup(map, &source->self.address, &before) && !memcmp(&vip, &before, sizeof(vip)))
		return 0;
	stop_caching(balancer);
	know_vip(balancer, &source->self.address);
	return map_update(map, &source->self.address, &vip, BPF_ANY);
}

/* The slots of one family: those that are up share its clients. */
static int write_slots_of(const __u8 *slots, const struct configuration *config, bool ipv4)
{
	struct claim claims[MAX_POOL];
	__u8 number[MAX_POOL + 1] = { 0 }, filled[POOL_SLOTS] = { 0 };
	__u16 claim_of[POOL_SLOTS] = { 0 };
	unsigned int count = 0;
	int result = 0;

	for_each_source(source, config) {
		if (!is_source_up(source) || is_ipv4(&source->self.address) != ipv4)
			continue;
		claims[count] = (struct claim){
			.address = source->self.address,
			.weight = DEFAULT_WEIGHT,
			.eligible = true,
		};
		number[++count] = source->number;
	}
	if (count)
		result = fill_table(claim_of, POOL_SLOTS, claims, count);
	for (unsigned int i = 0; i < POOL_SLOTS; i++)
		filled[i] = number[claim_of[i]];
	if (!result && memcmp(slots, filled, sizeof(filled)))
		store_bytes(slots, filled, sizeof(filled));
	return result;
}

/* Idle flows of a source that goes end: its number may get another address. */
static int delete_source(struct balancer *balancer, const struct address *address)
{
	struct vip vip;

	if (map_lookup(balancer->map[MAP_VIPS], address, &vip) || map_flows(balancer))
		return -ENOENT;
	for (__u32 i = 0; i < FLOWS; i++) {
		const struct flow *flow = &balancer->flows[i];
		__u32 cookie = cookie_of(flow);

		if (flow->source && POOL_NUMBER(flow->source) == vip.number)
			end_flow(balancer, flow, cookie);
	}
	stop_caching(balancer);
	return map_delete(balancer->map[MAP_VIPS], address);
}

static int delete_sources(struct balancer *balancer, const struct configuration *config)
{
	struct vips vips;
	int result = read_vips(balancer, &vips);

	for (__u32 i = 0; i < vips.count && !result; i++) {
		if (vips.vip[i].flags & VIP_POOL && !source_find(config, &vips.address[i]))
			result = delete_source(balancer, &vips.address[i]);
	}
	free_vips(&vips);
	return result;
}

int sync_pool(struct balancer *balancer, const struct configuration *config)
{
	int result = 0;

	for_each_service(service, config)
		if (service->vip_number)
			write_address(balancer, service->vip_number, &service->vip.address);
	for (unsigned int i = 0; i < config->source_count && !result; i++)
		result = write_source(balancer, &config->sources[i]);
	if (!result)
		result = write_slots_of(balancer->pool->ipv4, config, true);
	if (!result)
		result = write_slots_of(balancer->pool->ipv6, config, false);
	return result ? result : delete_sources(balancer, config);
}

static bool is_draining(const struct config_source *source)
{
	return source && source->state == STATE_DRAINING;
}

void release_sources(struct balancer *balancer, const struct configuration *running,
		     struct configuration *wanted)
{
	__u32 *flows = NULL;

	for (unsigned int i = wanted->source_count; i--;) {
		struct config_source *source = &wanted->sources[i];

		if (!is_draining(source) ||
		    !is_draining(source_find(running, &source->self.address)))
			continue;
		if (!flows && !map_flows(balancer)) {
			/* No packet is left that has chosen it before it began to drain. */
			wait_for_programs();
			flows = count_flows_by_source(balancer, true);
		}
		if (flows && !flows[source->number])
			source_remove(wanted, source);
	}
	free(flows);
}
