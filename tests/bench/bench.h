/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs that make packets (bench.bpf.c) share with those that run them.
 *
 * Flow i is that of client BENCH_CLIENT + i, of a port made from i, to service i % services, of
 * which eight are ports of one VIP. Addresses are given by their last word in host byte order; IPv6
 * has a word before. lib.sh's configuration() is what belongs to them.
 */
#ifndef BENCH_H
#define BENCH_H

#include <linux/types.h>

#define BENCH_FRAME 128 /* bytes of a frame, without a VLAN tag */
#define BENCH_PORTS 8 /* services of one VIP */
#define BENCH_ISN 1000 /* sequence number of every packet; their acknowledgement is one more */
#define BENCH_LEARNT 655360 /* flows whose backend and port are kept: for answers, in mode nat */
#define BENCH_VISITS 1250000
#define BENCH_FEW 131072 /* flows that the yardstick's small map holds */
#define BENCH_MANY 1250000
#define BENCH_TESTED 0 /* slots of the programs behind the one in front */
#define BENCH_EMPTY 1

#define BENCH_VIP 0x0a000010 /* 10.0.0.16 */
#define BENCH_VIP_PREFIX 0xfd000010
#define BENCH_PORT 8000
#define BENCH_BACKEND 0x0a010000 /* 10.1.0.0 */
#define BENCH_BACKEND_PREFIX 0xfd000001
#define BENCH_CLIENT 0x0a800000 /* 10.128.0.0 */
#define BENCH_CLIENT_PREFIX 0xfd000080

/* A packet of a flow. */
struct visit {
	__u32 flow;
	__u32 known; /* what is learnt of it: the packet is its backend's; 0: its client's */
};

struct bench {
	__u32 flows; /* or packets that are sent in turn */
	__u32 next; /* flow, or packet */
	__u32 services; /* a power of 2 */
	__u32 backends; /* of each */
	__u32 vip;
	__u32 vip_shift; /* 2^this services share a VIP */
	__u32 vip_spread; /* the next VIP's address is 2^this after the last */
	__u32 port; /* of the first service */
	__u32 port_mask; /* services of a VIP, less one */
	__u32 client_shift; /* the next client's address is 2^this after the last */
	__u32 backend; /* address before the first backend's */
	__u32 sum; /* IPv4: of the header's words that do not change */
	__u32 frame; /* bytes, with the VLAN tag */
	__u16 vlan; /* tag, or 0 */
	__u8 ipv6;
	__u8 udp;
	__u8 grows; /* the program may grow the head */
	__u8 visible; /* backends answer to the client, not to the VIP: mode dnat */
	__u8 flags; /* of TCP */
	__u8 steps; /* packets that open a flow */
	__u8 step; /* of them, done */
	__u32 failures; /* flows whose opening went wrong */
	__u32 failing; /* the present one's has */
	__u32 first_failed; /* flow */
	__u32 ifindex; /* that generated packets leave by */
	/* At the far end: */
	__u32 reflect; /* packets that are still to be sent back */
	__be32 mac; /* last four bytes of the destination MAC that counts; 0: any */
	__u64 arrived; /* packets */
	__u64 last; /* when: ns of CLOCK_MONOTONIC */
	__u64 fences;
};

#endif
