/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The packet that is under way, and how its bytes are reached.
 *
 * All stages are written once and compiled twice: for the fast path, where a packet's fields are
 * registers and its headers lie where they ordinarily do, and for the slow path, where the packet
 * lies in a map and each header is looked up by its offset. struct frame tells which of both it is.
 */
#ifndef PACKET_H
#define PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "maps/packet_maps.bpf.h"
#include "table.h"

#define MAX_VLAN_TAGS 2
#define VLAN_SIZE 4 /* of a tag, in bytes */

#define IPV4_MORE_FRAGMENTS 0x2000 /* RFC 791, of the 16 bits that hold flags and offset */
#define IPV4_DONT_FRAGMENT 0x4000
#define IPV4_FRAGMENT_OFFSET 0x1fff
#define IPV4_PLAIN 0x45 /* version and header length without options */

#define TCP_FIN 0x01 /* byte 13 of the header */
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#define MAX_OFFSET 0x3fff /* of a header in the frame */

#define GOLDEN_RATIO 0x9E3779B97F4A7C15ULL /* 2^64 over the golden ratio: Knuth, volume 3, 6.4 */

/*
 * Makes a function that the verifier checks by itself, once, and not again on every path that leads
 * to it. Its arguments are numbers where it can be, since an address that is passed keeps what it
 * points to out of registers.
 */
#define GLOBAL __attribute__((noinline))

#define barrier() asm volatile("" ::: "memory")
/* Keeps clang from moving the computation of a value over a check of it, or behind a branch. */
#define keep_order(value) asm volatile("" : "+r"(value))

#define READ_ONCE(x) (*(volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile typeof(x) *)&(x) = (value))

/* The Ethernet header as the words it is aligned to; <linux/if_ether.h> has it packed, by bytes. */
struct ethernet {
	__u16 destination[3];
	__u16 source[3];
	__be16 type;
};

/*
 * The IP headers by the words that they are read and written by. Words are in network byte order;
 * parts are taken out of them by shifts, for a little-endian machine.
 */
struct ipv4_words {
	__u32 first; /* version and length, TOS, total length */
	__u32 fragment; /* id, flags and offset */
	__u32 ttl; /* TTL, protocol, checksum */
	__be32 source;
	__be32 destination;
};

struct ipv6_words {
	__u32 first; /* version, class, flow label */
	__u32 ttl; /* payload length, next header, hop limit */
	__u64 source[2];
	__u64 destination[2];
} __attribute__((aligned(4)));

struct ports {
	__be16 source;
	__be16 destination;
};

/* Where the parts of an ICMP error are in the frame, as offsets. */
struct quote {
	__u32 icmp; /* the ICMP header */
	__u32 l3; /* the quoted packet's IP header */
	__u32 l4;
	__u32 end;
};

/* What the packet in an ICMP error becomes: what the side that the error is for once sent. */
struct quoted {
	__u64 source[2];
	__u64 destination[2];
	__u32 ports;
	__u32 address_sum; /* what the change of addresses adds to a checksum */
	__u32 flow_sum; /* and that of addresses and ports */
	__u32 outer_sum; /* and that of the error's own addresses */
};

/* What is read of a TCP segment. */
struct segment {
	__u32 sequence, acknowledged;
	__u32 end; /* the number after its last byte; a FIN counts */
	__u32 has_data;
};

/*
 * A packet on its way through the stages. Nothing changes addresses, ports and hashes once they are
 * set. Those of an ICMP error are those of the flow that it is about.
 */
