// SPDX-License-Identifier: GPL-2.0
/*
 * Balanced at connect: programs of a cgroup that choose the backend when a socket connects, or
 * sends without being connected. The socket then speaks to the backend itself, no packet is
 * touched. They go by the balancer's own maps, or by maps of their own:
 *
 *   connect4, connect6           a VIP becomes a backend's address; TCP, and UDP that connects
 *   sendmsg4, sendmsg6           the same for a datagram that says where to
 *   recvmsg4, recvmsg6           what comes from the backend says that it is from the VIP
 *   getpeername4, getpeername6   the same for who asks
 *
 * Where a VIP has no service for the port, and for every other address, nothing is changed. The
 * deny list and limits do not apply.
 */
#define PINNING LIBBPF_PIN_NONE

#include <linux/in.h>

#include "datapath/table.h"

#define keep_order(value) asm volatile("" : "+r"(value))

#define ANSWER_ERROR 0 /* the call ends with EPERM */
#define LET_PASS 1

/* How often a backend is drawn that can be of use. One of the other family cannot be: a socket does
 * not change its family. */
#define DRAWS 32

/* Whom a socket speaks to, and in the name of which VIP. */
struct peer {
	struct address vip;
	struct address address; /* the backend's */
	__be16 vip_port;
	__be16 port; /* the backend's; 0: this entry is free */
	__u32 backend; /* number */
	__u32 slot; /* one that the backend had in the service's table */
	__u32 sent; /* when it was last sent to, in sends of the socket */
};

/* The peer of a connected socket. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct peer);
} xlb_connected SEC(".maps");

/* The peers of a socket that sends without being connected; the oldest makes room. */
#define MAX_PEERS 32 /* a power of two */
#define NO_ENTRY MAX_PEERS
struct peers {
	struct bpf_spin_lock lock; /* threads may share a socket */
	__u32 sends;
	__u32 next; /* entry that is written next */
	__u32 unused;
	struct peer peer[MAX_PEERS];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct peers);
} xlb_peers SEC(".maps");

/* A call that goes somewhere, and what is found on its way. */
struct call {
	struct tuple client; /* where from, as far as the socket is bound, and to which port */
	struct address to;
	struct service *service;
	__u32 hash; /* that selects the slot */
	__u32 entry; /* of struct peers */
	struct peer peer;
};

static __always_inline bool is_same(const struct address *a, const struct address *b)
{
	const __u32 *x = a->word, *y = b->word;

	return x[3] == y[3] && x[2] == y[2] && x[1] == y[1] && x[0] == y[0];
}

static __always_inline void map_ipv4(struct address *address, __be32 ipv4)
{
	address->word[0] = 0;
	address->word[1] = 0;
	address->word[2] = IPV4_MAPPED;
	address->word[3] = ipv4;
}

/* The address that the call is about, as the caller's or the kernel's words have it. */
static __always_inline void read_address(const struct bpf_sock_addr *ctx, bool ipv6,
					 struct address *address)
{
	if (!ipv6) {
		map_ipv4(address, ctx->user_ip4);
		return;
	}
	address->word[0] = ctx->user_ip6[0];
	address->word[1] = ctx->user_ip6[1];
	address->word[2] = ctx->user_ip6[2];
	address->word[3] = ctx->user_ip6[3];
}

static __always_inline void write_address(struct bpf_sock_addr *ctx, bool ipv6,
					  const struct address *address, __be16 port)
{
	ctx->user_port = port;
	if (!ipv6) {
		ctx->user_ip4 = address->word[3];
		return;
	}
	ctx->user_ip6[0] = address->word[0];
	ctx->user_ip6[1] = address->word[1];
	ctx->user_ip6[2] = address->word[2];
	ctx->user_ip6[3] = address->word[3];
}

/* What the socket is bound to; zero is what it is not. */
static __always_inline void read_source(const struct bpf_sock_addr *ctx, bool ipv6,
					struct tuple *client)
{
	struct bpf_sock *sk = ctx->sk;

