// SPDX-License-Identifier: GPL-2.0
/*
 * Socket to socket: what a process writes to a TCP connection within this host goes straight to the
 * queue that the other end reads, past the TCP and IP of both. An example: see README.md.
 *
 * join (sock_ops, of a cgroup) puts both ends of a connection with a chosen port into `sockets`;
 * redirect (sk_msg) sees each write to a socket that is there, and hands it over or leaves it to TCP.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define AF_INET 2
#define MAX_PORTS 64
#define MAX_SOCKETS 65536
#define MAX_QUEUED (1 << 20) /* bytes handed over to a reader who has not read them */

/* What is read of the kernel's own structures; the loader finds the offsets. */
typedef struct {
	int counter;
} atomic_t;

struct sock {
	struct {
		atomic_t rmem_alloc;
	} sk_backlog;
} __attribute__((preserve_access_index));

struct tcp_sock {
	__u32 copied_seq;
	__u32 write_seq;
} __attribute__((preserve_access_index));

/* An end of a connection: its own address and port first. IPv4 as ::ffff:a.b.c.d, since of a
 * connection to a listener of both families one end is AF_INET and the other AF_INET6. The same
 * loopback addresses and ports can be in use in several network namespaces.
 */
struct end {
	__u64 netns;
	__u32 own[4];
	__u32 other[4];
	__u16 own_port; /* host byte order */
	__u16 other_port;
	__u32 padding;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PORTS);
	__type(key, __u16); /* host byte order */
	__type(value, __u8);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, MAX_SOCKETS);
	__type(key, struct end);
	__type(value, __u64); /* eight bytes, so that user space can read it: the socket's cookie */
} sockets SEC(".maps");

/* Where the kernel has the same sockets. An entry may outlive its socket: it is used only to decide
 * how a write goes, and a write to a socket that is no longer in `sockets` goes by TCP.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_SOCKETS);
	__type(key, struct end);
	__type(value, __u64);
} addresses SEC(".maps");

static bool chosen(__u16 port, __u16 other_port)
{
	return bpf_map_lookup_elem(&ports, &port) || bpf_map_lookup_elem(&ports, &other_port);
}

static void map_ipv4(__u32 *address, __u32 ipv4)
{
	address[0] = 0;
	address[1] = 0;
	address[2] = bpf_htonl(0xffff);
	address[3] = ipv4;
}

static bool is_loopback4(const __u32 *address)
{
	return address[2] == bpf_htonl(0xffff) && bpf_ntohl(address[3]) >> 24 == 127;
}

/* A connection from an address to itself, or within 127.0.0.0/8, has both ends on this host. */
static bool is_local(const struct end *end)
{
	if (is_loopback4(end->own) && is_loopback4(end->other))
		return true;
	return end->own[0] == end->other[0] && end->own[1] == end->other[1] &&
	       end->own[2] == end->other[2] && end->own[3] == end->other[3];
}

/* Both programs' contexts have these fields, under the same names. */
#define READ_END(end, context, local, remote)                                                      \
	do {                                                                                       \
		(end)->netns = bpf_get_netns_cookie(context);                                      \
		(end)->local##_port = (context)->local_port;                                       \
		(end)->remote##_port = bpf_ntohl((context)->remote_port);                          \
		if ((context)->family == AF_INET) {                                                \
			map_ipv4((end)->local, (context)->local_ip4);                              \
			map_ipv4((end)->remote, (context)->remote_ip4);                            \
			break;                                                                     \
		}                                                                                  \
		for (int i = 0; i < 4; i++) {                                                      \
			(end)->local[i] = (context)->local_ip6[i];                                 \
			(end)->remote[i] = (context)->remote_ip6[i];                               \
		}                                                                                  \
	} while (0)

static void add(struct bpf_sock_ops *ops)
{
	__u64 address = (__u64)ops->sk;
	struct end end = { 0 };

	READ_END(&end, ops, own, other);
	if (!address || !is_local(&end) || !chosen(end.own_port, end.other_port))
		return;
	bpf_map_update_elem(&addresses, &end, &address, BPF_ANY);
	bpf_sock_hash_update(ops, &sockets, &end, BPF_ANY);
}

SEC("sockops")
int join(struct bpf_sock_ops *ops)
{
	if (ops->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB ||
	    ops->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		add(ops);
	return 1;
}

/* The kernel gives a reader what was handed over before what came by TCP, and lets the queue of the
 * former grow without bound. So nothing is handed over while the reader has not read all that was
 * sent by TCP; and what it has no room for goes by TCP, which makes the writer wait.
 */
static bool can_take(struct sk_msg_md *msg, const struct end *peer)
{
	__u64 *address = bpf_map_lookup_elem(&addresses, peer);
	struct tcp_sock *own = NULL;
	struct sock *reader;

	if (msg->sk)
		own = bpf_skc_to_tcp_sock(msg->sk);
	if (!own || !address)
		return false;
	reader = (struct sock *)*address;
	return BPF_CORE_READ((struct tcp_sock *)reader, copied_seq) == own->write_seq &&
	       BPF_CORE_READ(reader, sk_backlog.rmem_alloc.counter) < MAX_QUEUED;
}

SEC("sk_msg")
int redirect(struct sk_msg_md *msg)
{
	struct end peer = { 0 };

	READ_END(&peer, msg, other, own);
	/* A port that was taken out of the map ends it for connections that are open, too. */
	if (chosen(peer.own_port, peer.other_port) && can_take(msg, &peer))
		bpf_msg_redirect_hash(msg, &sockets, &peer, BPF_F_INGRESS);
	return SK_PASS; /* by TCP, if it was not redirected */
}

char _license[] SEC("license") = "GPL";
