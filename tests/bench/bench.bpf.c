// SPDX-License-Identifier: GPL-2.0
/*
 * For packet.c: the programs that stand in front of the one that is timed, and those that it is
 * compared with. For generate.c: the source of packets on the wire, and their sink.
 *
 * BPF_PROG_TEST_RUN does not put the packet back between its runs. So each run begins with `front`:
 * it writes the headers of the next packet, and calls the program that is in `timed`. The time of
 * `front_empty`, which is the same before the program that does nothing, is subtracted.
 *
 * `front` calls while its stores are still under way, and the program under test waits for some of
 * them. `fenced` and `fenced_empty` drain the store buffer first, by a locked instruction: the packet
 * then lies in the cache, as after DMA, and no packet overlaps with the next.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bench.h"

#define VLAN_HLEN 4
#define TCP_SYN 0x02
#define TCP_ACK 0x10

struct bench bench;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} timed SEC(".maps");

/*
 * Of each flow: its backend's number in the high half, the port that the backend sees in the low.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, BENCH_LEARNT);
	__type(key, __u32);
	__type(value, __u64); /* an array's values lie 8 bytes apart at least */
} learnt SEC(".maps");

/* The packets in the order in which they are sent. It is read from end to end, so that it costs next
 * to nothing, whatever the order of the flows. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, BENCH_VISITS);
	__type(key, __u32);
	__type(value, struct visit);
} visits SEC(".maps");

struct yard_key {
	__be32 source;
	__be32 destination;
	__be32 ports;
	__u32 protocol;
};

struct yard_value {
	__u64 word[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, BENCH_FEW);
	__type(key, struct yard_key);
	__type(value, struct yard_value);
} yard_few SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, BENCH_MANY);
	__type(key, struct yard_key);
	__type(value, struct yard_value);
} yard_many SEC(".maps");

/*
 * The headers in units that are stored, and later loaded, whole: a load that needs two stores which
 * are still under way stalls, and on a real device none is.
 */
struct header4 {
	__u16 eth[6];
	__be16 type;
	__be32 ip[5];
	__be32 l4[5];
} __attribute__((packed, aligned(2)));

struct header6 {
	__u16 eth[6];
	__be16 type;
	__be32 ip[2];
	__be32 source[4];
	__be32 destination[4];
	__be32 l4[5];
} __attribute__((packed, aligned(2)));

/* One packet: last words of its addresses, and its ports, in network byte order. */
struct ends {
	__be32 source;
	__be32 destination;
	__be16 source_port;
	__be16 destination_port;
	__u32 source_prefix; /* IPv6; both in host byte order */
	__u32 destination_prefix;
};

static __always_inline void write_ethernet(__u16 *eth)
{
	*(__u64 *)eth = bpf_cpu_to_be64(0xdeadbeef0010dead);
	*(__u32 *)(eth + 4) = bpf_htonl(0xbeef0001);
}

static __always_inline void write_l4(const struct bench *state, __be32 *l4, const struct ends *ends,
				     __u8 flags)
{
	l4[0] = (__u32)ends->destination_port << 16 | ends->source_port;
	if (state->udp) {
		l4[1] = bpf_htonl((BENCH_FRAME - (state->ipv6 ? 54 : 34)) << 16 | 0x1234);
		return;
	}
	l4[1] = bpf_htonl(BENCH_ISN);
	l4[2] = bpf_htonl(BENCH_ISN + 1);
	l4[3] = bpf_htonl(5 << 28 | flags << 16 | 0xffff);
	l4[4] = bpf_htonl(0x12340000);
}

