/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stage 4, the flow table: find flows, follow their state, end them. The layout and who may
 * write what is in maps/xdp_lb.h. Why not a kernel hash: one entry for both directions of a flow,
 * eviction by what a flow is worth and not by age alone, and a third of the memory touched.
 *
 * Readers take no lock. They read `life` before the record and again when the packet is rewritten
 * (flow_gone); a writer stores 0 to it first. Stores and loads stay in order on x86; the program is
 * built and tested for no other.
 */
#ifndef FLOW_H
#define FLOW_H

#include "service.h"

#define HANDSHAKE_WINDOW 65536 /* how far the client's first ACK may be past the backend's ISN */

static __always_inline bool same_tuple(const struct tuple *a, const struct tuple *b)
{
	const __u64 *x = (const __u64 *)a;
	const __u64 *y = (const __u64 *)b;

	return x[2] == y[2] && x[1] == y[1] && x[0] == y[0];
}

/*
 * The hash that finds flows. Not the one that picks slots, which all balancers must agree on: this
 * one waits for two multiplications instead of six, and the packet's way for it. Multiplications
 * and a fold, twice, in the manner of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom
 * number generators, 2014). IPv4 tuples all differ until the last fold.
 */
#define PORTS_FACTOR 0xC2B2AE3D27D4EB4FULL /* odd, its bits mixed; so is the next */
#define LAST_FACTOR 0xD6E8FEB86659FD93ULL
static __always_inline __u32 flow_hash(const __u64 peer[2], __u32 ports)
{
	__u64 hash = peer[1] + peer[0] * GOLDEN_RATIO + ports * PORTS_FACTOR;

	hash = (hash ^ hash >> 32) * LAST_FACTOR;
	return hash ^ hash >> 32;
}

static __always_inline __u32 flow_hash_of(const struct tuple *tuple)
{
	const __u64 *word = (const __u64 *)tuple;

	return flow_hash(word, word[2]);
}

static __always_inline void hash_packet(struct packet *pkt)
{
	pkt->hash = hash_tuple(&pkt->tuple);
	pkt->flow_hash = flow_hash_of(&pkt->tuple);
}

static __always_inline struct backend *backend_at(__u32 number)
{
	return bpf_map_lookup_elem(&xlb_backends, &number);
}

static __always_inline __u32 bucket_of(__u32 hash)
{
	return hash >> FLOW_WAY_BITS & (FLOW_BUCKETS - 1);
}

static __always_inline struct flow_bucket *bucket_at(__u32 hash)
{
	__u32 number = bucket_of(hash);

	return bpf_map_lookup_elem(&xlb_buckets, &number);
}

/*
 * Where a search of a bucket starts: another place for each hash, so that the first look hits. Its
 * low bits are those of the hash, so that they lead to the record of the first way (see flow_at).
 */
static __always_inline __u32 first_place(__u32 hash)
{
	__u32 place = (hash & (FLOW_WAYS - 1)) | hash >> (32 - FLOW_WAY_BITS) << FLOW_WAY_BITS;

	/* Else clang leaves out a mask, as it knows how large an OR may be. Linux 6.1 does not. */
	keep_order(place);
	return place;
}

static __always_inline bool is_closed(const struct flow *flow)
{
	__u8 both = FLOW_CLIENT_FIN | FLOW_BACKEND_FIN;

	return flow->state & FLOW_RESET || (flow->state & both) == both;
}

/* Seconds that the flow may be idle. */
static __always_inline __u32 idle_timeout(const struct config *config, const struct flow *flow)
{
	if (flow->client.protocol == IPPROTO_UDP)
		return config->udp_timeout ? config->udp_timeout : DEFAULT_UDP_TIMEOUT;
	if (flow->state & (FLOW_CLIENT_FIN | FLOW_BACKEND_FIN | FLOW_RESET))
		return config->fin_timeout ? config->fin_timeout : DEFAULT_FIN_TIMEOUT;
	if (flow->state & FLOW_ESTABLISHED)
		return config->tcp_timeout ? config->tcp_timeout : DEFAULT_TCP_TIMEOUT;
	return HALF_OPEN_TIMEOUT;
}

/* Whether more than `seconds` lie between the ticks; `then` may be a little in the future, as
 * another CPU saw it. */
static __always_inline bool is_past(__u32 now, __u32 then, __u32 seconds)
{
	return (__s32)(now - then) > (__s32)(seconds * TICKS_PER_SECOND);
}

/* Whether the flow lives: its backend has not ended it, and it has not been idle for too long. */
static __always_inline bool is_alive(const struct config *config, const struct flow *flow,
				     __u32 now)
{
	struct backend *backend = backend_at(flow->backend);

	return backend && backend->generation == flow->generation &&
	       !is_past(now, flow->seen, idle_timeout(config, flow));
}

static __always_inline void end_flow(struct flow *flow)
{
	WRITE_ONCE(flow->life, 0);
}