	client->peer_port = bpf_htons(sk->src_port);
	if (!ipv6) {
		if (sk->src_ip4)
			map_ipv4(&client->peer, sk->src_ip4);
		return;
	}
	client->peer.word[0] = sk->src_ip6[0];
	client->peer.word[1] = sk->src_ip6[1];
	client->peer.word[2] = sk->src_ip6[2];
	client->peer.word[3] = sk->src_ip6[3];
}

/* Whether the call goes to a service, which is then known. */
static __always_inline bool find_service(const struct bpf_sock_addr *ctx, bool ipv6,
					 struct call *call)
{
	union service_word wanted = {};
	struct vip *vip;

	read_address(ctx, ipv6, &call->to);
	vip = bpf_map_lookup_elem(&xlb_vips, &call->to);
	if (!vip)
		return false;
	read_source(ctx, ipv6, &call->client);
	call->client.vip = vip->number;
	call->client.vip_port = ctx->user_port;
	call->client.protocol = ctx->protocol;
	wanted.key.vip = call->client.vip;
	wanted.key.port = call->client.vip_port;
	wanted.key.protocol = call->client.protocol;
	call->service = service_at(&wanted);
	return call->service && call->service->mode != MODE_USER;
}

/* Takes the slot's backend, if there is one and it can be reached by this socket. */
static __always_inline bool take_slot(struct call *call, __u32 slot)
{
	__u32 number = backend_of_slot(table_of(call->service), slot) & ~SLOT_MOVING;
	struct backend *backend = backend_at(number);

	if (!number || !backend || is_ipv4(&backend->address) != is_ipv4(&call->to))
		return false;
	call->peer.vip = call->to;
	call->peer.vip_port = call->client.vip_port;
	call->peer.address = backend->address;
	call->peer.port = backend->port ? backend->port : call->client.vip_port;
	call->peer.backend = number;
	call->peer.slot = slot;
	return true;
}

static long draw_slot(__u32 index, void *argument)
{
	struct call *call = argument;

	if (take_slot(call, slot_at(call->service, call->hash)))
		return 1;
	call->hash = xxh32(&call->hash, sizeof(call->hash), 0);
	return 0;
}

/* Draws a backend by weight: slots are shared out by it. Returns whether there is one. */
static __always_inline bool draw_backend(struct call *call)
{
	const __u64 *source = (const __u64 *)&call->client.peer;

	call->hash = bpf_get_prandom_u32();
	if (call->service->hash == HASH_SOURCE && (source[0] | source[1]))
		call->hash = source_hash(source);
	bpf_loop(DRAWS, draw_slot, call, 0);
	return call->peer.backend;
}

/*
 * Counts. Atomic, as the data path may interrupt this on its CPU and count in the same place. It
 * counts packets; a socket's are not seen here, but for the one that is refused.
 */
static __always_inline void count_choice(const struct call *call, enum verdict verdict)
{
	__u32 service_number = call->service->number, backend_number = call->peer.backend;
	struct service_stats *service = bpf_map_lookup_elem(&xlb_svc_stats, &service_number);
	struct backend_stats *backend = bpf_map_lookup_elem(&xlb_be_stats, &backend_number);

	if (!service || !backend)
		return;
	if (verdict != VERDICT_FORWARDED) {
		__sync_fetch_and_add(&service->verdict[verdict].packets, 1);
		return;
	}
	__sync_fetch_and_add(&service->flows, 1);
	__sync_fetch_and_add(&backend->flows, 1);
}

/* Tells the helper of the choice. */
static __always_inline void trace_choice(const struct call *call, enum verdict verdict)
{
	struct config *config = get_config();
	struct event *event;

	if (!config || !(config->flags & CONFIG_TRACE) ||
	    !is_traced(&config->trace, (const __u64 *)&call->client))
		return;
	event = bpf_ringbuf_reserve(&xlb_trace, sizeof(*event), 0);
	if (!event)
		return;
	*event = (struct event){
		.time = bpf_ktime_get_ns(),
		.tuple = call->client,
		.vip = call->to,
		.backend = call->peer.backend,
		.service = call->service->number,
		.verdict = verdict,
		.choice = call->peer.backend ? CHOICE_TABLE : CHOICE_NONE,
	};
	bpf_ringbuf_submit(event, 0);
}