static __always_inline __u16 header_checksum(const struct bench *state, const struct ends *ends)
{
	__u64 sum = (__u64)ends->source + ends->destination + state->sum;

	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

/* Writes the first bytes of the frame, and returns the IP header, or NULL if that does not fit. */
static __always_inline void *write_link(struct xdp_md *ctx, const struct bench *state, __be16 type,
					__u32 size)
{
	void *frame = (void *)(long)ctx->data;

	if (frame + ETH_HLEN + VLAN_HLEN + size > (void *)(long)ctx->data_end)
		return NULL;
	write_ethernet(frame);
	if (!state->vlan) {
		*(__be16 *)(frame + 2 * ETH_ALEN) = type;
		return frame + ETH_HLEN;
	}
	*(__be16 *)(frame + 2 * ETH_ALEN) = bpf_htons(ETH_P_8021Q);
	*(__be16 *)(frame + ETH_HLEN) = bpf_htons(state->vlan);
	*(__be16 *)(frame + ETH_HLEN + 2) = type;
	return frame + ETH_HLEN + VLAN_HLEN;
}

static __always_inline bool write_ipv4(struct xdp_md *ctx, const struct bench *state,
				       const struct ends *ends, __u8 flags)
{
	__be32 *ip = write_link(ctx, state, bpf_htons(ETH_P_IP), 40);

	if (!ip)
		return false;
	ip[0] = bpf_htonl(0x45000000 | (BENCH_FRAME - ETH_HLEN));
	ip[1] = bpf_htonl(0x4000);
	ip[2] = bpf_htonl(64 << 24 | (state->udp ? IPPROTO_UDP : IPPROTO_TCP) << 16) |
		(__u32)header_checksum(state, ends) << 16;
	ip[3] = ends->source;
	ip[4] = ends->destination;
	write_l4(state, ip + 5, ends, flags);
	return true;
}

static __always_inline bool write_ipv6(struct xdp_md *ctx, const struct bench *state,
				       const struct ends *ends, __u8 flags)
{
	__be32 *ip = write_link(ctx, state, bpf_htons(ETH_P_IPV6), 60);

	if (!ip)
		return false;
	ip[0] = bpf_htonl(0x60000000);
	ip[1] = bpf_htonl((BENCH_FRAME - 54) << 16 | (state->udp ? IPPROTO_UDP : IPPROTO_TCP) << 8 |
			  64);
	*(__u64 *)(ip + 2) = bpf_htonl(ends->source_prefix);
	*(__u64 *)(ip + 4) = (__u64)ends->source << 32;
	*(__u64 *)(ip + 6) = bpf_htonl(ends->destination_prefix);
	*(__u64 *)(ip + 8) = (__u64)ends->destination << 32;
	write_l4(state, ip + 10, ends, flags);
	return true;
}

static __always_inline bool write_packet(struct xdp_md *ctx, const struct bench *state,
					 const struct ends *ends, __u8 flags)
{
	if (state->ipv6)
		return write_ipv6(ctx, state, ends, flags);
	return write_ipv4(ctx, state, ends, flags);
}

/* A packet of flow `i` from its client. */
static __always_inline struct ends from_client(const struct bench *state, __u32 i)
{
	__u32 service = i & (state->services - 1);
	__u32 vip = service >> (state->vip_shift & 31) << (state->vip_spread & 31);

	return (struct ends){
		.source = bpf_htonl(BENCH_CLIENT + (i << (state->client_shift & 31))),
		.source_port = bpf_htons((i * 2654435761U >> 16) | 1024),
		.source_prefix = BENCH_CLIENT_PREFIX,
		.destination = bpf_htonl(state->vip + vip),
		.destination_port = bpf_htons(state->port + (service & state->port_mask)),
		.destination_prefix = BENCH_VIP_PREFIX,
	};
}

/* The answer of the backend: to the port that it sees, at the VIP, or at the client. */
static __always_inline struct ends from_backend(const struct bench *state, __u32 i, __u32 known)
{
	struct ends client = from_client(state, i);

	if (state->visible)
		return (struct ends){
			.source = bpf_htonl(state->backend + (known >> 16)),
			.source_port = client.destination_port,
			.source_prefix = BENCH_BACKEND_PREFIX,
			.destination = client.source,
			.destination_port = client.source_port,
			.destination_prefix = BENCH_CLIENT_PREFIX,
		};
	return (struct ends){
		.source = bpf_htonl(state->backend + (known >> 16)),
		.source_port = client.destination_port,
		.source_prefix = BENCH_BACKEND_PREFIX,
		.destination = client.destination,
		.destination_port = known,
		.destination_prefix = BENCH_VIP_PREFIX,
	};
}

static __always_inline __u32 next_visit(struct bench *state)
{
	__u32 i = state->next;

	state->next = i + 1 >= state->flows ? 0 : i + 1;
	return i;
}

/* Takes away what the last program has put in front of the frame. */
static __always_inline bool put_back(struct xdp_md *ctx, const struct bench *state)
{
	__s64 size = (void *)(long)ctx->data_end - (void *)(long)ctx->data;

	asm volatile("" : "+r"(size)); /* else clang computes with halves of pointers */
	return !bpf_xdp_adjust_head(ctx, (int)(size - state->frame));
}

/* Writes the next packet and calls the program in `slot`. */
static __always_inline int call_next(struct xdp_md *ctx, __u32 slot, bool fenced)
{
	struct bench *state = &bench;
	__u32 next = next_visit(state);
	struct visit *visit = bpf_map_lookup_elem(&visits, &next);
	struct ends ends;

	if (!visit)
		return XDP_ABORTED;
	ends = visit->known ? from_backend(state, visit->flow, visit->known) :
			      from_client(state, visit->flow);
	if (state->grows && !put_back(ctx, state))
		return XDP_ABORTED;
	if (!write_packet(ctx, state, &ends, state->flags))
		return XDP_ABORTED;
	if (fenced)
		__sync_fetch_and_add(&state->fences, 1);
	bpf_tail_call(ctx, &timed, slot);
	return XDP_ABORTED;
}

SEC("xdp")
int front(struct xdp_md *ctx)
{
	return call_next(ctx, BENCH_TESTED, false);
}

SEC("xdp")
int front_empty(struct xdp_md *ctx)
{
	return call_next(ctx, BENCH_EMPTY, false);
}

SEC("xdp")
int fenced(struct xdp_md *ctx)
{
	return call_next(ctx, BENCH_TESTED, true);
}

SEC("xdp")
int fenced_empty(struct xdp_md *ctx)
{
	return call_next(ctx, BENCH_EMPTY, true);
}

/* The ends of the packet that the program under test has left. */
static __always_inline bool read_packet(struct xdp_md *ctx, const struct bench *state,
					struct ends *ends)
{
	void *frame = (void *)(long)ctx->data + (state->vlan ? VLAN_HLEN : 0);
	struct header4 *packet4 = frame;
	struct header6 *packet6 = frame;
	__u32 ports;

	if ((void *)(packet6 + 1) > (void *)(long)ctx->data_end ||
	    (void *)(packet4 + 1) > (void *)(long)ctx->data_end)
		return false;
	ends->source = state->ipv6 ? packet6->source[3] : packet4->ip[3];
	ends->destination = state->ipv6 ? packet6->destination[3] : packet4->ip[4];
	ports = state->ipv6 ? packet6->l4[0] : packet4->l4[0];
	ends->source_port = ports;
	ends->destination_port = ports >> 16;
	return true;
}

/* Learns where the program has sent the first packet of flow `i`. */
static __always_inline bool learn(struct xdp_md *ctx, const struct bench *state, __u32 i)
{
	struct ends client = from_client(state, i), sent = {};
	__u64 known;

	if (!read_packet(ctx, state, &sent) || sent.source != client.destination ||
	    sent.destination == client.destination)
		return false;
	known = (bpf_ntohl(sent.destination) - state->backend) << 16 | sent.source_port;
	return !bpf_map_update_elem(&learnt, &i, &known, BPF_ANY);
}

/* Whether the answer has reached the client of flow `i`. */
static __always_inline bool is_answered(struct xdp_md *ctx, const struct bench *state, __u32 i)
{
	struct ends client = from_client(state, i), sent = {};

	return read_packet(ctx, state, &sent) && sent.destination == client.source &&
	       sent.destination_port == client.source_port && sent.source == client.destination;
}

/* Nothing is learnt of a flow that could not be opened. */
static __always_inline void note_failure(struct bench *state, __u32 i)
{
	__u64 nothing = 0;

	bpf_map_update_elem(&learnt, &i, &nothing, BPF_ANY);
	if (!state->failures)
		state->first_failed = i;
	state->failures++;
	state->failing = true;
}

/*
 * Opens flows as client and backend do, a packet each run: SYN, SYN-ACK (made from what the program
 * has made of the SYN, which is still in the frame), ACK. In UDP without the ACK; state->steps says
 * how many of these. Flows begin in the order of their numbers.
 */
SEC("xdp")
int opener(struct xdp_md *ctx)
{
	struct bench *state = &bench;
	__u32 i = state->next;
	__u64 *known;
	struct ends ends;
	__u8 step = state->step;
	__u8 flags = step == 0 ? TCP_SYN : step == 1 ? TCP_SYN | TCP_ACK : TCP_ACK;

	if (step == 0)
		state->failing = false;
	else if (!state->failing &&
		 !(step == 1 ? learn(ctx, state, i) : is_answered(ctx, state, i)))
		note_failure(state, i);
	known = bpf_map_lookup_elem(&learnt, &i);
	ends = step == 1 && known ? from_backend(state, i, *known) : from_client(state, i);
	state->step = step + 1;
	if (state->step >= state->steps) {
		state->step = 0;
		next_visit(state);
	}
	if (state->failing || !write_packet(ctx, state, &ends, flags))
		return XDP_ABORTED;
	bpf_tail_call(ctx, &timed, BENCH_TESTED);
	return XDP_ABORTED;
}

SEC("xdp")
int empty(struct xdp_md *ctx)
{
	return XDP_PASS;
}

/* Bounds checks, MAC swap. Returns the headers, or NULL. */
static __always_inline void *swap_macs(struct xdp_md *ctx)
{
	struct header6 *packet = (void *)(long)ctx->data;
	__u16 mac[3];

	if ((void *)(packet + 1) > (void *)(long)ctx->data_end)
		return NULL;
	__builtin_memcpy(mac, packet->eth, ETH_ALEN);
	__builtin_memcpy(packet->eth, packet->eth + 3, ETH_ALEN);
	__builtin_memcpy(packet->eth + 3, mac, ETH_ALEN);
	return packet;
}

SEC("xdp")
int lowest(struct xdp_md *ctx)
{
	return swap_macs(ctx) ? XDP_TX : XDP_ABORTED;
}

/* The least that forwards: IPv4 goes on to a MAC, from the one that it came to; all else passes. */
static __always_inline int send_on(struct xdp_md *ctx, __be32 first, __be16 last)
{
	struct header4 *packet = (void *)(long)ctx->data;

	if ((void *)(packet + 1) > (void *)(long)ctx->data_end ||
	    packet->type != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	__builtin_memcpy(packet->eth + 3, packet->eth, ETH_ALEN);
	*(__be32 *)packet->eth = first;
	packet->eth[2] = last;
	return XDP_TX;
}

/* To the sink of pps.sh. */
SEC("xdp")
int least_to_sink(struct xdp_md *ctx)
{
	return send_on(ctx, bpf_htonl(0x02000001), bpf_htons(0x0001));
}

/* To h2 of the lab. */
SEC("xdp")
int least_to_h2(struct xdp_md *ctx)
{
	return send_on(ctx, bpf_htonl(0xdeadbeef), bpf_htons(0x0002));
}

/* The same with the head grown, as for a tunnel: outer headers of `size` bytes, from constants. */
static __always_inline bool grow(struct xdp_md *ctx, __u32 size)
{
	struct header6 *packet;
	__u32 *word;

	if (bpf_xdp_adjust_head(ctx, -(int)size))
		return false;
	packet = (void *)(long)ctx->data;
	if ((void *)(packet + 1) > (void *)(long)ctx->data_end)
		return false;
	write_ethernet(packet->eth);
	packet->type = size == 20 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	word = (void *)packet + ETH_HLEN;
#pragma unroll
	for (__u32 i = 0; i < 40 / sizeof(*word); i++)
		if (i < size / sizeof(*word))
			word[i] = 0x01020304;
	return true;
}

SEC("xdp")
int lowest_grown(struct xdp_md *ctx)
{
	if (!swap_macs(ctx))
		return XDP_ABORTED;
	return grow(ctx, 20) ? XDP_TX : XDP_ABORTED;
}

SEC("xdp")
int lowest_grown6(struct xdp_md *ctx)
{
	if (!swap_macs(ctx))
		return XDP_ABORTED;
	return grow(ctx, 40) ? XDP_TX : XDP_ABORTED;
}

/* What finds the packet in the yardstick's map; the addresses' last words, in IPv6. */
static __always_inline bool yard_key(struct xdp_md *ctx, struct yard_key *key)
{
	struct header4 *packet4 = (void *)(long)ctx->data;
	struct header6 *packet6 = (void *)(long)ctx->data;

	if ((void *)(packet6 + 1) > (void *)(long)ctx->data_end ||
	    (void *)(packet4 + 1) > (void *)(long)ctx->data_end)
		return false;
	if (packet4->type == bpf_htons(ETH_P_IPV6)) {
		key->source = packet6->source[3];
		key->destination = packet6->destination[3];
		key->ports = packet6->l4[0];
		key->protocol = bpf_ntohl(packet6->ip[1]) >> 8 & 0xff;
	} else {
		key->source = packet4->ip[3];
		key->destination = packet4->ip[4];
		key->ports = packet4->l4[0];
		key->protocol = bpf_ntohl(packet4->ip[2]) >> 16 & 0xff;
	}
	return true;
}

/* The floor and one lookup, whose value is used. */
static __always_inline int measure(struct xdp_md *ctx, void *map)
{
	struct yard_key key = {};
	struct yard_value *value;

	if (!yard_key(ctx, &key))
		return XDP_ABORTED;
	value = bpf_map_lookup_elem(map, &key);
	if (!value || value->word[0] != 1)
		return XDP_DROP;
	return swap_macs(ctx) ? XDP_TX : XDP_ABORTED;
}

SEC("xdp")
int yard_of_few(struct xdp_md *ctx)
{
	return measure(ctx, &yard_few);
}

SEC("xdp")
int yard_of_many(struct xdp_md *ctx)
{
	return measure(ctx, &yard_many);
}

static __always_inline int fill(struct xdp_md *ctx, void *map)
{
	struct yard_value value = { { 1 } };
	struct yard_key key = {};

	if (!yard_key(ctx, &key) || bpf_map_update_elem(map, &key, &value, BPF_ANY))
		return XDP_ABORTED;
	return XDP_TX;
}

static __always_inline int clear(struct xdp_md *ctx, void *map)
{
	struct yard_key key = {};

	if (!yard_key(ctx, &key))
		return XDP_ABORTED;
	bpf_map_delete_elem(map, &key); /* a flow that comes twice is gone already */
	return XDP_TX;
}

SEC("xdp")
int fill_few(struct xdp_md *ctx)
{
	return fill(ctx, &yard_few);
}

SEC("xdp")
int fill_many(struct xdp_md *ctx)
{
	return fill(ctx, &yard_many);
}

SEC("xdp")
int clear_few(struct xdp_md *ctx)
{
	return clear(ctx, &yard_few);
}

SEC("xdp")
int clear_many(struct xdp_md *ctx)
{
	return clear(ctx, &yard_many);
}

/* The checksum of a datagram of zeros (UDP over IPv4): who receives it may look at it. */
static __always_inline bool sum_datagram(struct xdp_md *ctx, const struct ends *ends)
{
	const __u32 length = BENCH_FRAME - 34;
	struct header4 *packet = (void *)(long)ctx->data;
	__u64 sum = (__u64)ends->source + ends->destination + bpf_htons(IPPROTO_UDP) +
		    2 * bpf_htons(length);

	if ((void *)(packet + 1) > (void *)(long)ctx->data_end)
		return false;
	sum += packet->l4[0];
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	packet->l4[1] = bpf_htonl(length << 16) | ((__u32)~sum & 0xffff) << 16;
	return true;
}

/* Sends the next flow's packet by another device (live frames). */
SEC("xdp")
int generator(struct xdp_md *ctx)
{
	struct bench *state = &bench;
	struct ends ends = from_client(state, next_visit(state));

	if (!write_packet(ctx, state, &ends, state->flags) || !sum_datagram(ctx, &ends))
		return XDP_ABORTED;
	return bpf_redirect(state->ifindex, 0);
}

/* Swaps both ends of a packet, so that it goes back. */
static __always_inline int reflect(struct xdp_md *ctx)
{
	struct header4 *packet = swap_macs(ctx);
	__be32 source;

	if (!packet || (void *)(packet + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	source = packet->ip[3];
	packet->ip[3] = packet->ip[4];
	packet->ip[4] = source;
	packet->l4[0] = packet->l4[0] >> 16 | packet->l4[0] << 16;
	return XDP_TX;
}

/* The far end of generated packets, UDP over IPv4 or in a tunnel; all others pass. */
SEC("xdp")
int sink(struct xdp_md *ctx)
{
	struct header4 *packet = (void *)(long)ctx->data;
	struct bench *state = &bench;
	__u8 protocol;

	if ((void *)(packet + 1) > (void *)(long)ctx->data_end ||
	    packet->type != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	protocol = bpf_ntohl(packet->ip[2]) >> 16;
	if (protocol != IPPROTO_UDP && protocol != IPPROTO_IPIP)
		return XDP_PASS;
	if (state->mac && *(__u32 *)(packet->eth + 1) != state->mac)
		return XDP_DROP;
	state->arrived++;
	state->last = bpf_ktime_get_ns();
	if (!state->reflect || protocol != IPPROTO_UDP)
		return XDP_DROP;
	state->reflect--;
	return reflect(ctx);
}

char _license[] SEC("license") = "GPL";