struct packet {
	__u64 peer[2]; /* source, as struct address: the client, or of an answer the backend */
	__u64 vip[2]; /* destination; of an answer in mode dnat the client */
	__u32 ports; /* as in the frame: the source port in the low half */
	__u32 hash; /* selects the slot */
	__u32 flow_hash; /* finds the flow */
	__u32 length; /* of the frame, in bytes */
	__u32 size; /* of the IP packet, in bytes, by its header */
	__u32 now; /* tick; on the fast path read in mode nat only */
	__u32 l3; /* offset of the IP header */
	__u32 l4; /* offset of the TCP, UDP or ICMP header */
	__u32 tag[MAX_VLAN_TAGS]; /* each with the EtherType before it, as in the frame */
	__u32 tags; /* number of tags; on the fast path read where they are needed */
	__be32 fragment_id;
	__be32 new_id; /* of a fragment that is translated */
	__u32 fragment_at; /* IPv6: offset of the fragment header */
	__u16 fragment; /* as in IPv4: IPV4_MORE_FRAGMENTS, IPV4_FRAGMENT_OFFSET; 0: it is whole */
	__u8 fragment_protocol; /* part of the fragment's key */
	__u8 protocol; /* of L4 */
	__u8 tcp_flags; /* 0 for all that is not TCP, and for later fragments */
	__u8 ipv6;
	__u8 is_error; /* an ICMP error: never answered with another */
	__u8 fault; /* enum verdict: what a service drops it for; 0: nothing */
	__u8 dry_run; /* see struct decision */
	__u8 from_backend; /* an answer, in modes nat and dnat */
	__u8 is_left; /* mode dnat: the host forwards it, and resolves the way */
	/* Found on the way: */
	__u16 vip_number;
	__u8 is_to_others; /* neither to a VIP nor to the host, for sure */
	__u32 service; /* number, or 0 */
	__u32 backend; /* or 0 */
	__u16 choice; /* enum choice */
	__u16 mtu; /* of the next hop, for a packet that is too big */
	__u32 table, slots, slot; /* of the service; slow path, for a new flow */
	__u16 former; /* the backend that a SYN gets whose flow cannot be recorded, or 0 */
	__u8 to_remember; /* modes dsr and ipip: its flow is to be recorded */
	__u8 is_new; /* it begins a flow */
	__u8 is_counted; /* mode nat: its flow is to be counted, see least.h */
	__u32 mode; /* enum mode, or what the service says */
	__u32 source; /* dry run: of its flow, see struct flow */
	__u32 flow; /* index of its record, or NO_FLOW */
	__u32 cookie; /* of that flow */
	struct segment segment; /* slow path, of a TCP flow that is known */
	struct quote quote; /* of an ICMP error */
	struct quoted quoted;
	/* Both paths: */
	__u16 macs[6]; /* next hop's and our own, where no record has both */
	__u32 fib_ifindex; /* mode dnat: of the device that the kernel routes to, */
	__u32 fib_mtu; /* and what fits it */
};

#define NO_FLOW FLOWS /* no index of a record */
#define BEGIN_FLOW SLOW_END /* slow path, beside the verdicts: a record is to be written first */

/* How the stages reach the packet's bytes. It has pointers, so it is never stored in a map. */
struct frame {
	struct xdp_md *ctx;
	bool fast; /* known to the compiler: which of both paths this is */
	/* Fast path only; all bytes up to the end of a TCP header without options are there: */
	void *eth;
	void *l3;
	void *l4;
};

/*
 * The packet of the slow path: xlb_scratch begins with it. Functions that only the slow path calls
 * take it from here: were its address passed to them, it would not stay in registers on the fast
 * path either, as that is the same text.
 */
static __always_inline struct packet *slow_packet(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&xlb_scratch, &zero);
}

/* Where the frame begins and ends. Read anew each time: else clang keeps the 32 bits that struct
 * xdp_md has, and makes a pointer of them later, which the verifier refuses. */
static __always_inline void *frame_start(const struct xdp_md *ctx)
{
	return (void *)(long)READ_ONCE(ctx->data);
}

static __always_inline void *frame_end(const struct xdp_md *ctx)
{
	return (void *)(long)READ_ONCE(ctx->data_end);
}

/* See struct decision. */
static __always_inline bool is_dry_run(const struct xdp_md *ctx)
{
	return ctx->data_meta < ctx->data;
}

/* `size` bytes of the frame from `offset` on, or NULL if it ends before. */
static __always_inline void *frame_at(const struct xdp_md *ctx, __u32 offset, __u32 size)
{
	void *at = frame_start(ctx) + (offset & MAX_OFFSET);

	return at + size > frame_end(ctx) ? NULL : at;
}

static __always_inline __u32 ip_header_size(bool ipv6)
{
	return ipv6 ? sizeof(struct ipv6_words) : sizeof(struct ipv4_words);
}

/* The first `size` bytes of a header, or NULL (slow path only). */
static __always_inline struct ethernet *eth_at(const struct frame *frame)
{
	return frame->fast ? frame->eth : frame_at(frame->ctx, 0, sizeof(struct ethernet));
}

