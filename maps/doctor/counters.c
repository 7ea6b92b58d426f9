// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "doctor/counters.h"
#include "doctor/finding.h"
#include "doctor/command_line.h"
#include "model/counters.h"

/* Whether the driver counts by this name what XDP lost by fault, not by verdict. */
static bool is_loss(const char *name)
{
	static const char *const words[] = { "err", "exception", "abort", "full", "tx_drops" };

	if (!strstr(name, "xdp"))
		return false;
	for (unsigned int i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strstr(name, words[i]))
			return true;
	}
	return false;
}

/* Packets that ended with XDP_ABORTED, of all services. */
static __u64 count_internal(const struct balancer *balancer)
{
	struct service_stats stats;
	__u64 sum = 0;

	for (__u32 i = STATS_NO_SERVICE; i <= STATS_RETIRED; i++) {
		if (!read_service_stats(balancer, i, &stats))
			sum += stats.verdict[VERDICT_INTERNAL].packets;
	}
	return sum;
}

void begin_watch(struct exam *exam, const struct balancer *balancer, struct watch *watch)
{
	watch->device_count = ethtool_counters(exam->subject.ethtool, exam->subject.device.name,
					       &watch->device);
	watch->internal = count_internal(balancer);
}

static __u64 value_of(const struct watch *watch, const char *name)
{
	for (int i = 0; i < watch->device_count; i++) {
		if (!strcmp(watch->device[i].name, name))
			return watch->device[i].value;
	}
	return 0;
}

static void report_climb(struct exam *exam, const char *name, __u64 climb)
{
	struct command_line command = with_purpose(path_of("trace-xdp-errors.sh"), SHOWS);

	report(exam, "counters", CERTAIN, &command,
	       "the driver loses packets that the balancer sends; this shows the kernel's error "
	       "number of each",
	       "%s of %s climbs: %llu in a second", name, exam->subject.device.name, climb);
}

void end_watch(struct exam *exam, const struct balancer *balancer, struct watch *watch)
{
	__u64 climb = count_internal(balancer) - watch->internal;
	struct device_counter *now;
	int count = ethtool_counters(exam->subject.ethtool, exam->subject.device.name, &now);

	for (int i = 0; i < count; i++) {
		__u64 before = value_of(watch, now[i].name);

		if (is_loss(now[i].name) && now[i].value > before)
			report_climb(exam, now[i].name, now[i].value - before);
	}
	if (climb)
		report_climb(exam, "xdp_exception (packets counted as 'internal')", climb);
	free(now);
	free(watch->device);
}
