// SPDX-License-Identifier: GPL-2.0
/*
 * fill WORD=VALUE...
 *
 * Begins flows in a balancer until one is refused for want of room, and prints a line of JSON: how
 * many it had taken by then. In mode nat by SYN, SYN-ACK and ACK, until the balancer counts one as
 * table-full. In the others by SYN and ACK, while the slots are in transition, so that each flow has
 * to be remembered: until fewer are known than have begun. See setup.h for the words.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "counters.h"
#include "kernel.h"
#include "setup.h"
#include "timing.h"

#define BATCH 8192
#define ROOM 524288 /* flows that the table has room for */
#define FEW (BATCH / 256) /* of a batch: flows of the slots that do not move, and some more */

static unsigned long long known_flows(void)
{
	unsigned long long flows;
	char command[1024];
	FILE *output;
	int read;

	snprintf(command, sizeof(command), "%s -j flow count | jq .flows", setup.helper);
	output = popen(command, "r");
	if (!output)
		die("%s", command);
	read = fscanf(output, "%llu", &flows);
	errno = 0;
	if (pclose(output) || read != 1)
		die("no number from: %s", command);
	return flows;
}

/* Flows that had begun when the first was refused. */
static uint32_t fill_nat(int program)
{
	uint32_t flows = 0, failures = 0;

	while (flows < ROOM && !failures) {
		failures = open_flows(program, flows, BATCH);
		flows += BATCH;
	}
	errno = 0;
	if (failures && !read_counters(setup.helper, "table-full").reason)
		die("flow %u was refused, but not for want of room", bench->first_failed);
	return failures ? bench->first_failed : ROOM;
}

static void begin_batch(int program, uint32_t first)
{
	static const uint8_t flags[] = { TCP_SYN, TCP_ACK };

	for (int i = 0; i < 2; i++) {
		start_packets(flags[i], 0, 0);
		visit_range(first, BATCH);
		send_packets(program, BATCH);
	}
}

/* Flows that were known before the first batch of which a part is missing; of each batch, a few are of
 * slots that do not move. */
static uint32_t fill_moving(int program)
{
	unsigned long long known = known_flows(), before;
	uint32_t flows = 0;

	do {
		before = known;
		begin_batch(program, flows);
		flows += BATCH;
		known = known_flows();
	} while (known < ROOM && known - before >= BATCH - FEW);
	return before;
}

int main(int argc, char **argv)
{
	int program;
	uint32_t flows;

	parse_setup(argc, argv);
	open_fronts(setup.pins);
	program = open_program(atoi(setup.program));
	flows = is_nat ? fill_nat(program) : fill_moving(program);
	printf("{\"part\":\"room\",\"mode\":\"%s\",\"flows\":%u,\"of\":%d}\n", setup.mode, flows,
	       ROOM);
	return 0;
}