static __always_inline void *l3_at(const struct frame *frame, const struct packet *pkt, __u32 size)
{
	return frame->fast ? frame->l3 : frame_at(frame->ctx, pkt->l3, size);
}

static __always_inline void *l4_at(const struct frame *frame, const struct packet *pkt, __u32 size)
{
	return frame->fast ? frame->l4 : frame_at(frame->ctx, pkt->l4, size);
}

/* The TTL or hop limit. */
static __always_inline __u8 ttl_of(const struct frame *frame, const struct packet *pkt)
{
	const void *l3 = l3_at(frame, pkt, ip_header_size(false));

	if (!frame->fast && !l3)
		return 0;
	return pkt->ipv6 ? ((const struct ipv6_words *)l3)->ttl >> 24 :
			   ((const struct ipv4_words *)l3)->ttl;
}

/* Whether a header is not there, which the fast path knows it is. */
static __always_inline bool is_missing(const struct frame *frame, const void *header)
{
	return !frame->fast && !header;
}

/* The tick now. Reading the clock costs 3 ns, so it is read once a jiffy, for each VIP and CPU. */
static __always_inline __u32 read_tick(struct cached_vip *vip)
{
	__u32 jiffy = bpf_jiffies64();

	if (vip->jiffy != jiffy) {
		vip->tick = bpf_ktime_get_coarse_ns() >> TICK_SHIFT;
		vip->jiffy = jiffy;
	}
	return vip->tick;
}

static __always_inline bool is_vlan(__be16 type)
{
	return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

/* The second half of an IPv4 address as struct address; the first is 0. */
static __always_inline __u64 mapped_ipv4(__be32 address)
{
	return (__u64)address << 32 | IPV4_MAPPED;
}

static __always_inline bool is_later_fragment(const struct packet *pkt)
{
	return pkt->fragment & IPV4_FRAGMENT_OFFSET;
}

static __always_inline bool is_icmp(const struct packet *pkt)
{
	return pkt->protocol == (pkt->ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

static __always_inline bool begins_connection(const struct packet *pkt)
{
	return (pkt->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

/* MACs are 2-byte aligned everywhere. */
static __always_inline bool is_zero_mac(const void *mac)
{
	const __u16 *word = mac;

	return !(*(const __u32 *)word | word[2]);
}

static __always_inline bool same_mac(const void *a, const void *b)
{
	const __u16 *x = a;
	const __u16 *y = b;

	return x[0] == y[0] && *(const __u32 *)(x + 1) == *(const __u32 *)(y + 1);
}

static __always_inline bool is_group_mac(const void *mac)
{
	return *(const __u8 *)mac & 1;
}

/* Whether a frame to this MAC gets to one host. */
static __always_inline bool is_host_mac(const void *mac)
{
	return !is_group_mac(mac) && !is_zero_mac(mac);
}

/*
 * Tuples are built and compared by words of 8 bytes: a load waits for a narrower store before it
 * (measured: some 5 ns each).
 */

/* The third word of struct tuple. */
static __always_inline __u64 tuple_tail(const struct packet *pkt)
{
	return pkt->ports | (__u64)pkt->vip_number << 32 | (__u64)pkt->protocol << 48;
}

/* What is hashed of it: the ports, and which address of the pool they are sent to, as flows of one
 * port and many sources would else share a bucket. */
static __always_inline __u64 hashed_tail(__u32 ports, __u16 vip)
{
	__u64 is_pool = ((__s64)MAX_SERVICES - vip) >> 63; /* all bits or none: no branch */

	keep_order(is_pool);
	return ports | ((__u64)vip << 32 & is_pool);
}

static __always_inline void write_tuple(struct tuple *tuple, const struct packet *pkt)
{
	__u64 *word = (__u64 *)tuple;

	word[0] = pkt->peer[0];
	word[1] = pkt->peer[1];
	word[2] = tuple_tail(pkt);
}

/* Of words that are aligned to 4 bytes only. */
static __always_inline void copy_words(__u32 to[4], const void *from)
{
	__builtin_memcpy(to, from, sizeof(struct address));
}

static __always_inline __u32 swap_ports(__u32 ports)
{
	return ports << 16 | ports >> 16;
}

static __always_inline void copy_address(void *to, const void *from)
{
	((__u64 *)to)[0] = ((const __u64 *)from)[0];
	((__u64 *)to)[1] = ((const __u64 *)from)[1];
}

#endif
