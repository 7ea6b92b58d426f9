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

/* The same of the packet's source, if there are denied ones. */
static __always_inline bool is_denied_now(const struct packet *pkt)
{
	const struct config *config = get_config();

	return config && config->flags & CONFIG_DENY && is_denied(pkt->peer[0], pkt->peer[1]);
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

/* What is known of the source of a packet; made if need be, but by a dry run. */
static __always_inline struct source *find_source(__u64 first, __u64 second, __u32 service,
						  bool dry_run)
{
	static const struct source unknown;
	__u64 source[] = { first, second };
	struct source_key key = { .service = service };
	struct source *found;

	if (!is_ipv4(source))
		source[1] = 0;
	__builtin_memcpy(&key.source, source, sizeof(key.source));
	found = bpf_map_lookup_elem(&xlb_sources, &key);
	if (found || dry_run)
		return found;
	bpf_map_update_elem(&xlb_sources, &key, &unknown, BPF_NOEXIST);
	return bpf_map_lookup_elem(&xlb_sources, &key);
}

/* Whether the source may have one flow more: those that the last census has found, and those begun
 * since. A source that it has not found had none. */
static __always_inline bool has_share(struct source *source, __u32 conns, bool dry_run)
{
	struct config *config = get_config();

	if (!config)
		return true;
	/* The census writes its sources, and then its number. */
	if (source->census - config->census > 1) {
		if (dry_run)
			return true;
		source->flows = source->begun = 0;
		source->census = config->census;
	}
	if (source->flows + source->begun >= conns)
		return false;
	if (!dry_run)
		__sync_fetch_and_add(&source->begun, 1);
	return true;
}

/* Whether the service, or the source if the limit is one for each source, may have a new flow; a
 * second's worth may come at once. */
static __always_inline bool flow_conforms(struct limit *limit, struct source *source, bool dry_run)
{
	__u64 *next = &limit->next_flow;

	if (limit->flags & LIMIT_PER_SOURCE) {
		if (!source)
			return true;
		next = &source->next_flow;
	}
	return !limit->flows || conforms(next, limit->flows, limit->flows, dry_run);
}

/*
 * Whether a packet keeps to the limits of its service. A share is taken last, when nothing else is
 * in the way: only a census gives it back. Returns CONTINUE, or the verdict.
 */
GLOBAL int check_limits(__u64 first, __u64 second, __u32 service, __u32 is_new, __u32 dry_run)
{
	struct limit *limit = bpf_map_lookup_elem(&xlb_limits, &service);
	struct source *source = NULL;

	if (!limit)
		return CONTINUE;
	if (limit->pps || (is_new && (limit->conns || limit->flags & LIMIT_PER_SOURCE)))
		source = find_source(first, second, service, dry_run);
	if (source && limit->pps &&
	    !conforms(&source->next_packet, limit->pps, limit->burst ? limit->burst : 1, dry_run))
		return VERDICT_RATE_LIMITED;
	if (!is_new)
		return CONTINUE;
	if (!flow_conforms(limit, source, dry_run))
		return VERDICT_FLOW_LIMITED;
	if (source && limit->conns && !has_share(source, limit->conns, dry_run))
		return VERDICT_FLOW_LIMITED;
	return CONTINUE;
}

#endif