/* A pointer: see struct flow_bucket. */
static __always_inline __u32 make_pointer(__u32 hash, __u32 index)
{
	return (hash | 1U << 31) >> FLOW_INDEX_BITS << FLOW_INDEX_BITS | index;
}

static __always_inline bool is_pointer_of(__u32 pointer, __u32 hash)
{
	return (pointer ^ (hash | 1U << 31)) >> FLOW_INDEX_BITS == 0;
}

/*
 * Pointers of flows whose clients were heard lately, two to a word, the newer one in the low half;
 * the hash of the client's tuple leads to it. The buckets are more than a processor's cache holds,
 * and a record has to wait for the pointer that leads to it: here most have it at once. Only
 * established flows are let in, so that a flood of SYNs does not push them out. A flow that is not
 * in is found by its bucket.
 */
#ifndef CACHED_POINTERS
#define CACHED_POINTERS (1 << 16) /* words: 512 KB, half of a second-level cache */
#endif

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CACHED_POINTERS);
	__type(key, __u32);
	__type(value, __u64);
} xlb_flow_cache SEC(".maps");

static __always_inline __u64 *cached_pointers(__u32 hash)
{
	__u32 place = hash & (CACHED_POINTERS - 1);

	return bpf_map_lookup_elem(&xlb_flow_cache, &place);
}

/* Lets the pointer of a flow into the cache, in place of the older one of its word. */
static __always_inline void cache_pointer(__u32 hash, __u32 pointer)
{
	__u64 *cached = cached_pointers(hash);
	__u64 word;

	if (!cached)
		return;
	word = READ_ONCE(*cached);
	if ((__u32)word != pointer && word >> 32 != pointer)
		WRITE_ONCE(*cached, word << 32 | pointer);
}

static __always_inline __u32 *pointer_at(struct flow_bucket *bucket, __u32 place)
{
	return &bucket->half[place & 1].pointer[place / 2 & (FLOW_POINTERS / 2 - 1)];
}

static __always_inline __u32 *tag_at(struct flow_bucket *bucket, __u32 way)
{
	return &bucket->half[way & 1].tag[way / 2 & (FLOW_WAYS / 2 - 1)];
}

/* The record that a pointer, or an index alone, leads to. */
static __always_inline struct flow *flow_at(__u32 pointer)
{
	__u32 index = pointer & (FLOWS - 1);

	return bpf_map_lookup_elem(&xlb_flows, &index);
}

/* Index of the record of a way in the bucket that the hash leads to. */
static __always_inline __u32 index_of(__u32 hash, __u32 way)
{
	return bucket_of(hash) << FLOW_WAY_BITS | (way & (FLOW_WAYS - 1));
}

/* The backend's ports as a word of its packets' tuple: its own, and the one that it sends to. */
static __always_inline __u32 backend_ports(const struct backend *backend, const struct flow *flow)
{
	__be16 own = backend->port ? backend->port : flow->client.vip_port;

	return own | (__u32)flow->port << 16;
}

/*
 * Whether packets of the flow's backend carry `tuple`, in mode nat; in the others a flow has no
 * other than its client's.
 */
static __always_inline bool is_backend_tuple(const struct flow *flow, const struct tuple *tuple)
{
	const __u64 last = ((const __u64 *)tuple)[2];
	const __u64 client = ((const __u64 *)&flow->client)[2];
	struct backend *backend;

	if (!(flow->state & FLOW_NAT))
		return same_tuple(&flow->client, tuple);
	backend = backend_at(flow->backend);
	return backend && backend->generation == flow->generation &&
	       (__u32)last == backend_ports(backend, flow) && last >> 32 == client >> 32 &&
	       same_address(&backend->address, &tuple->peer);
}

/* Where a flow was found: its index, and whether by its backend's tuple. */
#define NOWHERE 0U
#define FOUND_HERE 1U
#define FOUND_BACKEND 2U
#define FOUND_SHIFT 2

/* Looks at one place of the bucket: at its pointer for the flow whose client sends `tuple`, and at
 * its way for the flow whose backend does. Returns where it was found. */
static __always_inline __u32 look_at(struct flow_bucket *bucket, __u32 place,
				     const struct tuple *tuple, __u32 hash)
{
	__u32 pointer = *pointer_at(bucket, place);
	__u32 index = index_of(hash, place);
	struct flow *flow;

	if (is_pointer_of(pointer, hash)) {
		flow = flow_at(pointer);
		if (flow && same_tuple(&flow->client, tuple))
			return (pointer & (FLOWS - 1)) << FOUND_SHIFT | FOUND_HERE;
	}
	if (*tag_at(bucket, place) == hash) {
		flow = flow_at(index);
		if (flow && is_backend_tuple(flow, tuple))
			return index << FOUND_SHIFT | FOUND_BACKEND | FOUND_HERE;
	}
	return NOWHERE;
}

