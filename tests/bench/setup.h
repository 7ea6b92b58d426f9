/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs that send packets are told by their arguments, WORD=VALUE each: which balancer,
 * how it is set up, which packets.
 */
#ifndef BENCH_SETUP_H
#define BENCH_SETUP_H

#include <stdbool.h>
#include <stdint.h>

#define MAX_ROUNDS 9
#define MAX_COUNTS 8

#define TCP_SYN 0x02
#define TCP_ACK 0x10

struct setup {
	const char *name; /* what the results say in `setup`; may be empty */
	const char *program; /* id */
	const char *pins; /* directory of the programs of bench.bpf.c */
	const char *helper; /* xdp-lb and its selector */
	const char *mode, *protocol;
	const char *kinds; /* of packets, with commas between: see packet.c */
	const char *flows; /* numbers with commas between */
	const char *vip, *backend; /* IPv4: the first one; the address before the first */
	int family, ifindex;
	int answer_ifindex; /* that answers come in by; 0: the same */
	int services, backends, rounds;
	int port;
	int vip_shift, vip_spread, client_shift; /* see bench.h */
	int vlan;
	int silent; /* 1: backends do not answer, in UDP */
	int rivals; /* 0: the program alone */
	int patience; /* seconds */
	int begin; /* flows that begin in a round */
	int exhaust; /* 1: in mode nat, flows are begun until a batch is refused */
};

extern struct setup setup;
extern uint32_t flow_counts[MAX_COUNTS];
extern int counts;
extern bool is_nat, is_dnat, is_tcp;

/* Ends the program where an argument is wrong. */
void parse_setup(int argc, char **argv);

uint32_t most_flows(void);

/* Sets what is the same in all packets that follow. Added: to the VIP's address, to the port. */
void start_packets(uint8_t flags, uint32_t vip_added, uint32_t port_added);

/* Opens flows with these numbers. Returns how many failed. */
uint32_t open_flows(int program, uint32_t first, uint32_t flows);

#endif
