/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stage 6, state: insert a new flow into the table. In mode nat this is a search for a port that is
 * free towards the backend, as well as for a way in a bucket.
 */
#ifndef FLOW_INSERT_H
#define FLOW_INSERT_H

#include "flow_state.h"
#include "port_hint.h"
#include "vip.h"

#define FIRST_OTHER_PORT 1024 /* where the client's port is taken: from here up */
#define PORT_TRIES 128 /* a port may be free: with 95 % taken, one in 700 searches ends in vain */
#define HINT_TRIES 4 /* of these in lines of hints, after the client's own port */
#define SLOTS_AHEAD 16 /* where the slot's backend has no port left, one of these may have */
#define FULL_TRIES 9 /* where a long search has found none within this tick */
#define MIN_TRIES 6 /* at least so many before a flow is evicted, see must_evict */
#define BUCKET_TRIES 32 /* for a flow that is remembered */
#define BUCKET_STEP 0x9E3779B8U /* in its hash: to the next bucket, far away, and the same way */
#define MANY_TRIES 32 /* with 80 % taken, one search in 1,000 gets so far */

/* A search for a way in the table, and in mode nat for a port, for a new flow. */
struct search {
	struct address address; /* that the backend is to see: of the VIP, or of the pool */
	struct vip vip;
	struct flow flow; /* what the record will be */
	struct tuple tuple; /* what leads to its bucket */
	__u32 seed; /* of the ports tried */
	__u32 now;
	__u32 evictable; /* tries that met a flow that is evictable */
	__u32 victim_age; /* of the oldest of these, see evictable_age() */
	__be16 victim; /* its port; 0: none was met */
	__be16 wanted; /* port to try first */
	bool any_port; /* mode nat: the port may differ from the wanted one */
	__u32 step; /* other modes: from the tuple's hash to that of the bucket that is tried */
	bool ipv6;
	bool force; /* evict a flow if need be */
	bool evicts; /* the way that is taken is that of a living flow */
	bool full; /* a port was free, but no way of its bucket */
	bool held; /* the port that was tried is another flow's */
	bool done; /* the result: inserted */
	__u32 index;
	__u32 source_sum; /* what the flow's source adds to a checksum in place of the VIP */
	struct bpf_sock_tuple sock; /* what the host's sockets are asked for */
	struct service_key service; /* what the services are asked for */
};

/* What the slow path has that is too large for the stack; see slow_packet(). */
struct scratch {
	struct packet packet;
	struct search search;
};

_Static_assert(sizeof(struct scratch) <= SCRATCH_SIZE, "xlb_scratch");
_Static_assert(!offsetof(struct scratch, packet), "slow_packet");

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

/* Whether the flow may be ended for a new one: it is closed, only one side was ever heard, or the
 * two have exchanged no more than a question and its answer. */
static __always_inline bool is_evictable(const struct flow *flow)
{
	return !(flow->state & FLOW_ESTABLISHED) || is_closed(flow->state) || is_passing(flow) ||
	       is_doubtful(flow->state);
}

/* Of those the oldest is ended first, and one last that is perhaps not closed at all. */
static __always_inline __u32 evictable_age(const struct search *search, const struct flow *flow)
{
	return is_doubtful(flow->state) ? 0 : search->now - flow->seen + 1;
}

/*
 * Ends an evictable flow. Returns false if it is not evictable, or not any more: see change_state.
 * Of one that is not the cookie is left alone, as packets under way would take the flow for gone.
 */
static __always_inline bool evict(struct flow *flow)
{
	__u32 cookie;

	if (!is_evictable(flow))
		return false;
	cookie = __sync_lock_test_and_set(&flow->cookie, 0);
	if (is_evictable(flow))
		return true;
	if (cookie)
		__sync_val_compare_and_swap(&flow->cookie, 0, cookie);
	return false;
}

/*
 * Takes note of a flow in the way of the port that is being tried. Returns whether it is to be
 * evicted now.
 */