/* Looks at the whole bucket. */
GLOBAL __u32 look_everywhere(const struct tuple *tuple, __u32 hash)
{
	struct flow_bucket *bucket = bucket_at(hash);
	__u32 where = NOWHERE;

	if (!tuple || !bucket)
		return NOWHERE;
	for (__u32 i = 0; i < FLOW_POINTERS && !where; i++)
		where = look_at(bucket, first_place(hash) + i, tuple, hash);
	return where;
}

struct found {
	struct flow *flow; /* or NULL */
	__u32 index;
	__u32 life;
	bool from_backend;
};

/* Finds the living flow that has `tuple` in one of its directions. */
static __always_inline struct found find_flow(const struct config *config,
					      const struct tuple *tuple, __u32 hash, __u32 now)
{
	struct flow_bucket *bucket = bucket_at(hash);
	struct found found = {};
	struct flow *flow;
	__u32 where;

	if (!bucket)
		return found;
	where = look_at(bucket, first_place(hash), tuple, hash);
	if (!where)
		where = look_everywhere(tuple, hash);
	if (!where)
		return found;
	found.index = where >> FOUND_SHIFT;
	flow = flow_at(found.index);
	if (!flow)
		return found;
	found.life = READ_ONCE(flow->life);
	barrier();
	if (!found.life || !is_alive(config, flow, now))
		return found;
	if (where & FOUND_BACKEND ? !is_backend_tuple(flow, tuple) :
				    !same_tuple(&flow->client, tuple))
		return found;
	found.from_backend = where & FOUND_BACKEND;
	found.flow = flow;
	return found;
}

/* Whether the record was taken away while the packet was rewritten by it. */
static __always_inline bool flow_gone(const struct found *found)
{
	barrier();
	return READ_ONCE(found->flow->life) != found->life;
}

/* The flow of a TCP packet from the backend moves on. */
static __always_inline __u8 next_state_by_backend(struct flow *flow, const struct tcphdr *tcp,
						  __u8 state, __u8 flags)
{
	if (flags & TCP_SYN && flags & TCP_ACK && !(state & FLOW_ESTABLISHED)) {
		flow->isn = bpf_ntohl(tcp->seq);
		state |= FLOW_SYN_ACK;
	}
	return flags & TCP_FIN ? state | FLOW_BACKEND_FIN : state;
}

/*
 * The flow of a TCP packet from the client moves on. A handshake is complete when the client shows
 * that it has seen the backend's number: a sender of spoofed packets has not.
 */
static __always_inline __u8 next_state_by_client(struct flow *flow, const struct tcphdr *tcp,
						 __u8 state, __u8 flags)
{
	if (state & FLOW_SYN_ACK && flags & TCP_ACK && !(flags & TCP_SYN) &&
	    bpf_ntohl(tcp->ack_seq) - flow->isn - 1 < HANDSHAKE_WINDOW)
		state |= FLOW_ESTABLISHED;
	return flags & TCP_FIN ? state | FLOW_CLIENT_FIN : state;
}

/* The word that has a flow's state: packets of both directions change it at the same time. */
#define STATE_SHIFT 16
static __always_inline __u32 *word_of_state(struct flow *flow)
{
	return (__u32 *)&flow->generation;
}

/*
 * Changes the bits of the flow's state that differ from `before`. The locked instructions also
 * keep the order against evict(), which stores, then loads, as does who establishes a flow that is
 * being evicted: either that sees the new state, or this packet sees the end (flow_gone).
 */
static __always_inline void change_state(struct flow *flow, __u32 before, __u32 state)
{
	__u32 added = state & ~before, removed = before & ~state;

	if (added)
		__sync_fetch_and_or(word_of_state(flow), added << STATE_SHIFT);
	if (removed)
		__sync_fetch_and_and(word_of_state(flow), ~(removed << STATE_SHIFT));
}

/* Notes what the packet does to its flow. A reset that is followed by more was none. */
static __always_inline void track_flow(struct xdp_md *ctx, struct packet *pkt, struct flow *flow)
{
	const struct tcphdr *tcp = frame_at(ctx, pkt->l4, sizeof(*tcp));
	__u32 now = pkt->now;
	__u8 before = READ_ONCE(flow->state), state = before;

	if (flow->seen != now)
		flow->seen = now;
	if (pkt->protocol == IPPROTO_UDP) {
		if (pkt->from_backend)
			change_state(flow, state, state | FLOW_ESTABLISHED);
		return;
	}
	if (!pkt->tcp_flags || !tcp)
		return;
	if (pkt->from_backend)
		state = next_state_by_backend(flow, tcp, state, pkt->tcp_flags);
	else
		state = next_state_by_client(flow, tcp, state, pkt->tcp_flags);
	if (pkt->tcp_flags & TCP_RST)
		state |= FLOW_RESET;
	else
		state &= ~FLOW_RESET;
	change_state(flow, before, state);
}

#endif
