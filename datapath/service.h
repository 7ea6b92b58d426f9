/* SPDX-License-Identifier: GPL-2.0 */
/* Stage 2, find the service, and stage 3, admit: deny list and limits. */
#ifndef SERVICE_H
#define SERVICE_H

#include "maps/maps.bpf.h"
#include "packet.h"
#include "xx_hash.h"

#define NS_PER_SECOND 1000000000ULL

/*
 * The hash that picks slots, the same on every balancer (Katran's idea: no secret, no state): XXH32
 * of the peer's address and both ports. Not of the VIP's number, which is not the same everywhere,
 * nor of the protocol: a client that has the same ports in both is rare.
 */
static __always_inline __u32 hash_key(const __u64 peer[2], __u32 ports)
{
	__u32 word[] = { peer[0], peer[0] >> 32, peer[1], peer[1] >> 32 };

	return xxh32_key(word, ports);
}

static __always_inline __u32 hash_tuple(const struct tuple *tuple)
{
	const __u64 *word = (const __u64 *)tuple;

	return hash_key(word, word[2]);
}

#define CACHED_VIPS 256
#define CACHED_SERVICES 2048
#define GOLDEN_RATIO 0x9E3779B97F4A7C15ULL /* 2^64 over the golden ratio: Knuth, volume 3, 6.4 */

/*
 * What this CPU found in xlb_vips and xlb_services last, absence too: a third of the time of a
 * lookup in a kernel hash. See struct config, generation.
 */
struct cached_service {
	__u64 key; /* struct service_key */
	struct service service; /* number 0: there is none */
	__u32 generation;
	__u32 unused;
};

struct cached_vip {
	struct address address;
	struct vip vip; /* number 0: it is none */
	__u32 generation;
	__u64 key; /* of the first of its services to be asked for, and that; most have one */
	struct service service;
	__u32 jiffy; /* in which this CPU has read the clock for a packet to it, in mode nat */
	__u32 tick; /* that it read */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CACHED_VIPS);
	__type(key, __u32);
	__type(value, struct cached_vip);
} xlb_vip_cache SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CACHED_SERVICES);
	__type(key, __u32);
	__type(value, struct cached_service);
} xlb_svc_cache SEC(".maps");

static __always_inline __u32 cache_place(__u64 key, __u32 places)
{
	return (key * GOLDEN_RATIO >> 40) & (places - 1);
}

/* The VIP that the packet is sent to, or one of number 0. */
static __always_inline struct vip find_vip(struct packet *pkt, const struct config *config)
{
	const __u64 *half = (const __u64 *)&pkt->vip;
	__u32 place = cache_place(half[0] ^ half[1], CACHED_VIPS);
	struct cached_vip *cached = bpf_map_lookup_elem(&xlb_vip_cache, &place);
	__u32 generation = READ_ONCE(config->generation);
	struct vip *vip;

	if (!cached)
		return (struct vip){};
	if (!generation || cached->generation != generation ||
	    !same_address(&cached->address, &pkt->vip)) {
		vip = bpf_map_lookup_elem(&xlb_vips, &pkt->vip);
		copy_address(&cached->address, &pkt->vip);
		cached->vip = vip ? *vip : (struct vip){};
		cached->key = 0;
		cached->generation = generation;
	}
	pkt->vip_number = cached->vip.number;
	if (cached->vip.number && !(cached->vip.flags & VIP_STATELESS)) {
		cached->jiffy = bpf_jiffies64();
		cached->tick = pkt->now;
	}
	return cached->vip;
}

/* The service of a key: of its port, or else of any port. */
static __always_inline struct service *look_up_service(struct service_key key)
{
	struct service *service = bpf_map_lookup_elem(&xlb_services, &key);

	if (service)
		return service;
	key.port = ANY_PORT;
	return bpf_map_lookup_elem(&xlb_services, &key);
}

/* The service that the packet is sent to, or NULL. */
static __always_inline struct service *find_service(struct packet *pkt, const struct config *config)
{
	union {
		struct service_key fields;
		__u64 word;
	} key = { .word = pkt->vip_number | (__u64)pkt->tuple.vip_port << 16 |
			  (__u64)pkt->protocol << 32 };
	__u32 place = cache_place(key.word, CACHED_SERVICES);
	struct cached_service *cached = bpf_map_lookup_elem(&xlb_svc_cache, &place);
	__u32 generation = READ_ONCE(config->generation);
	struct service *service;

	if (!cached)
		return NULL;
	if (!generation || cached->generation != generation || cached->key != key.word) {
		service = look_up_service(key.fields);
		cached->key = key.word;
		cached->service = service ? *service : (struct service){};
		cached->generation = generation;
	}
	pkt->service = cached->service.number;
	return pkt->service ? &cached->service : NULL;
}

static __always_inline bool is_denied(const struct packet *pkt)
{
	struct deny_key key = { .length = 128, .prefix = pkt->tuple.peer };

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

/* Whether the source keeps to the service's packets per second. */
static __always_inline bool source_conforms(const struct packet *pkt, const struct limit *limit)
{
	struct source_key key = { .source = pkt->tuple.peer, .service = pkt->service };
	__u64 *next, first;

	if (pkt->ipv6)
		key.source.word[2] = key.source.word[3] = 0;
	next = bpf_map_lookup_elem(&xlb_sources, &key);
	if (next)
		return conforms(next, limit->pps, limit->burst ? limit->burst : 1, pkt->dry_run);
	if (!pkt->dry_run) {
		first = bpf_ktime_get_ns() + NS_PER_SECOND / limit->pps;
		bpf_map_update_elem(&xlb_sources, &key, &first, BPF_NOEXIST);
	}
	return true;
}

static __always_inline struct limit *limit_of(const struct packet *pkt)
{
	__u32 number = pkt->service;

	return bpf_map_lookup_elem(&xlb_limits, &number);
}

/* Whether a client's packet may pass: deny list, limit of its source. Returns as admit_packet. */
GLOBAL int check_source(const struct packet *pkt, __u32 flags)
{
	struct limit *limit;

	if (!pkt)
		return VERDICT_INTERNAL;
	if (flags & CONFIG_DENY && is_denied(pkt))
		return VERDICT_DENIED;
	limit = limit_of(pkt);
	if (limit && limit->pps && !source_conforms(pkt, limit))
		return VERDICT_RATE_LIMITED;
	return VERDICTS;
}

/* Admits a client's packet to its service. Returns VERDICTS to go on, or the verdict. */
static __always_inline enum verdict admit_packet(struct packet *pkt, const struct config *config)
{
	if (!(config->flags & (CONFIG_DENY | CONFIG_LIMITS)))
		return VERDICTS;
	return check_source(pkt, config->flags);
}

/* Admits a new flow to its service; a second's worth may come at once. */
static __always_inline bool admit_flow(const struct packet *pkt, const struct config *config)
{
	struct limit *limit;

	if (!(config->flags & CONFIG_LIMITS))
		return true;
	limit = limit_of(pkt);
	return !limit || !limit->flows ||
	       conforms(&limit->next_flow, limit->flows, limit->flows, pkt->dry_run);
}

#endif