static __always_inline bool note_victim(struct search *search, const struct flow *flow)
{
	__u32 age;

	if (!flow || !is_evictable(flow))
		return false;
	search->evictable++;
	age = evictable_age(search, flow);
	if (!search->victim || age > search->victim_age) {
		search->victim = search->tuple.vip_port;
		search->victim_age = age;
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
		if (flow && is_record_of(flow, &search->tuple))
			return way;
	}
	return NO_WAY;
}

/*
 * Chooses the way for search->flow in its bucket, which is locked: that of a dead flow of the same
 * tuple, since there must never be two, else a free one, else (forced) that of an evictable flow.
 */
GLOBAL __u32 choose_way(__u32 hash)
{
	struct scratch *scratch = get_scratch();
	struct flow_bucket *bucket = bucket_at(hash);
	__u32 oldest, oldest_age = 0;
	struct config *config = get_config();
	struct search *search;
	struct flow *flow;

	if (!scratch || !bucket || !config)
		return NO_WAY;
	search = &scratch->search;
	oldest = find_holder(search, bucket, hash);
	search->held = false;
	if (oldest != NO_WAY) {
		flow = flow_at(index_of(hash, oldest));
		if (!flow || !flow->cookie || !is_alive(config, flow, search->now))
			return oldest;
		search->held = true;
		return note_victim(search, flow) ? oldest : NO_WAY;
	}
	for (__u32 i = 0; i < FLOW_WAYS; i++) {
		__u32 way = (first_pointer(hash) + i) & (FLOW_WAYS - 1);

		flow = flow_at(index_of(hash, way));
		if (!flow || !flow->cookie || !is_alive(config, flow, search->now))
			return way;
		if (!is_evictable(flow) ||
		    (oldest != NO_WAY && evictable_age(search, flow) <= oldest_age))
			continue;
		oldest = way;
		oldest_age = evictable_age(search, flow);
	}
	search->full = true;
	if (oldest == NO_WAY)
		return NO_WAY;
	return note_victim(search, flow_at(index_of(hash, oldest))) ? oldest : NO_WAY;
}

/* Whether a socket of the host would get what the backend sends to this port: its own connection to
 * the backend, or one in TIME_WAIT, or a listener. */
static __always_inline bool host_uses_port(struct xdp_md *ctx, struct search *search)
{
	const struct tuple *server = &search->tuple;
	struct bpf_sock_tuple *tuple = &search->sock;
	__u32 size = sizeof(tuple->ipv4);
	struct bpf_sock *sock;

	if (search->ipv6) {
		__builtin_memcpy(tuple->ipv6.saddr, &server->peer, sizeof(tuple->ipv6.saddr));
		__builtin_memcpy(tuple->ipv6.daddr, &search->address, sizeof(tuple->ipv6.daddr));
		tuple->ipv6.sport = server->peer_port;
		tuple->ipv6.dport = server->vip_port;
		size = sizeof(tuple->ipv6);
	} else {
		tuple->ipv4.saddr = server->peer.word[3];
		tuple->ipv4.daddr = search->address.word[3];
		tuple->ipv4.sport = server->peer_port;
		tuple->ipv4.dport = server->vip_port;
	}
	if (server->protocol == IPPROTO_TCP)
		sock = bpf_skc_lookup_tcp(ctx, tuple, size, BPF_F_CURRENT_NETNS, 0);
	else
		sock = bpf_sk_lookup_udp(ctx, tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sock)
		return false;
	bpf_sk_release(sock);
	return true;
}

/*
 * What the rewrite adds to a checksum (RFC 1624): the VIP is in every packet, as source or as
 * destination, so only the peer and the ports differ between the two sides of the flow; and the
 * source, where that is not the VIP.
 */
