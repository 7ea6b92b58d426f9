/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stage 4, the flow table: begin a flow. In mode nat this is a search for a port that is free
 * towards the backend, as well as for a place.
 */
#ifndef BEGIN_H
#define BEGIN_H

#include "flow.h"

#define FIRST_OTHER_PORT 1024 /* where the client's port is taken: from here up */
#define PORT_TRIES 128 /* a port may be free: with 95 % taken, one in 700 searches ends in vain */
#define GENTLE_TRIES 6 /* at least so many before a flow gives way, see must_give_way */
#define PATIENT_TRIES 32 /* with 80 % taken, one search in 1,000 gets so far */

/* A search for a place in the table, and in mode nat for a port, for a new flow. */
struct search {
	struct address vip;
	struct flow flow; /* what the record will be */
	struct tuple tuple; /* what leads to its bucket */
	__u32 seed; /* of the ports tried */
	__u32 now;
	__u32 offers; /* tries that met a flow that could give way */
	__u32 offer_age; /* of the best offer, in ticks */
	__be16 offer; /* port of the oldest flow that could give way; 0: none */
	__be16 wanted; /* port to try first */
	bool any_port; /* mode nat: the port may differ from the wanted one */
	bool ipv6;
	bool force; /* take what is offered */
	bool evicts; /* what is taken is a living flow */
	bool full; /* a port was free, but no way of its bucket */
	bool done; /* the result: found */
	__u32 index;
};

/* What is too large for the stack. Each CPU has one, as nothing interrupts the program. */
struct scratch {
	struct packet packet;
	struct search search;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} xlb_scratch SEC(".maps");

static __always_inline struct scratch *get_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&xlb_scratch, &zero);
}

static __always_inline bool lock_bucket(struct flow_bucket *bucket)
{
	return !__sync_lock_test_and_set(&bucket->half[0].lock, 1);
}

static __always_inline void unlock_bucket(struct flow_bucket *bucket)
{
	barrier();
	WRITE_ONCE(bucket->half[0].lock, 0);
}

/* A flow that can give way: one that is closed, or that only one side was ever heard of. */
static __always_inline bool can_give_way(const struct flow *flow)
{
	return !(flow->state & FLOW_ESTABLISHED) || is_closed(flow);
}

/* Ends a flow that can give way. Returns false if meanwhile it can not: see change_state. */
static __always_inline bool evict(struct flow *flow)
{
	__u32 life = __sync_lock_test_and_set(&flow->life, 0);

	if (can_give_way(flow))
		return true;
	WRITE_ONCE(flow->life, life);
	return false;
}

/* Takes note of a flow that could give way to the port that is being tried. */
static __always_inline bool offer_way(struct search *search, const struct flow *flow)
{
	__u32 age;

	if (!flow || !can_give_way(flow))
		return false;
	search->offers++;
	age = search->now - flow->seen;
	if (!search->offer || age > search->offer_age) {
		search->offer = search->tuple.vip_port;
		search->offer_age = age;
	}
	search->evicts = search->force;
	return search->force;
}

#define NO_WAY FLOW_WAYS

/* The way that has the tuple, dead or alive: there are never two. */
static __always_inline __u32 find_holder(const struct search *search, struct flow_bucket *bucket,
					 __u32 hash)
{
	for (__u32 way = 0; way < FLOW_WAYS; way++) {
		struct flow *flow;

		if (*tag_at(bucket, way) != hash)
			continue;
		flow = flow_at(index_of(hash, way));
		if (flow && is_backend_tuple(flow, &search->tuple))
			return way;
	}
	return NO_WAY;
}

/*
 * Chooses the way for search->flow in its bucket, which is locked: that of a dead flow of the same
 * tuple, since there must never be two, else a free one, else (forced) one that gives way.
 */
static __always_inline __u32 choose_way(struct search *search, const struct config *config,
					struct flow_bucket *bucket, __u32 hash)
{
	__u32 oldest = find_holder(search, bucket, hash), oldest_age = 0;
	struct flow *flow;

	if (oldest != NO_WAY) {
		flow = flow_at(index_of(hash, oldest));
		if (!flow || !flow->life || !is_alive(config, flow, search->now))
			return oldest;
		return offer_way(search, flow) ? oldest : NO_WAY;
	}
	for (__u32 i = 0; i < FLOW_WAYS; i++) {
		__u32 way = (first_place(hash) + i) & (FLOW_WAYS - 1);

		flow = flow_at(index_of(hash, way));
		if (!flow || !flow->life || !is_alive(config, flow, search->now))
			return way;
		if (!can_give_way(flow) ||
		    (oldest != NO_WAY && search->now - flow->seen <= oldest_age))
			continue;
		oldest = way;
		oldest_age = search->now - flow->seen;
	}
	search->full = true;
	if (oldest == NO_WAY)
		return NO_WAY;
	return offer_way(search, flow_at(index_of(hash, oldest))) ? oldest : NO_WAY;
}

