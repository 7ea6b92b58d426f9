/* SPDX-License-Identifier: GPL-2.0 */
/* Stage 2, find the service, and stage 3, admit: deny list and limits. */
#ifndef SERVICE_H
#define SERVICE_H

#include "maps/maps.bpf.h"
#include "packet.h"
#include "xx_hash.h"

#define NS_PER_SECOND 1000000000ULL

/*
 * The hash that finds flows and picks slots, the same on every balancer (Katran's idea: no secret, no
 * state): XXH32 of the tuple with the VIP's number, which is not the same everywhere, as 0.
 */
static __always_inline __u32 hash_tuple(const struct tuple *tuple)
{
	__u32 ports = (__u32)tuple->vip_port << 16 | tuple->peer_port;

	return xxh32_key(tuple->peer.word, ports, (__u32)tuple->protocol << 16);
}

static __always_inline struct vip *find_vip(struct packet *pkt)
{
	struct vip *vip = bpf_map_lookup_elem(&xlb_vips, &pkt->vip);

	if (vip)
		pkt->tuple.vip = vip->number;
	return vip;
}

/* The service that the packet is sent to: of its port, or else of any port. */
static __always_inline struct service *find_service(struct packet *pkt)
{
	struct service_key key = {
		.vip = pkt->tuple.vip,
		.port = pkt->tuple.vip_port,
		.protocol = pkt->tuple.protocol,
	};
	struct service *service = bpf_map_lookup_elem(&xlb_services, &key);

	if (!service) {
		key.port = ANY_PORT;
		service = bpf_map_lookup_elem(&xlb_services, &key);
	}
	if (service)
		pkt->service = service->number;
	return service;
}

GLOBAL int is_denied(const struct packet *pkt)
{
	struct deny_key key = { .length = 128 };

	if (!pkt)
		return false;
	key.prefix = pkt->tuple.peer;
	return bpf_map_lookup_elem(&xlb_deny, &key) != NULL;
}

/*
 * The generic cell rate algorithm (ITU-T I.371, annex A): *next is when the next packet would come
 * were all evenly spaced, in ns. Shared by all CPUs: the compare-and-swap makes each packet count
 * once; one that loses the race thrice passes, so the error is what that lets through.
 */
static __always_inline bool conforms(__u64 *next, __u32 per_second, __u32 burst, bool dry_run)
{
	__u64 now = bpf_ktime_get_ns();
	__u64 interval = NS_PER_SECOND / (per_second ? per_second : 1);

#pragma unroll
	for (int i = 0; i < 3; i++) {
		__u64 seen = READ_ONCE(*next);
		__u64 from = seen > now ? seen : now;

		if (from - now > interval * burst)
			return false;
		if (dry_run || __sync_val_compare_and_swap(next, seen, from + interval) == seen)
			return true;
	}
	return true;
}

/* Whether the source keeps to the service's packets per second. */
GLOBAL int source_conforms(const struct packet *pkt, const struct limit *limit)
{
	struct source_key key = {};
	__u64 *next, now;

	if (!pkt || !limit)
		return false;
	key.source = pkt->tuple.peer;
	key.service = pkt->service;
	if (pkt->ipv6)
		key.source.word[2] = key.source.word[3] = 0;
	next = bpf_map_lookup_elem(&xlb_sources, &key);
	if (next)
		return conforms(next, limit->pps, limit->burst ? limit->burst - 1 : 0,
				pkt->dry_run);
	if (!pkt->dry_run) {
		now = bpf_ktime_get_ns();
		bpf_map_update_elem(&xlb_sources, &key, &now, BPF_NOEXIST);
	}
	return true;
}

/* Admits a client's packet to its service. Returns VERDICTS to go on, or the verdict. */
static __always_inline enum verdict admit_packet(struct packet *pkt, const struct config *config)
{
	__u32 number = pkt->service;
	struct limit *limit;

	if (config->flags & CONFIG_DENY && is_denied(pkt))
		return VERDICT_DENIED;
	limit = bpf_map_lookup_elem(&xlb_limits, &number);
	if (limit && limit->pps && !source_conforms(pkt, limit))
		return VERDICT_RATE_LIMITED;
	return VERDICTS;
}

/* Admits a new flow to its service; a second's worth may come at once. */
static __always_inline bool admit_flow(const struct packet *pkt)
{
	__u32 number = pkt->service;
	struct limit *limit = bpf_map_lookup_elem(&xlb_limits, &number);

	return !limit || !limit->flows ||
	       conforms(&limit->next_flow, limit->flows, limit->flows, pkt->dry_run);
}

#endif