static __always_inline void sum_up(struct flow *flow, const struct tuple *server, __u32 source_sum)
{
	__u32 client_sum = address_sum(&flow->client.peer);
	__u32 server_sum = address_sum(&server->peer);
	__u32 before = flow->client.peer_port + flow->client.vip_port;
	__u32 after = server->peer_port + server->vip_port;

	flow->address_sum = add_sums(add_sums(server_sum, negate_sum(client_sum)), source_sum);
	flow->flow_sum = add_sums(add_sums(flow->address_sum, fold_sum(after)),
				  negate_sum(fold_sum(before)));
}

/* Writes the record. The bucket is locked. */
static __always_inline void write_record(struct search *search, struct flow_bucket *bucket,
					 __u32 way, __u32 hash)
{
	struct flow *flow = flow_at(index_of(hash, way));
	__u32 cookie = bpf_get_prandom_u32() | 1;

	if (!flow || (search->evicts && !evict(flow)))
		return;
	end_flow(flow);
	if (flow->state & FLOW_NAT &&
	    (flow->backend != search->flow.backend || flow->port != search->tuple.vip_port))
		note_port_free(flow->backend, flow->source, flow->port);
	uncount_flow(flow);
	search->flow.port = search->tuple.vip_port;
	barrier();
	sum_up(&search->flow, &search->tuple, search->source_sum);
	*flow = search->flow;
	*tag_at(bucket, way) = hash;
	barrier();
	WRITE_ONCE(flow->cookie, cookie);
	search->index = index_of(hash, way);
	search->done = true;
}

struct attempt {
	struct xdp_md *ctx;
	struct search *search;
};

/*
 * Whether, after so many tries in vain, a flow is to be evicted. A flood that holds most of the
 * ports is known by that soon. Else a free one is looked for longer, so that a flow that has just
 * begun is not ended without need; but not so long that each SYN of a flood costs much.
 */
static __always_inline bool must_evict(const struct search *search, __u32 tries)
{
	return search->victim && tries >= MIN_TRIES &&
	       (2 * search->evictable > tries || tries >= MANY_TRIES);
}

/*
 * Whether the port cannot be that of a flow. A port that a service has on the VIP is none: so a
 * packet to the VIP tells by its port alone whether a client or a backend has sent it. An address
 * of the pool has no services.
 */
static __always_inline bool is_port_reserved(struct xdp_md *ctx, struct search *search)
{
	if (!search->any_port)
		return false;
	search->service.vip = search->vip.number;
	search->service.port = search->tuple.vip_port;
	search->service.protocol = search->tuple.protocol;
	if (!search->flow.source && is_service_port(&search->vip, &search->service))
		return true;
	return host_uses_port(ctx, search);
}

/* The port of try number `i`: the client's own, then some that seem free, then any. 0: none. */
static __always_inline __be16 port_to_try(const struct search *search, __u32 i)
{
	__u32 spread = search->seed + i * XXH_PRIME_1;

	if (!i)
		return search->wanted;
	if (i <= HINT_TRIES)
		return suggest_port(search->flow.backend, search->flow.source, spread);
	return bpf_htons(FIRST_OTHER_PORT + ((spread >> 16) * (65536 - FIRST_OTHER_PORT) >> 16));
}

/* Tries the port that the search has come to. */
static __always_inline void try_tuple(struct attempt *attempt, const struct config *config)
{
	struct search *search = attempt->search;
	__u32 hash = flow_hash_of(config, &search->tuple) + search->step, way;
	struct flow_bucket *bucket = bucket_at(hash);

	if (!bucket || !lock_bucket(bucket))
		return;
	way = choose_way(hash);
	if (way != NO_WAY && !is_port_reserved(attempt->ctx, search))
		write_record(search, bucket, way, hash);
	unlock_bucket(bucket);
	/* Taken by this flow, or by whom it belongs to. */
	if (search->any_port && (search->done || search->held))
		note_port_taken(search->flow.backend, search->flow.source, search->tuple.vip_port);
}