/* Whether a socket of the host would get what the backend sends to this port: its own connection to
 * the backend, or one in TIME_WAIT, or a listener. */
static __always_inline bool host_uses_port(struct xdp_md *ctx, const struct search *search)
{
	const struct tuple *server = &search->tuple;
	struct bpf_sock_tuple tuple = {};
	__u32 size = sizeof(tuple.ipv4);
	struct bpf_sock *sock;

	if (search->ipv6) {
		__builtin_memcpy(tuple.ipv6.saddr, &server->peer, sizeof(tuple.ipv6.saddr));
		__builtin_memcpy(tuple.ipv6.daddr, &search->vip, sizeof(tuple.ipv6.daddr));
		tuple.ipv6.sport = server->peer_port;
		tuple.ipv6.dport = server->vip_port;
		size = sizeof(tuple.ipv6);
	} else {
		tuple.ipv4.saddr = server->peer.word[3];
		tuple.ipv4.daddr = search->vip.word[3];
		tuple.ipv4.sport = server->peer_port;
		tuple.ipv4.dport = server->vip_port;
	}
	if (server->protocol == IPPROTO_TCP)
		sock = bpf_skc_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	else
		sock = bpf_sk_lookup_udp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sock)
		return false;
	bpf_sk_release(sock);
	return true;
}

/*
 * What the rewrite adds to a checksum (RFC 1624): the VIP is in every packet, as source or as
 * destination, so only the peer and the ports differ between the two sides of the flow.
 */
static __always_inline void sum_up(struct flow *flow, const struct tuple *server)
{
	__u32 client_sum = address_sum(&flow->client.peer);
	__u32 server_sum = address_sum(&server->peer);
	__u32 before = flow->client.peer_port + flow->client.vip_port;
	__u32 after = server->peer_port + server->vip_port;

	flow->address_sum = add_sums(server_sum, negate_sum(client_sum));
	flow->flow_sum = add_sums(add_sums(flow->address_sum, fold_sum(after)),
				  negate_sum(fold_sum(before)));
}

/* Writes the record. The bucket is locked. */
static __always_inline void take_way(struct search *search, struct flow_bucket *bucket, __u32 way,
				     __u32 hash)
{
	struct flow *flow = flow_at(index_of(hash, way));
	__u32 life = bpf_get_prandom_u32() | 1;

	if (!flow || (search->evicts && !evict(flow)))
		return;
	end_flow(flow);
	barrier();
	sum_up(&search->flow, &search->tuple);
	search->flow.port = search->tuple.vip_port;
	*flow = search->flow;
	*tag_at(bucket, way) = hash;
	barrier();
	WRITE_ONCE(flow->life, life);
	search->index = index_of(hash, way);
	search->done = true;
}

struct attempt {
	struct xdp_md *ctx;
	struct search *search;
};

/*
 * Whether, after so many tries in vain, a flow that can give way has to. A flood that holds most of
 * the ports is known by that soon. Else a free one is looked for longer, so that a flow that has
 * just begun is not ended without need; but not so long that each SYN of a flood costs much.
 */
static __always_inline bool must_give_way(const struct search *search, __u32 tries)
{
	return search->offer && tries >= GENTLE_TRIES &&
	       (2 * search->offers > tries || tries >= PATIENT_TRIES);
}

/* Tries port number `i` of the search. Returns 1 to end it (bpf_loop). */
static long try_port(__u32 i, struct attempt *attempt)
{
	struct search *search = attempt->search;
	__u32 zero = 0, way, hash;
	struct config *config = bpf_map_lookup_elem(&xlb_config, &zero);
	struct flow_bucket *bucket;
	__u32 spread = (search->seed + i * XXH_PRIME_1) >> 16;

	search->tuple.vip_port = search->wanted;
	if (i)
		search->tuple.vip_port = bpf_htons(FIRST_OTHER_PORT +
						   (spread * (65536 - FIRST_OTHER_PORT) >> 16));
	hash = flow_hash_of(&search->tuple);
	bucket = bucket_at(hash);
	if (!config || !bucket || !lock_bucket(bucket))
		return 0;
	way = choose_way(search, config, bucket, hash);
	if (way != NO_WAY && !(search->any_port && host_uses_port(attempt->ctx, search)))
		take_way(search, bucket, way, hash);
	unlock_bucket(bucket);
	return search->done || must_give_way(search, i + 1);
}

/*
 * Searches a place for search->flow. Where no port is found free, the oldest flow met that can give
 * way does. Returns whether there is one.
 */
