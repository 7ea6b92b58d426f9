// SPDX-License-Identifier: GPL-2.0
/*
 * The data path on the host, under libFuzzer and sanitizers. Besides what sequence.c checks, the
 * flow table is whole after every sequence: no lock is held, and no two flows have one server
 * tuple.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balancer.h"
#include "sequence.h"
#include "standin.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct flow *flows[FLOW_BUCKETS * FLOW_WAYS];
static int count;

static void collect(struct flow *flow)
{
	flows[count++] = flow;
}

static void check_flows(void)
{
	struct flow_bucket *buckets = map_memory(MAP_FLOWS);

	for (int i = 0; i < FLOW_BUCKETS; i++)
		if (buckets[i].lock)
			broken("FAIL the lock of bucket %d is held", i);
	count = 0;
	for_each_flow(collect);
	for (int i = 0; i < count; i++)
		for (int j = 0; j < i; j++)
			if (!memcmp(&flows[i]->server, &flows[j]->server, sizeof(struct tuple)))
				broken("FAIL two flows have the same server tuple");
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