/* Try number `i` of the search. Returns 1 to end it (bpf_loop). */
static long try_port(__u32 i, struct attempt *attempt)
{
	struct search *search = attempt->search;
	struct config *config = get_config();

	if (search->any_port)
		search->tuple.vip_port = port_to_try(search, i);
	else
		search->step = i * BUCKET_STEP;
	if (!config || (i && !search->tuple.vip_port))
		return 0;
	try_tuple(attempt, config);
	return search->done || must_evict(search, i + 1);
}

/*
 * Tries ports until one is free. Where a long search has found none a moment ago, a short one is
 * enough: so a flood to a backend that has no port left costs little.
 */
static __always_inline void search_port(struct attempt *attempt)
{
	struct search *search = attempt->search;
	struct port_hints *hints = hints_of(search->flow.backend, search->flow.source);
	bool is_short = hints && hints->full == search->now;

	bpf_loop(is_short ? FULL_TRIES : PORT_TRIES, try_port, attempt, 0);
	if (!hints || search->victim)
		return;
	if (search->done && hints->full)
		hints->full = 0;
	else if (!search->done && !is_short)
		hints->full = search->now;
}

/*
 * Inserts search->flow into the table: by another port where that may be, else into another bucket.
 * Where nothing is found free, the oldest evictable flow met is evicted. Returns whether there was
 * room.
 */
static __always_inline bool insert_record(struct xdp_md *ctx, struct search *search)
{
	struct attempt attempt = { ctx, search };

	if (search->any_port)
		search_port(&attempt);
	else
		bpf_loop(BUCKET_TRIES, try_port, &attempt, 0);
	if (search->done || !search->victim)
		return search->done;
	search->wanted = search->victim;
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

	if (!flow || !flow->cookie)
		return true;
	own = flow_hash_of(config, &flow->client);
	return !is_pointer_of(pointer, own) || bucket_of((own ^ hash) & ~SIBLING) ||
	       !is_alive(config, flow, now);
}

/* Whether the pointer leads to a flow of the client of this one: another CPU has begun it. */
static __always_inline bool is_twin(__u32 pointer, __u32 hash, const struct flow *own)
{
	const struct flow *flow = is_pointer_of(pointer, hash) ? flow_at(pointer) : NULL;

	return flow && own && flow != own && flow->cookie &&
	       same_tuple(&flow->client, &own->client);
}

/*
 * Makes the client's packets find the record by one pointer of the bucket, in place of that of an
 * evictable flow if `may_evict`. Returns as add_pointer(); NO_FLOW: the pointer is another flow's.
 */
GLOBAL __u32 try_pointer(__u32 hash, __u32 number, __u32 index, __u32 now, __u32 may_evict)
{
	struct flow_bucket *bucket = bucket_at(hash);
	__u32 pointer = make_pointer(hash, index), *pointed, old;
	struct config *config = get_config();
	struct flow *own = flow_at(index);

	if (!bucket || !config)
		return NO_FLOW;
	pointed = pointer_at(bucket, number);
	old = READ_ONCE(*pointed);
	if (old == pointer)
		return index; /* left by the last flow of the same client and port */
	if (old && !is_stale(config, old, hash, now)) {
		struct flow *flow = flow_at(old);

		if (is_twin(old, hash, own))
			return old & (FLOWS - 1);
		if (!may_evict || !flow || !evict(flow))
			return NO_FLOW;
		uncount_flow(flow);
	}
	if (__sync_val_compare_and_swap(pointed, old, pointer) == old)
		return index;
	old = READ_ONCE(*pointed);
	return is_twin(old, hash, own) ? old & (FLOWS - 1) : NO_FLOW;
}

/* Tries all pointers of the bucket. Returns as add_pointer(). */
GLOBAL __u32 try_pointers(__u32 hash, __u32 index, __u32 now, __u32 may_evict)
{
	for (__u32 i = 0; i < FLOW_POINTERS; i++) {
		__u32 found = try_pointer(hash, first_pointer(hash) + i, index, now, may_evict);

		if (found != NO_FLOW)
			return found;
	}
	return NO_FLOW;
}