static __always_inline bool search_place(struct xdp_md *ctx, struct search *search)
{
	struct attempt attempt = { ctx, search };

	if (search->any_port) {
		bpf_loop(PORT_TRIES, try_port, &attempt, 0);
		if (search->done || !search->offer)
			return search->done;
		search->wanted = search->offer;
	}
	search->force = true;
	try_port(0, &attempt);
	return search->done;
}

/* Whether what the pointer leads to is not (any more) a flow whose client's hash leads here. */
static __always_inline bool is_stale(const struct config *config, __u32 pointer, __u32 hash,
				     __u32 now)
{
	struct flow *flow = flow_at(pointer);
	__u32 own;

	if (!flow || !flow->life)
		return true;
	own = flow_hash_of(&flow->client);
	return !is_pointer_of(pointer, own) || bucket_of(own) != bucket_of(hash) ||
	       !is_alive(config, flow, now);
}

/*
 * Makes the client's packets find the record. Where there is no room, the pointer of a flow that
 * can give way is taken, and the flow ended. Returns false if there is none.
 */
GLOBAL int add_pointer(__u32 hash, __u32 index, __u32 now)
{
	struct flow_bucket *bucket = bucket_at(hash);
	__u32 pointer = make_pointer(hash, index);
	__u32 zero = 0;
	struct config *config = bpf_map_lookup_elem(&xlb_config, &zero);

	if (!bucket || !config)
		return false;
	for (__u32 i = 0; i < 2 * FLOW_POINTERS; i++) {
		__u32 place = (first_place(hash) + i) & (FLOW_POINTERS - 1);
		__u32 *pointed = pointer_at(bucket, place);
		__u32 old = READ_ONCE(*pointed);
		struct flow *flow;

		if (old == pointer)
			return true; /* left by the last flow of the same client and port */
		if (old && !is_stale(config, old, hash, now)) {
			flow = flow_at(old);
			if (i < FLOW_POINTERS || !flow || !evict(flow))
				continue;
		}
		if (__sync_val_compare_and_swap(pointed, old, pointer) == old)
			return true;
	}
	return false;
}

/* Fills in what the search needs to know of the packet, for a flow to `number`. */
static __always_inline struct search *start_search(struct xdp_md *ctx, struct packet *pkt,
						   __u32 number, const struct backend *backend)
{
	struct scratch *scratch = get_scratch();
	struct search *search;
	const struct ethernet *eth = frame_at(ctx, 0, sizeof(*eth));
	struct flow *flow;

	if (!scratch || !eth)
		return NULL;
	search = &scratch->search;
	__builtin_memset(search, 0, sizeof(*search));
	flow = &search->flow;
	search->vip = pkt->vip;
	search->ipv6 = pkt->ipv6;
	search->now = pkt->now;
	flow->seen = search->now;
	flow->client = pkt->tuple;
	search->tuple = pkt->tuple;
	flow->backend = number;
	flow->generation = backend->generation;
	flow->ifindex = ctx->ingress_ifindex;
	__builtin_memcpy(flow->client_mac, eth->source, ETH_ALEN);
	__builtin_memcpy(flow->own_mac, eth->destination, ETH_ALEN);
	return search;
}

/*
 * Begins a flow in mode nat, to pkt->backend. The client's port is kept where it is free towards
 * the backend; else ports are tried at random. Returns VERDICTS and the flow in pkt->flow, or the
 * verdict.
 */
GLOBAL int begin_flow(struct xdp_md *ctx, struct packet *pkt)
{
	struct backend *backend;
	struct search *search;
	struct flow *flow;

	if (!pkt)
		return VERDICT_INTERNAL;
	backend = backend_at(pkt->backend);
	if (!backend)
		return VERDICT_INTERNAL;
	search = start_search(ctx, pkt, pkt->backend, backend);
	if (!search)
		return VERDICT_INTERNAL;
	search->tuple.peer = backend->address;
	search->tuple.peer_port = backend->port ? backend->port : pkt->tuple.vip_port;
	search->wanted = pkt->tuple.peer_port;
	search->any_port = true;
	search->flow.state = FLOW_NAT;
	search->seed = bpf_get_prandom_u32();
	if (!search_place(ctx, search))
		return search->full ? VERDICT_TABLE_FULL : VERDICT_NO_PORT;

	pkt->flow = search->index;
	if (add_pointer(pkt->flow_hash, search->index, search->now))
		return VERDICTS;
	flow = flow_at(search->index);
	if (flow)
		end_flow(flow);
	return VERDICT_TABLE_FULL;
}

/* Remembers a flow of a slot in transition. There may be no room: then the table decides alone. */
static __always_inline void remember_flow(struct xdp_md *ctx, struct packet *pkt, __u32 number)
{
	struct backend *backend = backend_at(number);
	struct search *search;

	if (!backend)
		return;
	search = start_search(ctx, pkt, number, backend);
	if (!search)
		return;
	search->wanted = pkt->tuple.vip_port;
	search_place(ctx, search);
}

#endif
