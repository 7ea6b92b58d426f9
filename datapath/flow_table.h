/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stage 4, the flow table: find flows, follow their state, end them. The layout and who may write
 * what is in maps/xdp_lb.h. Why not a kernel hash: one entry for both directions of a flow,
 * eviction by what a flow is worth and not by age alone, and a third of the memory touched.
 *
 * Readers take no lock. They read `cookie` before the record and again when the packet is rewritten
 * (is_flow_gone); a writer stores 0 to it first. Stores and loads stay in order on x86; the program
 * is built and tested for no other.
 */
#ifndef FLOW_TABLE_H
#define FLOW_TABLE_H

#include "hash.h"

static __always_inline bool same_tuple(const struct tuple *a, const struct tuple *b)
{
	const __u64 *x = (const __u64 *)a;
	const __u64 *y = (const __u64 *)b;

	return x[2] == y[2] && x[1] == y[1] && x[0] == y[0];
}

/* A backend's next hop that is in force, and the bytes that an IP packet to it may have. */
struct next_hop {
	struct hop *hop;
	__u32 mtu; /* 0: not known */
};

/* By a branch, which the CPU predicts: an index would be waited for. */
static __always_inline struct next_hop next_hop_of(struct backend *backend)
{
	struct next_hop next = { &backend->hop[0], backend->mtu[0] };

	if (backend->flags & BACKEND_HOP) {
		next = (struct next_hop){ &backend->hop[1], backend->mtu[1] };
		keep_order(next.hop);
	}
	return next;
}

/* What answers of the service become, in mode dnat. */
static __always_inline struct answer *answer_at(__u32 service)
{
	return bpf_map_lookup_elem(&xlb_replies, &service);
}