/*
 * Makes the client's packets find the record. Where the client's bucket is full, its sibling has
 * the pointer; where both are, an evictable flow is ended and its pointer taken. Returns the index
 * of the flow that they find: another one, if the client's packet was on two CPUs at once and the
 * other was first, as both look for a place in one order; or NO_FLOW, if there is no room.
 */
GLOBAL __u32 add_pointer(__u32 hash, __u32 index, __u32 now)
{
	struct flow_bucket *bucket = bucket_at(hash);
	__u32 found = try_pointers(hash, index, now, false);

	if (found != NO_FLOW || !bucket)
		return found;
	if (!bucket->half[1].is_spilled)
		WRITE_ONCE(bucket->half[1].is_spilled, 1);
	found = try_pointers(hash ^ SIBLING, index, now, false);
	return found != NO_FLOW ? found : try_pointers(hash, index, now, true);
}

/* Fills in what the search needs to know of the packet, for a flow to pkt->backend. */
static __always_inline struct search *start_search(struct xdp_md *ctx, struct packet *pkt,
						   const struct backend *backend)
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
	search->ipv6 = pkt->ipv6;
	search->now = pkt->now;
	flow->seen = search->now;
	write_tuple(&flow->client, pkt);
	write_tuple(&search->tuple, pkt);
	flow->backend = pkt->backend;
	flow->generation = backend->generation;
	flow->ifindex = ctx->ingress_ifindex;
	__builtin_memcpy(flow->client_mac, eth->source, ETH_ALEN);
	__builtin_memcpy(flow->own_mac, eth->destination, ETH_ALEN);
	return search;
}

/* The source of a new flow in mode nat: the client's of the pool, or 0. */
GLOBAL __u32 choose_source(__u64 first, __u64 second)
{
	__u64 client[] = { first, second };
	__u32 zero = 0, slot;
	struct pool *pool = bpf_map_lookup_elem(&xlb_pool, &zero);

	slot = (__u64)xxh32(client, sizeof(client), 0) * POOL_SLOTS >> 32;
	/* Else clang leaves out the check, which Linux 6.1 needs. */
	keep_order(slot);
	if (!pool || slot >= POOL_SLOTS)
		return 0;
	return is_ipv4(client) ? pool->ipv4[slot] : pool->ipv6[slot];
}

/* Lets the flow have the source, if there is one. */
static __always_inline void set_source(struct search *search, __u32 source)
{
	__u32 number = POOL_NUMBER(source);
	struct address *address = source ? bpf_map_lookup_elem(&xlb_addresses, &number) : NULL;

	if (!address)
		return;
	search->source_sum = add_sums(address_sum(address),
				      negate_sum(address_sum(&search->address)));
	search->address = *address;
	search->tuple.vip = number;
	search->flow.source = source;
}

/* Whether another backend may have room for the flow, as this one has no port left, or its ports
 * lead to full buckets. That the client's own bucket is full is the same for all. */
static __always_inline bool may_fit_elsewhere(int verdict)
{
	const struct scratch *scratch = get_scratch();

	return scratch && !scratch->search.done &&
	       (verdict == VERDICT_NO_PORT || verdict == VERDICT_TABLE_FULL);
}

/* The backend of the slot, or of one of the next ones, that is another than `full`, or 0. */
GLOBAL __u32 next_backend(__u32 number, __u32 slots, __u32 slot, __u32 full)
{
	void *table = bpf_map_lookup_elem(&xlb_tables, &number);

	for (__u32 i = 0; i < SLOTS_AHEAD && i < slots; i++) {
		__u32 backend = backend_of_slot(table, slot) & ~SLOT_MOVING;

		if (backend && backend != full)
			return backend;
		slot = slot + 1 < slots ? slot + 1 : 0;
	}
	return 0;
}

