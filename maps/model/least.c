// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "kernel/store.h"
#include "model/least.h"

#define COUNTED ((__u32)FLOW_COUNTED << STATE_SHIFT)
#define SLACK 8 /* flows that may begin and end while a census counts, besides one in 16 */

/* A list that is too long is empty: then two backends are drawn from the slots. */
static struct least list_backends(const struct config_service *service)
{
	struct least least = { 0 };
	unsigned int count = 0;

	for_each_backend(backend, service) {
		if (!backend->is_eligible)
			continue;
		if (count == LEAST_LISTED)
			return (struct least){ 0 };
		least.backend[count++] = backend->number;
	}
	least.count = count;
	return least;
}

static void write_weights(struct balancer *balancer, const struct config_service *service)
{
	for_each_backend(backend, service) {
		const struct live *live = &balancer->live[backend->number];

		if (live->weight != backend->weight)
			store(live->weight, backend->weight);
	}
}

void sync_least(struct balancer *balancer, const struct configuration *config)
{
	for_each_service(service, config) {
		const struct least *least = &balancer->least[service->number];
		struct least wanted = { 0 };

		if (service->pick == PICK_LEAST) {
			write_weights(balancer, service);
			wanted = list_backends(service);
		}
		if (memcmp(least, &wanted, sizeof(wanted)))
			store_bytes(least, &wanted, sizeof(wanted));
	}
}

void forget_live(struct balancer *balancer, __u16 backend)
{
	const struct live *live = &balancer->live[backend];

	if (live->flows)
		store(live->flows, 0);
}

void uncount_flow(const struct balancer *balancer, const struct flow *flow)
{
	__u32 before;

	if (!(flow->state & FLOW_COUNTED) || flow->backend > MAX_BACKENDS)
		return;
	before = take_bits(word_of_state(flow), COUNTED);
	if (before & COUNTED && balancer->backends[flow->backend].generation == (__u16)before)
		add_to(&balancer->live[flow->backend].flows, -1);
}

void begin_live_count(const struct balancer *balancer, const struct configuration *config,
		      struct live_count *count)
{
	memset(count, 0, sizeof(*count));
	for_each_service(service, config) {
		for (unsigned int j = 0; j < service->count && service->pick == PICK_LEAST; j++)
			count->is_least[service->backends[j].number] = true;
	}
	for (unsigned int i = 1; i <= MAX_BACKENDS; i++)
		count->before[i] = balancer->live[i].flows;
}

void count_live_flow(const struct balancer *balancer, const struct flow *flow,
		     struct live_count *count)
{
	if (!(flow->state & FLOW_NAT) || flow->backend > MAX_BACKENDS ||
	    !count->is_least[flow->backend])
		return;
	if (!(flow->state & FLOW_COUNTED)) {
		if (is_closed(flow->state))
			return;
		set_bits(word_of_state(flow), COUNTED);
		add_to(&balancer->live[flow->backend].flows, 1);
	}
	if (is_closed(flow->state))
		uncount_flow(balancer, flow);
	else
		count->counted[flow->backend]++;
}

void mend_live(const struct balancer *balancer, const struct live_count *count)
{
	for (unsigned int i = 1; i <= MAX_BACKENDS; i++) {
		const struct live *live = &balancer->live[i];
		__s32 now = live->flows, before = count->before[i], counted = count->counted[i];
		__s32 low = now < before ? now : before, high = now < before ? before : now;
		__s32 slack = now == before ? 0 : SLACK + counted / 16;

		if (count->is_least[i] && (counted < low - slack || counted > high + slack))
			add_to(&live->flows, counted - now);
	}
}
