/* SPDX-License-Identifier: GPL-2.0 */
/* Stage 3, admit: deny list and limits. */
#ifndef ADMIT_H
#define ADMIT_H

#include "hash.h"

#define NS_PER_SECOND 1000000000ULL

static __always_inline bool is_denied(__u64 first, __u64 second)
{
	__u64 source[] = { first, second };
	struct deny_key key = { .length = 128 };

	__builtin_memcpy(&key.prefix, source, sizeof(key.prefix));
	return bpf_map_lookup_elem(&xlb_deny, &key);
}

/*
 * The generic cell rate algorithm (ITU-T I.371, annex A): *next is when the next packet would come
 * were all evenly spaced, in ns; `burst` packets, 1 or more, may come at once. Shared by all CPUs:
 * the compare-and-swap makes each packet count once; one that loses the race thrice passes, so the
 * error is what that lets through.
 */
static __always_inline bool conforms(__u64 *next, __u32 per_second, __u32 burst, bool dry_run)
{
	__u64 now = bpf_ktime_get_ns();
	__u64 interval = NS_PER_SECOND / (per_second ? per_second : 1);

#pragma unroll
	for (int i = 0; i < 3; i++) {
		__u64 seen = READ_ONCE(*next);
		__u64 from = seen > now ? seen : now;

		if (from - now > interval * (burst - 1))
			return false;
		if (dry_run || __sync_val_compare_and_swap(next, seen, from + interval) == seen)
			return true;
	}
	return true;
}

/* Whether a source keeps to the service's packets per second. An IPv6 source is its /64. */
GLOBAL int source_conforms(__u64 first, __u64 second, __u32 service, __u32 dry_run)
{
	struct limit *limit = bpf_map_lookup_elem(&xlb_limits, &service);
	__u64 source[] = { first, second };
	struct source_key key = { .service = service };
	__u64 *next, start;

	if (!limit || !limit->pps)
		return true;
	if (!is_ipv4(source))
		source[1] = 0;
	__builtin_memcpy(&key.source, source, sizeof(key.source));
	next = bpf_map_lookup_elem(&xlb_sources, &key);
	if (next)
		return conforms(next, limit->pps, limit->burst ? limit->burst : 1, dry_run);
	if (!dry_run) {
		start = bpf_ktime_get_ns() + NS_PER_SECOND / limit->pps;
		bpf_map_update_elem(&xlb_sources, &key, &start, BPF_NOEXIST);
	}
	return true;
}

/* Whether a service may get a new flow; a second's worth may come at once. */
GLOBAL int flow_conforms(__u32 service, __u32 dry_run)
{
	struct limit *limit = bpf_map_lookup_elem(&xlb_limits, &service);

	return !limit || !limit->flows ||
	       conforms(&limit->next_flow, limit->flows, limit->flows, dry_run);
}

#endif
