// SPDX-License-Identifier: GPL-2.0
/* See counters.h. */
#include <errno.h>
#include <stdio.h>

#include "counters.h"
#include "kernel.h"

#define FILTER                                                                                     \
	"[([.verdicts[] | select(.reason == \"%s\").packets] | add // 0), "                        \
	"([.verdicts[].packets] | add // 0), ([.slow[]?.packets] | add // 0)] | @tsv"

struct counters read_counters(const char *helper, const char *reason)
{
	struct counters counters = {};
	char command[1024];
	FILE *output;
	int read;

	snprintf(command, sizeof(command), "%s -j stats | jq -r '" FILTER "'", helper, reason);
	output = popen(command, "r");
	if (!output)
		die("%s", command);
	read = fscanf(output, "%llu %llu %llu", &counters.reason, &counters.all, &counters.slow);
	errno = 0;
	if (pclose(output) || read != 3)
		die("no counters from: %s", command);
	return counters;
}