/* Draws a backend, counts and tells. Returns whether there is one. */
static __always_inline bool choose_backend(struct call *call)
{
	bool is_found = draw_backend(call);
	enum verdict verdict = is_found ? VERDICT_FORWARDED : VERDICT_NO_BACKEND;

	count_choice(call, verdict);
	trace_choice(call, verdict);
	return is_found;
}

static __always_inline int connect(struct bpf_sock_addr *ctx, bool ipv6)
{
	struct call call = {};
	struct peer *peer;

	if (!find_service(ctx, ipv6, &call)) {
		bpf_sk_storage_delete(&xlb_connected, ctx->sk);
		return LET_PASS;
	}
	if (!choose_backend(&call))
		return ANSWER_ERROR;
	peer = bpf_sk_storage_get(&xlb_connected, ctx->sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (peer)
		*peer = call.peer;
	write_address(ctx, ipv6, &call.peer.address, call.peer.port);
	return LET_PASS;
}

/* The backend that the socket has for this VIP and port, into call->peer. */
static __always_inline void recall_backend(struct peers *peers, struct call *call)
{
	bpf_spin_lock(&peers->lock);
	peers->sends++;
	for (__u32 i = 0; i < MAX_PEERS; i++) {
		struct peer *peer = &peers->peer[i];

		if (peer->vip_port == call->client.vip_port && is_same(&peer->vip, &call->to)) {
			peer->sent = peers->sends;
			call->peer = *peer;
			call->entry = i;
			break;
		}
	}
	bpf_spin_unlock(&peers->lock);
}

/* Keeps what was found or drawn, in the entry of this VIP or else in that of the oldest. */
static __always_inline void keep_backend(struct peers *peers, const struct call *call)
{
	__u32 entry = call->entry;

	bpf_spin_lock(&peers->lock);
	if (entry == NO_ENTRY)
		entry = peers->next++;
	entry &= MAX_PEERS - 1;
	keep_order(entry);
	peers->peer[entry] = call->peer;
	peers->peer[entry].sent = peers->sends;
	bpf_spin_unlock(&peers->lock);
}

/* A walk through a service's slots. */
struct search {
	__u32 table;
	__u32 backend; /* number that is looked for */
	__u32 slot; /* that has it */
	bool is_found;
};

static long look_at_word(__u32 index, void *argument)
{
	struct search *search = argument;
	void *table = bpf_map_lookup_elem(&xlb_tables, &search->table);
	struct slots *slots = table ? bpf_map_lookup_elem(table, &index) : NULL;

	if (!slots)
		return 1;
	for (int i = 0; i < SLOTS_PER_WORD; i++) {
		if ((slots->backend[i] & ~SLOT_MOVING) != search->backend)
			continue;
		search->slot = index * SLOTS_PER_WORD + i;
		search->is_found = true;
		return 1;
	}
	return 0;
}

/*
 * Whether the backend that the socket has is up: then it has slots. The one that it had is looked
 * at first; if a change has moved that, any other will do.
 */
static __always_inline bool is_still_up(struct call *call)
{
	const struct peer known = call->peer;
	struct search search = { .table = call->service->table, .backend = known.backend };

	if (!known.port)
		return false;
	if (take_slot(call, known.slot) && call->peer.backend == known.backend)
		return is_same(&call->peer.address, &known.address);
	bpf_loop((call->service->slots + SLOTS_PER_WORD - 1) / SLOTS_PER_WORD, look_at_word,
		 &search, 0);
	return search.is_found && take_slot(call, search.slot) &&
	       is_same(&call->peer.address, &known.address);
}

static __always_inline int send(struct bpf_sock_addr *ctx, bool ipv6)
{
	struct call call = { .entry = NO_ENTRY };
	struct peers *peers;
	__u32 slot;

	if (!find_service(ctx, ipv6, &call))
		return LET_PASS;
	peers = bpf_sk_storage_get(&xlb_peers, ctx->sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (peers)
		recall_backend(peers, &call);
	slot = call.peer.slot;
	if (!is_still_up(&call)) {
		call.peer = (struct peer){};
		if (!choose_backend(&call))
			return ANSWER_ERROR;
		slot = ~call.peer.slot;
	}
	if (peers && call.peer.slot != slot)
		keep_backend(peers, &call);
	write_address(ctx, ipv6, &call.peer.address, call.peer.port);
	return LET_PASS;
}

static __always_inline bool is_from(const struct peer *peer, const struct address *from,
				    __be16 port)
{
	return peer->port == port && is_same(&peer->address, from);
}

/* Shows the VIP in place of a connected socket's backend. Returns whether it is that. */
static __always_inline bool show_connected(struct bpf_sock_addr *ctx, bool ipv6,
					   const struct address *from)
{
	struct peer *peer = bpf_sk_storage_get(&xlb_connected, ctx->sk, NULL, 0);

	if (!peer || !is_from(peer, from, ctx->user_port))
		return false;
	write_address(ctx, ipv6, &peer->vip, peer->vip_port);
	return true;
}

/* The same of one that is not: of several VIPs that have this backend, the last one sent to. */
static __always_inline void show_unconnected(struct bpf_sock_addr *ctx, bool ipv6,
					     const struct address *from)
{
	struct peers *peers = bpf_sk_storage_get(&xlb_peers, ctx->sk, NULL, 0);
	__be16 port = ctx->user_port, vip_port = 0;
	__u32 age = ~0U;
	struct address vip = {};

	if (!peers)
		return;
	bpf_spin_lock(&peers->lock);
	for (int i = 0; i < MAX_PEERS; i++) {
		struct peer *peer = &peers->peer[i];

		if (!is_from(peer, from, port) || peers->sends - peer->sent >= age)
			continue;
		age = peers->sends - peer->sent;
		vip = peer->vip;
		vip_port = peer->vip_port;
	}
	bpf_spin_unlock(&peers->lock);
	if (vip_port)
		write_address(ctx, ipv6, &vip, vip_port);
}

static __always_inline int show_peer(struct bpf_sock_addr *ctx, bool ipv6)
{
	struct address from;

	read_address(ctx, ipv6, &from);
	show_connected(ctx, ipv6, &from);
	return LET_PASS;
}

static __always_inline int receive(struct bpf_sock_addr *ctx, bool ipv6)
{
	struct address from;

	read_address(ctx, ipv6, &from);
	if (!show_connected(ctx, ipv6, &from))
		show_unconnected(ctx, ipv6, &from);
	return LET_PASS;
}

SEC("cgroup/connect4")
int xlb_connect4(struct bpf_sock_addr *ctx)
{
	return connect(ctx, false);
}

SEC("cgroup/connect6")
int xlb_connect6(struct bpf_sock_addr *ctx)
{
	return connect(ctx, true);
}

SEC("cgroup/sendmsg4")
int xlb_sendmsg4(struct bpf_sock_addr *ctx)
{
	return send(ctx, false);
}

SEC("cgroup/sendmsg6")
int xlb_sendmsg6(struct bpf_sock_addr *ctx)
{
	return send(ctx, true);
}

SEC("cgroup/recvmsg4")
int xlb_recvmsg4(struct bpf_sock_addr *ctx)
{
	return receive(ctx, false);
}

SEC("cgroup/recvmsg6")
int xlb_recvmsg6(struct bpf_sock_addr *ctx)
{
	return receive(ctx, true);
}

SEC("cgroup/getpeername4")
int xlb_peername4(struct bpf_sock_addr *ctx)
{
	return show_peer(ctx, false);
}

SEC("cgroup/getpeername6")
int xlb_peername6(struct bpf_sock_addr *ctx)
{
	return show_peer(ctx, true);
}

char _license[] SEC("license") = "GPL";
