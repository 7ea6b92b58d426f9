// SPDX-License-Identifier: GPL-2.0
/*
 * The data path on the host, under libFuzzer and sanitizers. Besides what sequence.c checks, the
 * flow table is whole after every sequence: no lock is held, and no two flows own one port.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balancer.h"
#include "sequence.h"
#include "standin.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct flow *flows[FLOWS];
static int count;

static void collect(struct flow *flow)
{
	flows[count++] = flow;
}

/* Whether the backends see the same client. */
static bool have_one_source(const struct flow *a, const struct flow *b)
{
	return a->source == b->source && (a->source || a->client.vip == b->client.vip);
}

static bool is_living(const struct flow *flow)
{
	const struct backend *backends = map_memory(MAP_BACKENDS);

	return backends[flow->backend].generation == flow->generation &&
	       !is_past(tick_now(), flow->seen, idle_timeout(config(), flow));
}

/* Whether packets of a backend could be of either flow; or of a client, if they are remembered: of
 * these a dead one may lie in another bucket than the one that lives. */
static bool own_one_port(const struct flow *a, const struct flow *b)
{
	const struct backend *backends = map_memory(MAP_BACKENDS);

	if ((a->state ^ b->state) & FLOW_NAT)
		return false;
	if (!(a->state & FLOW_NAT))
		return is_living(a) && is_living(b) &&
		       !memcmp(&a->client, &b->client, sizeof(a->client));
	return a->port == b->port && a->backend == b->backend && a->generation == b->generation &&
	       have_one_source(a, b) && a->client.protocol == b->client.protocol &&
	       (backends[a->backend].port || a->client.vip_port == b->client.vip_port);
}

static void check_flows(void)
{
	struct flow_bucket *buckets = map_memory(MAP_BUCKETS);

	for (int i = 0; i < FLOW_BUCKETS; i++)
		if (buckets[i].half[0].lock)
			broken("FAIL the lock of bucket %d is held", i);
	count = 0;
	for_each_flow(collect);
	for (int i = 0; i < count; i++)
		for (int j = 0; j < i; j++)
			if (own_one_port(flows[i], flows[j]))
				broken("FAIL two flows own one port");
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	open_kernel(*argc, *argv);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	standin_seed(1); /* so that what is found can be found again */
	set_up_world();
	play(bytes, size);
	check_flows();
	check_counters();
	return 0;
}