/* Mode dnat: the packet is on its way from a backend to a client. */
static __always_inline bool is_dnat_answer(const struct packet *pkt)
{
	return pkt->from_backend && pkt->mode == MODE_DNAT;
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
 * Which pointer of a bucket a search starts with: another one for each hash, so that the first look
 * hits. Its low bits are those of the hash, so that they lead to the record of the first way (see
 * flow_at).
 */
static __always_inline __u32 first_pointer(__u32 hash)
{
	__u32 number = (hash & (FLOW_WAYS - 1)) | hash >> 31 << FLOW_WAY_BITS;

	/* Else clang leaves out a mask, as it knows how large an OR may be. Linux 6.1 does not. */
	keep_order(number);
	return number;
}

/* Whether the flow has been idle for too long. */
static __always_inline bool is_idle(const struct config *config, const struct flow *flow, __u32 now)
{
	__u32 seen = flow->seen;

	return seen != now && is_past(now, seen, 1) &&
	       is_past(now, seen, idle_timeout(config, flow));
}

/* Whether the flow lives: its backend has not ended it, and it has not been idle for too long. */
static __always_inline bool is_alive(const struct config *config, const struct flow *flow,
				     __u32 now)
{
	struct backend *backend = backend_at(flow->backend);

	return backend && backend->generation == flow->generation && !is_idle(config, flow, now);
}

static __always_inline void end_flow(struct flow *flow)
{
	WRITE_ONCE(flow->cookie, 0);
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

static __always_inline __u64 *cached_pointers(__u32 hash)
{
	__u32 index = hash & (CACHED_POINTERS - 1);

	return bpf_map_lookup_elem(&xlb_flow_cache, &index);
}

/* Lets the pointer of a flow into the cache, in place of the older one of its word: first of the
 * two, as the other may be of an ended flow of the same client, which has the same hash. */
static __always_inline void cache_pointer(__u32 hash, __u32 pointer)
{
	__u64 *cached = cached_pointers(hash);
	__u64 word;

	if (!cached)
		return;
	word = READ_ONCE(*cached);
	if ((__u32)word != pointer)
		WRITE_ONCE(*cached, word << 32 | pointer);
}

/* The pointer that leads to the flow of the client, or 0. */
static __always_inline __u32 cached_pointer(__u32 hash)
{
	__u64 *cached = cached_pointers(hash);
	__u64 word;

	if (!cached)
		return 0;
	word = READ_ONCE(*cached);
	if (is_pointer_of(word, hash))
		return word;
	return is_pointer_of(word >> 32, hash) ? word >> 32 : 0;
}

/* Pointer `number`, counted round: below twice as many as there are. */
static __always_inline __u32 *pointer_at(struct flow_bucket *bucket, __u32 number)
{
	if (number >= FLOW_POINTERS)
		number -= FLOW_POINTERS;
	keep_order(number);
	if (number >= FLOW_POINTERS) /* for the verifier */
		number = 0;
	return &bucket->half[number & 1].pointer[number / 2];
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

/* The ports of the backend's packets, as in struct packet: its own, and the one that it sends
 * to. */
static __always_inline __u32 backend_ports(const struct backend *backend, const struct flow *flow)
{
	__be16 own = backend->port ? backend->port : flow->client.vip_port;

	return own | (__u32)flow->port << 16;
}

/* Whether the flow's client sends packets of this source and tail (see tuple_tail). */
static __always_inline bool is_from_client(const struct flow *flow, const __u64 peer[2], __u64 tail,
					   bool ipv6)
{
	const __u64 *word = (const __u64 *)&flow->client;

	/* A VIP's clients are of its family, so of IPv4 the second half is enough. */
	return word[2] == tail && word[1] == peer[1] && (!ipv6 || word[0] == peer[0]);
}

/* The upper half of the third word of struct tuple, as the backend's packets have it: they are sent
 * to the VIP, or to the flow's source. */
static __always_inline __u32 upper_tail(const struct flow *flow)
{
	__u32 tail = ((const __u64 *)&flow->client)[2] >> 32;

	__u64 is_pool = -(__s64)flow->source >> 63; /* all bits or none: no branch */

	keep_order(is_pool);
	return tail ^ ((tail ^ POOL_NUMBER(flow->source)) & 0xffff & is_pool);
}

/* Whether the flow's backend does, in mode nat. */
static __always_inline bool is_from_backend(const struct flow *flow, const struct backend *backend,
					    const __u64 peer[2], __u64 tail, bool ipv6)
{
	const __u64 *address = (const __u64 *)&backend->address;

	return flow->state & FLOW_NAT && (__u32)tail == backend_ports(backend, flow) &&
	       upper_tail(flow) == tail >> 32 && address[1] == peer[1] &&
	       (!ipv6 || address[0] == peer[0]);
}

/* Whether the record lies where `tuple` hashes to: in mode nat its backend's packets carry that. */
static __always_inline bool is_record_of(const struct flow *flow, const struct tuple *tuple)
{
	const __u64 *word = (const __u64 *)tuple;
	struct backend *backend;

	if (!(flow->state & FLOW_NAT))
		return same_tuple(&flow->client, tuple);
	backend = backend_at(flow->backend);
	return backend && backend->generation == flow->generation &&
	       is_from_backend(flow, backend, word, word[2], true);
}

/* Searches a bucket, which is the hash's or its sibling, for the pointer to the record of a
 * client's tuple. Returns its index, or NO_FLOW. */
static __always_inline __u32 search_pointers(struct flow_bucket *bucket, __u32 hash,
					     const __u64 peer[2], __u64 tail, __u32 nat)
{
	for (__u32 i = 0; i < FLOW_POINTERS; i++) {
		__u32 pointer = *pointer_at(bucket, first_pointer(hash) + i);
		struct flow *flow;

		if (!is_pointer_of(pointer, hash))
			continue;
		flow = flow_at(pointer);
		if (flow && (flow->state & FLOW_NAT) == nat &&
		    is_from_client(flow, peer, tail, true))
			return pointer & (FLOWS - 1);
	}
	return NO_FLOW;
}

/* Searches for the record of a client's tuple by pointers; `nat` is FLOW_NAT for a flow in mode
 * nat, 0 for one that is remembered. Returns its index, or NO_FLOW. */
GLOBAL __u32 search_by_client(__u64 first, __u64 second, __u64 tail, __u32 hash, __u32 nat)
{
	struct flow_bucket *bucket = bucket_at(hash), *sibling;
	const __u64 peer[] = { first, second };
	__u32 index;

	if (!bucket)
		return NO_FLOW;
	index = search_pointers(bucket, hash, peer, tail, nat);
	if (index != NO_FLOW || !bucket->half[1].is_spilled)
		return index;
	sibling = bucket_at(hash ^ SIBLING);
	return sibling ? search_pointers(sibling, hash, peer, tail, nat) : NO_FLOW;
}

/*
 * Searches a bucket for the record that lies in it by this tuple: that of a backend's packets in
 * mode nat, of a client's in the others. Returns its index, or NO_FLOW.
 */
GLOBAL __u32 search_by_record(__u64 first, __u64 second, __u64 tail, __u32 hash)
{
	struct flow_bucket *bucket = bucket_at(hash);
	struct tuple tuple;
	__u64 *word = (__u64 *)&tuple;

	word[0] = first;
	word[1] = second;
	word[2] = tail;
	if (!bucket)
		return NO_FLOW;
	for (__u32 way = 0; way < FLOW_WAYS; way++) {
		struct flow *flow;

		if (*tag_at(bucket, way) != hash)
			continue;
		flow = flow_at(index_of(hash, way));
		if (flow && is_record_of(flow, &tuple))
			return index_of(hash, way);
	}
	return NO_FLOW;
}

/* A flow that was found. */
struct found {
	struct flow *flow; /* or NULL */
	struct backend *backend;
	__u32 index;
	__u32 cookie;
};

/* Reads the record at `index`. Returns the flow if it lives and sends such packets. */
static __always_inline struct found read_flow(struct packet *pkt, const struct config *config,
					      __u32 index)
{
	struct flow *flow = flow_at(index);
	struct found found = { .index = index };
	bool is_sender;

	if (!flow)
		return found;
	found.cookie = READ_ONCE(flow->cookie);
	barrier();
	if (!found.cookie)
		return found;
	if (!pkt->from_backend && !is_from_client(flow, pkt->peer, tuple_tail(pkt), pkt->ipv6))
		return found; /* before more is looked up, as registers are few */
	found.backend = backend_at(flow->backend);
	if (!found.backend || found.backend->generation != flow->generation)
		return found;
	is_sender = !pkt->from_backend ||
		    is_from_backend(flow, found.backend, pkt->peer, tuple_tail(pkt), pkt->ipv6);
	if (is_sender && !is_idle(config, flow, pkt->now))
		found.flow = flow;
	return found;
}

/* A client that begins a connection on the tuple of one that is closed ends that one. */
static __always_inline void end_closed(const struct packet *pkt, struct found *found)
{
	if (!found->flow || !begins_connection(pkt) || !is_closed(found->flow->state))
		return;
	if (!pkt->dry_run)
		__sync_val_compare_and_swap(&found->flow->cookie, found->cookie, 0);
	found->flow = NULL;
}

/*
 * A flow that was pushed out of the cache returns in one jiffy of so many: were it with each
 * packet, flows that have to share a word would push each other out all the time.
 */
#define JIFFIES_TO_RETURN 32

/*
 * Where the flow of a client's packet is likely to be (fast path) or is (slow path); NO_FLOW: it is
 * not known. Most have their pointer in the cache.
 */
static __always_inline __u32 locate_by_client(const struct frame *frame, struct packet *pkt)
{
	__u32 pointer = frame->fast ? cached_pointer(pkt->flow_hash) : 0;
	__u32 index;

	if (pointer)
		return pointer & (FLOWS - 1);
	index = search_by_client(pkt->peer[0], pkt->peer[1], tuple_tail(pkt), pkt->flow_hash,
				 FLOW_NAT);
	if (frame->fast && index != NO_FLOW &&
	    (pkt->flow_hash ^ (__u32)bpf_jiffies64()) % JIFFIES_TO_RETURN == 0)
		cache_pointer(pkt->flow_hash, make_pointer(pkt->flow_hash, index));
	return index;
}

/* The same of a backend's packet. Most records lie where the hash alone leads to; the hash is the
 * same for every protocol. */
static __always_inline __u32 locate_by_backend(const struct frame *frame, struct packet *pkt)
{
	struct flow *flow = frame->fast ? flow_at(pkt->flow_hash) : NULL;
	__u64 tail = tuple_tail(pkt);

	if (flow && flow->port == pkt->ports >> 16 && upper_tail(flow) == tail >> 32)
		return pkt->flow_hash & (FLOWS - 1);
	return search_by_record(pkt->peer[0], pkt->peer[1], tuple_tail(pkt), pkt->flow_hash);
}

/* The address that a packet of a NAT flow leaves by, if it is not the one that it came to, else
 * NULL: the flow has a source of the pool. */
static __always_inline const struct address *other_own_address(const struct packet *pkt,
							       const struct flow *flow)
{
	__u32 number = pkt->from_backend ? flow->client.vip : POOL_NUMBER(flow->source);

	return flow->source ? bpf_map_lookup_elem(&xlb_addresses, &number) : NULL;
}

/* Whether the record was taken away while the packet was rewritten by it. */
static __always_inline bool is_flow_gone(const struct found *found)
{
	barrier();
	return READ_ONCE(found->flow->cookie) != found->cookie;
}

#endif