/* Begins a flow in mode nat, to pkt->backend. The client's port is kept where it is free towards
 * the backend; else ports are tried at random. Returns CONTINUE, or the verdict. */
GLOBAL int begin_nat_flow(struct xdp_md *ctx)
{
	struct packet *pkt = slow_packet();
	struct backend *backend = pkt ? backend_at(pkt->backend) : NULL;
	struct search *search = backend ? start_search(ctx, pkt, backend) : NULL;
	struct vip *vip = search ? bpf_map_lookup_elem(&xlb_vips, pkt->vip) : NULL;
	struct flow *flow, *own;

	if (!vip)
		return VERDICT_INTERNAL;
	copy_address(&search->address, pkt->vip);
	search->vip = *vip;
	search->tuple.peer = backend->address;
	search->tuple.peer_port = backend->port ? backend->port : search->tuple.vip_port;
	set_source(search, choose_source(pkt->peer[0], pkt->peer[1]));
	search->wanted = pkt->ports;
	search->any_port = true;
	search->flow.state = FLOW_NAT | (pkt->is_counted ? FLOW_COUNTED : 0);
	search->seed = bpf_get_prandom_u32();
	if (!insert_record(ctx, search))
		return search->full ? VERDICT_TABLE_FULL : VERDICT_NO_PORT;
	own = flow_at(search->index);
	pkt->flow = add_pointer(pkt->flow_hash, search->index, search->now);
	flow = flow_at(pkt->flow);
	if (!own)
		return VERDICT_INTERNAL;
	if (pkt->is_counted)
		count_live(pkt->backend, 1);
	if (pkt->flow != search->index) {
		end_flow(own);
		uncount_flow(own);
	}
	if (pkt->flow == NO_FLOW || !flow)
		return VERDICT_TABLE_FULL;
	pkt->is_new = pkt->flow == search->index;
	pkt->backend = flow->backend;
	pkt->cookie = READ_ONCE(flow->cookie);
	return pkt->cookie ? CONTINUE : VERDICT_FLOW_GONE;
}

/* Makes the packets of a flow that is remembered find its record, if that is in another bucket than
 * theirs. Returns whether they find one. */
static __always_inline bool point_at_record(const struct packet *pkt, const struct search *search)
{
	__u32 found = search->index;
	struct flow *own;

	if (!search->step)
		return true;
	found = add_pointer(pkt->flow_hash, search->index, search->now);
	own = flow_at(search->index);
	if (own && found != search->index)
		end_flow(own);
	return found != NO_FLOW;
}

/*
 * Writes the record of a new flow. In modes dsr and ipip there may be no room: then its first
 * packet goes where those that follow will, as their flow is not remembered: to the slot's former
 * backend (JET, CoNEXT'20). Returns CONTINUE, or the verdict.
 */
GLOBAL int begin_flow(struct xdp_md *ctx)
{
	struct packet *pkt = slow_packet();
	struct backend *backend;
	struct search *search;

	if (!pkt)
		return VERDICT_INTERNAL;
	if (pkt->mode == MODE_NAT) {
		int verdict = begin_nat_flow(ctx);
		__u32 next = 0;

		if (may_fit_elsewhere(verdict))
			next = next_backend(pkt->table, pkt->slots, pkt->slot, pkt->backend);
		if (!next)
			return verdict;
		pkt->backend = next;
		return begin_nat_flow(ctx);
	}
	backend = backend_at(pkt->backend);
	search = backend ? start_search(ctx, pkt, backend) : NULL;
	if (!search)
		return VERDICT_INTERNAL;
	search->wanted = search->tuple.vip_port;
	if (!(insert_record(ctx, search) && point_at_record(pkt, search)) && pkt->former) {
		pkt->backend = pkt->former;
		pkt->choice = CHOICE_FORMER;
	}
	return CONTINUE;
}

#endif
