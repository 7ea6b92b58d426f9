/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stage 4, the flow table: find, begin, follow the state of, and end flows. The layout and who may
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

#define FIRST_OTHER_PORT 1024 /* where the client's port is taken: from here up */
#define PORT_TRIES 128 /* a port may be free: with 95 % taken, one in 700 searches ends in vain */
#define GENTLE_TRIES 8 /* after so many, a flow that never came to be gives its port up */
#define HANDSHAKE_WINDOW 65536 /* how far the client's first ACK may be past the backend's ISN */

static __always_inline bool same_tuple(const struct tuple *a, const struct tuple *b)
{
	const __u64 *x = (const __u64 *)a;
	const __u64 *y = (const __u64 *)b;

	return x[2] == y[2] && x[1] == y[1] && x[0] == y[0];
}

static __always_inline struct backend *backend_at(__u32 number)
{
	return bpf_map_lookup_elem(&xlb_backends, &number);
}

static __always_inline struct flow_bucket *bucket_at(__u32 hash)
{
	__u32 number = hash & (FLOW_BUCKETS - 1);

	return bpf_map_lookup_elem(&xlb_flows, &number);
}

/* Where a search of a bucket starts: another place for each hash, so that the first look hits. */
static __always_inline __u32 first_place(__u32 hash)
{
	return hash >> FLOW_BUCKET_BITS;
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

static __always_inline struct flow *flow_at(__u32 pointer)
{
	struct flow_bucket *bucket = bucket_at(pointer >> FLOW_WAY_BITS);

	if (!bucket)
		return NULL;
	keep_order(bucket);
	return &bucket->way[pointer & (FLOW_WAYS - 1)];
}

/* Where a flow was found: its index, and whether by its server tuple. */
#define NOWHERE 0U
#define FOUND_HERE 1U
#define FOUND_SERVER 2U
#define FOUND_SHIFT 2

/* Looks at one place of the bucket: at its pointer for the flow whose client sends `tuple`, and at
 * its way for the flow whose backend does. Returns where it was found. */
static __always_inline __u32 look_at(struct flow_bucket *bucket, __u32 place,
				     const struct tuple *tuple, __u32 hash)
{
	__u32 pointer = bucket->pointer[place & (FLOW_POINTERS - 1)];
	__u32 way = place & (FLOW_WAYS - 1);
	struct flow *flow;

	if (is_pointer_of(pointer, hash)) {
		flow = flow_at(pointer);
		if (flow && same_tuple(&flow->client, tuple))
			return pointer << FOUND_SHIFT | FOUND_HERE;
	}
	if (bucket->tag[way] == hash && same_tuple(&bucket->way[way].server, tuple))
		return (hash << FLOW_WAY_BITS | way) << FOUND_SHIFT | FOUND_SERVER | FOUND_HERE;
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
	__u32 life;
	bool from_backend;
};

/* Finds the living flow that has `tuple` in one of its directions. */
static __always_inline struct found find_flow(const struct config *config,
					      const struct tuple *tuple, __u32 hash, __u32 now)
{
	struct flow_bucket *bucket = bucket_at(hash);
	struct found found = {};
	const struct tuple *own;
	struct flow *flow;
	__u32 where;

	if (!bucket)
		return found;
	where = look_at(bucket, first_place(hash), tuple, hash);
	if (!where)
		where = look_everywhere(tuple, hash);
	if (!where)
		return found;
	flow = flow_at(where >> FOUND_SHIFT);
	if (!flow)
		return found;
	own = where & FOUND_SERVER ? &flow->server : &flow->client;
	found.life = READ_ONCE(flow->life);
	barrier();
	if (!found.life || !same_tuple(own, tuple) || !is_alive(config, flow, now))
		return found;
	found.from_backend = where & FOUND_SERVER;
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
						  __u8 flags)
{
	__u8 state = flow->state;

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
						 __u8 flags)
{
	__u8 state = flow->state;

	if (state & FLOW_SYN_ACK && flags & TCP_ACK && !(flags & TCP_SYN) &&
	    bpf_ntohl(tcp->ack_seq) - flow->isn - 1 < HANDSHAKE_WINDOW)
		state |= FLOW_ESTABLISHED;
	return flags & TCP_FIN ? state | FLOW_CLIENT_FIN : state;
}

/* Notes what the packet does to its flow. A reset that is followed by more was none. */
static __always_inline void track_flow(struct xdp_md *ctx, struct packet *pkt, struct flow *flow)
{
	const struct tcphdr *tcp = frame_at(ctx, pkt->l4, sizeof(*tcp));
	__u32 now = tick_now(pkt);
	__u8 state = flow->state;

	if (flow->seen != now)
		flow->seen = now;
	if (pkt->protocol == IPPROTO_UDP) {
		if (pkt->from_backend && !(state & FLOW_ESTABLISHED))
			flow->state = state | FLOW_ESTABLISHED;
		return;
	}
	if (!pkt->tcp_flags || !tcp)
		return;
	if (pkt->from_backend)
		state = next_state_by_backend(flow, tcp, pkt->tcp_flags);
	else
		state = next_state_by_client(flow, tcp, pkt->tcp_flags);
	if (pkt->tcp_flags & TCP_RST)
		state |= FLOW_RESET;
	else
		state &= ~FLOW_RESET;
	if (state != flow->state)
		flow->state = state;
}

/* A search for a place in the table, and in mode nat for a port, for a new flow. */
struct search {
	struct address vip;
	struct flow flow; /* what the record will be */
	__u32 seed; /* of the ports tried */
	__u32 now;
	__u32 offer_age; /* of the best offer, in ticks */
	__be16 offer; /* port of the oldest flow that could give way; 0: none */
	__be16 wanted; /* port to try first */
	bool any_port; /* mode nat: the port may differ from the wanted one */
	bool ipv6;
	bool force; /* take what is offered */
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
	return !__sync_lock_test_and_set(&bucket->lock, 1);
}

static __always_inline void unlock_bucket(struct flow_bucket *bucket)
{
	barrier();
	WRITE_ONCE(bucket->lock, 0);
}

/* A flow that can give way: one that is closed, or that only one side was ever heard of. */
static __always_inline bool can_give_way(const struct flow *flow)
{
	return !(flow->state & FLOW_ESTABLISHED) || is_closed(flow);
}

/* Takes note of a flow that could give way to the port that is being tried. */
static __always_inline bool offer_way(struct search *search, const struct flow *flow)
{
	__u32 age = search->now - flow->seen;

	if (!can_give_way(flow))
		return false;
	if (!search->offer || age > search->offer_age) {
		search->offer = search->flow.server.vip_port;
		search->offer_age = age;
	}
	return search->force;
}

#define NO_WAY FLOW_WAYS

/*
 * Chooses the way for search->flow in its bucket, which is locked: that of a dead flow of the same
 * server tuple, since there must never be two, else a free one, else (forced) one that gives way.
 */
static __always_inline __u32 choose_way(struct search *search, const struct config *config,
					struct flow_bucket *bucket, __u32 hash)
{
	__u32 free = 0, oldest = 0, holder = 0, oldest_age = 0;
	bool has_free = false, has_oldest = false, has_holder = false;

	for (__u32 i = 0; i < FLOW_WAYS; i++) {
		__u32 way = (first_place(hash) + i) & (FLOW_WAYS - 1);
		struct flow *flow = &bucket->way[way];
		__u32 age = search->now - flow->seen;
		bool same = bucket->tag[way] == hash &&
			    same_tuple(&flow->server, &search->flow.server);

		if (same) {
			holder = way;
			has_holder = true;
		}
		if (!flow->life || !is_alive(config, flow, search->now)) {
			if (same)
				return way;
			if (!has_free)
				free = way;
			has_free = true;
		} else if (can_give_way(flow) && (!has_oldest || age > oldest_age)) {
			oldest = way;
			oldest_age = age;
			has_oldest = true;
		}
	}
	if (has_holder)
		return offer_way(search, &bucket->way[holder & (FLOW_WAYS - 1)]) ? holder : NO_WAY;
	if (has_free)
		return free;
	search->full = true;
	if (has_oldest)
		return offer_way(search, &bucket->way[oldest & (FLOW_WAYS - 1)]) ? oldest : NO_WAY;
	return NO_WAY;
}

/* Whether a socket of the host would get what the backend sends to this port: its own connection to
 * the backend, or one in TIME_WAIT, or a listener. */
static __always_inline bool host_uses_port(struct xdp_md *ctx, const struct search *search)
{
	const struct tuple *server = &search->flow.server;
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

static __always_inline __u32 add_sums(__u32 a, __u32 b)
{
	return fold_sum((__u64)a + b);
}

static __always_inline __u32 negate_sum(__u32 sum)
{
	return ~sum & 0xffff;
}

static __always_inline __u32 address_sum(const struct address *address)
{
	__u64 sum = 0;

#pragma unroll
	for (int i = 0; i < 4; i++)
		sum += address->word[i];
	return fold_sum(sum);
}

/*
 * What the rewrite adds to a checksum (RFC 1624): the VIP is in every packet, as source or as
 * destination, so only the peer and the ports differ between the two sides of the flow.
 */
static __always_inline void sum_up(struct flow *flow)
{
	__u32 client = address_sum(&flow->client.peer);
	__u32 server = address_sum(&flow->server.peer);
	__u32 before = flow->client.peer_port + flow->client.vip_port;
	__u32 after = flow->server.peer_port + flow->server.vip_port;

	flow->address_sum = add_sums(server, negate_sum(client));
	flow->flow_sum = add_sums(add_sums(flow->address_sum, fold_sum(after)),
				  negate_sum(fold_sum(before)));
}

/* Writes the record. The bucket is locked. */
static __always_inline void take_way(struct search *search, struct flow_bucket *bucket, __u32 way,
				     __u32 hash)
{
	struct flow *flow = &bucket->way[way & (FLOW_WAYS - 1)];
	__u32 serial = flow->serial + 1;

	end_flow(flow);
	barrier();
	sum_up(&search->flow);
	search->flow.serial = serial ? serial : 1;
	*flow = search->flow;
	bucket->tag[way & (FLOW_WAYS - 1)] = hash;
	barrier();
	WRITE_ONCE(flow->life, flow->serial);
	search->index = (hash & (FLOW_BUCKETS - 1)) << FLOW_WAY_BITS | way;
	search->done = true;
}

struct attempt {
	struct xdp_md *ctx;
	struct search *search;
};

/* Tries port number `i` of the search. Returns 1 to end it (bpf_loop). */
static long try_port(__u32 i, struct attempt *attempt)
{
	struct search *search = attempt->search;
	__u32 zero = 0, way, hash;
	struct config *config = bpf_map_lookup_elem(&xlb_config, &zero);
	struct flow_bucket *bucket;
	__u32 spread = (search->seed + i * XXH_PRIME_1) >> 16;

	search->flow.server.vip_port = search->wanted;
	if (i)
		search->flow.server.vip_port = bpf_htons(
			FIRST_OTHER_PORT + (spread * (65536 - FIRST_OTHER_PORT) >> 16));
	hash = hash_tuple(&search->flow.server);
	bucket = bucket_at(hash);
	if (!config || !bucket || !lock_bucket(bucket))
		return 0;
	way = choose_way(search, config, bucket, hash);
	if (way != NO_WAY && !(search->any_port && host_uses_port(attempt->ctx, search)))
		take_way(search, bucket, way, hash);
	unlock_bucket(bucket);
	return search->done || (search->offer && i >= GENTLE_TRIES);
}

/*
 * Searches a place for search->flow. Where none of the first ports is free, the oldest flow that
 * can give way does. Returns whether there is one.
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

	if (!flow || !flow->life || !is_pointer_of(pointer, flow->client_hash))
		return true;
	return (flow->client_hash ^ hash) & (FLOW_BUCKETS - 1) || !is_alive(config, flow, now);
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
		__u32 old = READ_ONCE(bucket->pointer[place]);
		struct flow *flow;

		if (old && !is_stale(config, old, hash, now)) {
			flow = flow_at(old);
			if (i < FLOW_POINTERS || !flow || !can_give_way(flow))
				continue;
			end_flow(flow);
		}
		if (__sync_val_compare_and_swap(&bucket->pointer[place], old, pointer) == old)
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
	search->now = tick_now(pkt);
	flow->seen = search->now;
	flow->client = pkt->tuple;
	flow->server = pkt->tuple;
	flow->client_hash = pkt->hash;
	flow->service = pkt->service;
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
	search->flow.server.peer = backend->address;
	search->flow.server.peer_port = backend->port ? backend->port : pkt->tuple.vip_port;
	search->wanted = pkt->tuple.peer_port;
	search->any_port = true;
	search->seed = bpf_get_prandom_u32();
	if (!search_place(ctx, search))
		return search->full ? VERDICT_TABLE_FULL : VERDICT_NO_PORT;

	pkt->flow = search->index;
	if (add_pointer(pkt->hash, search->index, search->now))
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
