// SPDX-License-Identifier: GPL-2.0
/*
 * Source pools: what a backend gets comes from an address of the pool, and what a client gets from
 * the VIP, as ever.
 *
 *	C1, C2 (clients) ── LB (VIP; pool: S1, S2) ── B1, B2 (backends)
 */
#include <arpa/inet.h>

#include "cases.h"

#define HTTP 80
#define DNS 53
#define S1 LB
#define S2 VIP3

static void services(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_NAT, B1);
	SERVICE(VIP, DNS, IPPROTO_UDP, MODE_NAT, B1);
}

static void with_s1(void)
{
	add_source(S1, 1);
}

static void with_s2(void)
{
	add_source(S2, 255);
}

static void without_source(void)
{
	use_source(0);
}

static void pool(void)
{
	services();
	with_s1();
}

static void pool_and_other_ports(void)
{
	pool();
	backend_of(1, B1)->port = htons(8080);
	backend_of(2, B1)->port = htons(5353);
}

static void pool_of_two_vips(void)
{
	pool();
	SERVICE(VIP2, HTTP, IPPROTO_TCP, MODE_NAT, B1);
}

static void pool_and_any_port(void)
{
	SERVICE(VIP, ANY_PORT, IPPROTO_TCP, MODE_NAT, B1);
	with_s1();
}

static void pool_and_other_modes(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_DSR, B1);
	SERVICE(VIP, DNS, IPPROTO_UDP, MODE_NAT, B1);
	with_s1();
}

static void one_flow(void)
{
	CHECK_EQUAL(count_flows(), 1);
}

/* Of S1 alone: the VIP's own ports are others. */
static void hint_of_s1(void)
{
	const struct port_hints *hints = map_memory(MAP_PORTS);

	CHECK(hints[hints_index(1, 1)].taken[40000 / 32] & 1U << 40000 % 32);
	CHECK(!hints[hints_index(1, 0)].taken[40000 / 32]);
}

static void two_flows(void)
{
	CHECK_EQUAL(count_flows(), 2);
}

static void port_was_changed(void)
{
	CHECK(chosen[0] != 40000);
	CHECK(chosen[0] >= 1024);
}

/* The ways of packets with the source S1 or S2. */
#define TO_BY(source, backend) ETH(LB, backend), IP(source, backend, .ttl = 63)
#define BACK_BY(source, backend) ETH(backend, LB), IP(backend, source)

#define HANDSHAKE_BY(source)                                                                       \
	SENT(P(FROM(C1), TCP(40000, HTTP, SYN, .seq = 100)),                                       \
	     P(TO_BY(source, B1), TCP(40000, HTTP, SYN, .seq = 100))),                             \
		SENT(P(BACK_BY(source, B1), TCP(HTTP, 40000, SYN | ACK, .seq = 900, .ack = 101)),  \
		     P(HOME(C1), TCP(HTTP, 40000, SYN | ACK, .seq = 900, .ack = 101))),            \
		SENT(P(FROM(C1), TCP(40000, HTTP, ACK, .seq = 101, .ack = 901)),                   \
		     P(TO_BY(source, B1), TCP(40000, HTTP, ACK, .seq = 101, .ack = 901)))
#define BOTH_SEND_BY(source)                                                                       \
	SENT(P(FROM(C1), TCP(40000, HTTP, ACK, .seq = 101, .ack = 901), DATA(13)),                 \
	     P(TO_BY(source, B1), TCP(40000, HTTP, ACK, .seq = 101, .ack = 901), DATA(13))),       \
		SENT(P(BACK_BY(source, B1), TCP(HTTP, 40000, ACK, .seq = 901, .ack = 114),         \
		       DATA(77)),                                                                  \
		     P(HOME(C1), TCP(HTTP, 40000, ACK, .seq = 901, .ack = 114), DATA(77)))
#define QUERY(n)                                                                                   \
	SENT(P(FROM(C1), UDP(40000, DNS), DATA(n)), P(TO_BY(S1, B1), UDP(40000, DNS), DATA(n)))
#define REPLY(n)                                                                                   \
	SENT(P(BACK_BY(S1, B1), UDP(DNS, 40000), DATA(n)), P(HOME(C1), UDP(DNS, 40000), DATA(n)))

#define HALF_OPEN SENT(P(FROM(C1), TCP(40000, HTTP, SYN)), P(TO_BY(S1, B1), TCP(40000, HTTP, SYN)))

/* Errors: what the packets that they quote were on the other side. */
#define CLIENT_SENT IP(C1, VIP, .ttl = 9), TCP(40000, HTTP, ACK), DATA(1000)
#define BACKEND_GOT IP(S1, B1, .ttl = 9), TCP(40000, HTTP, ACK), DATA(1000)
#define BACKEND_SENT IP(B1, S1, .ttl = 9), TCP(HTTP, 40000, ACK), DATA(1000)
#define CLIENT_GOT IP(VIP, C1, .ttl = 9), TCP(HTTP, 40000, ACK), DATA(1000)

#define ERROR_TO_CLIENT(n, ...)                                                                    \
	SENT(P(ETH(ROUTER, LB), IP(ROUTER, S1), ICMP(__VA_ARGS__), BACKEND_GOT, CUT(n)),           \
	     P(HOME(C1), ICMP(__VA_ARGS__), CLIENT_SENT, CUT(n)))
#define ERROR_TO_BACKEND(n, ...)                                                                   \
	SENT(P(ETH(ROUTER, LB), IP(ROUTER, VIP), ICMP(__VA_ARGS__), CLIENT_GOT, CUT(n)),           \
	     P(TO_BY(S1, B1), ICMP(__VA_ARGS__), BACKEND_SENT, CUT(n)))

#define PART(first) UDP(40000, DNS), DATA(4001), FRAGMENT(first, 1480)
#define PART_BACK(first) UDP(DNS, 40000), DATA(4001), FRAGMENT(first, 1480)
#define FRAGMENT_TO ETH(LB, B1), IP(S1, B1, .ttl = 63, .id = CHOSEN(0))
#define FRAGMENT_HOME ETH(LB, C1), IP(VIP, C1, .ttl = 63, .id = CHOSEN(1))

static const struct test_case cases[] = {
	CASE("pool: a TCP flow", BOTH, pool, HANDSHAKE_BY(S1), BOTH_SEND_BY(S1), THEN(one_flow)),
	CASE("pool: a port that seems taken does so for one source", BOTH, pool, HALF_OPEN,
	     THEN(hint_of_s1)),
	CASE("pool: a UDP flow", BOTH, pool, QUERY(13), REPLY(500), QUERY(14), REPLY(1),
	     THEN(one_flow)),
	CASE("pool: UDP without checksum", V4, pool,
	     SENT(P(FROM(C1), UDP(40000, DNS, .no_sum = true), DATA(5)),
		  P(TO_BY(S1, B1), UDP(40000, DNS, .no_sum = true), DATA(5))),
	     SENT(P(BACK_BY(S1, B1), UDP(DNS, 40000, .no_sum = true), DATA(5)),
		  P(HOME(C1), UDP(DNS, 40000, .no_sum = true), DATA(5)))),
	CASE("pool: IP options, both ways", V4, pool,
	     SENT(P(ETH(C1, LB), IP(C1, VIP, .options = 8), TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), IP(S1, B1, .options = 8, .ttl = 63), TCP(40000, HTTP, SYN))),
	     SENT(P(ETH(B1, LB), IP(B1, S1, .options = 12), TCP(HTTP, 40000, SYN | ACK)),
		  P(ETH(LB, C1), IP(VIP, C1, .options = 12, .ttl = 63),
		    TCP(HTTP, 40000, SYN | ACK)))),
	CASE("pool: a VLAN tag, both ways", BOTH, pool,
	     SENT(P(ETH(C1, LB), VLAN(7), IP(C1, VIP), UDP(40000, DNS)),
		  P(ETH(LB, B1), VLAN(7), IP(S1, B1, .ttl = 63), UDP(40000, DNS))),
	     SENT(P(ETH(B1, LB), VLAN(7), IP(B1, S1), UDP(DNS, 40000)),
		  P(ETH(LB, C1), VLAN(7), IP(VIP, C1, .ttl = 63), UDP(DNS, 40000)))),
	CASE("pool: other ports of the backend", BOTH, pool_and_other_ports,
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN)), P(TO_BY(S1, B1), TCP(40000, 8080, SYN))),
	     SENT(P(BACK_BY(S1, B1), TCP(8080, 40000, SYN | ACK)),
		  P(HOME(C1), TCP(HTTP, 40000, SYN | ACK))),
	     SENT(P(FROM(C1), UDP(40000, DNS)), P(TO_BY(S1, B1), UDP(40000, 5353))),
	     SENT(P(BACK_BY(S1, B1), UDP(5353, 40000)), P(HOME(C1), UDP(DNS, 40000)))),
	CASE("pool: a port that the source has already", BOTH, pool,
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN)), P(TO_BY(S1, B1), TCP(40000, HTTP, SYN))),
	     SENT(P(FROM(C2), TCP(40000, HTTP, SYN)), P(TO_BY(S1, B1), TCP(CHOSEN(0), HTTP, SYN))),
	     SENT(P(BACK_BY(S1, B1), TCP(HTTP, CHOSEN(0), SYN | ACK)),
		  P(HOME(C2), TCP(HTTP, 40000, SYN | ACK))),
	     THEN(port_was_changed)),
	CASE("pool: two VIPs do not share a port of the source", BOTH, pool_of_two_vips,
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN)), P(TO_BY(S1, B1), TCP(40000, HTTP, SYN))),
	     SENT(P(ETH(C1, LB), IP(C1, VIP2), TCP(40000, HTTP, SYN)),
		  P(TO_BY(S1, B1), TCP(CHOSEN(0), HTTP, SYN))),
	     SENT(P(BACK_BY(S1, B1), TCP(HTTP, 40000, SYN | ACK)),
		  P(HOME(C1), TCP(HTTP, 40000, SYN | ACK))),
	     SENT(P(BACK_BY(S1, B1), TCP(HTTP, CHOSEN(0), SYN | ACK)),
		  P(ETH(LB, C1), IP(VIP2, C1, .ttl = 63), TCP(HTTP, 40000, SYN | ACK))),
	     THEN(port_was_changed)),
	CASE("pool: TCP and UDP share a port of the source", BOTH, pool,
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN)), P(TO_BY(S1, B1), TCP(40000, HTTP, SYN))),
	     QUERY(1), REPLY(2), THEN(two_flows)),
	CASE("pool: another source has its own ports", BOTH, pool,
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN)), P(TO_BY(S1, B1), TCP(40000, HTTP, SYN))),
	     DO(with_s2),
	     SENT(P(FROM(C2), TCP(40000, HTTP, SYN)), P(TO_BY(S2, B1), TCP(40000, HTTP, SYN))),
	     SENT(P(BACK_BY(S1, B1), TCP(HTTP, 40000, SYN | ACK)),
		  P(HOME(C1), TCP(HTTP, 40000, SYN | ACK))),
	     SENT(P(BACK_BY(S2, B1), TCP(HTTP, 40000, SYN | ACK)),
		  P(HOME(C2), TCP(HTTP, 40000, SYN | ACK))),
	     THEN(two_flows)),
	CASE("pool: the port of a service is no other at the source", BOTH, pool,
	     SENT(P(FROM(C1), TCP(HTTP, HTTP, SYN)), P(TO_BY(S1, B1), TCP(HTTP, HTTP, SYN))),
	     SENT(P(BACK_BY(S1, B1), TCP(HTTP, HTTP, SYN | ACK)),
		  P(HOME(C1), TCP(HTTP, HTTP, SYN | ACK)))),
	CASE("pool: beside a service of any port", BOTH, pool_and_any_port,
	     SENT(P(FROM(C1), TCP(40000, 81, SYN)), P(TO_BY(S1, B1), TCP(40000, 81, SYN))),
	     SENT(P(BACK_BY(S1, B1), TCP(81, 40000, SYN | ACK)),
		  P(HOME(C1), TCP(81, 40000, SYN | ACK)))),
	CASE("pool: mode dsr knows nothing of it", BOTH, pool_and_other_modes,
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), IP(C1, VIP), TCP(40000, HTTP, SYN))),
	     QUERY(1), REPLY(1)),

	CASE("pool: flows from before it keep the VIP", BOTH, services, HANDSHAKE_BY(VIP),
	     DO(with_s1), BOTH_SEND_BY(VIP),
	     SENT(P(FROM(C2), TCP(40000, HTTP, SYN)), P(TO_BY(S1, B1), TCP(40000, HTTP, SYN))),
	     THEN(two_flows)),
	CASE("pool: flows of a source that drains keep it", BOTH, pool, HANDSHAKE_BY(S1),
	     DO(without_source), BOTH_SEND_BY(S1),
	     SENT(P(FROM(C2), TCP(40000, HTTP, SYN)), P(TO_BY(VIP, B1), TCP(40000, HTTP, SYN))),
	     THEN(two_flows)),
	CASE("pool: a client begins anew, by another source", BOTH, pool, HANDSHAKE_BY(S1),
	     SENT(P(FROM(C1), TCP(40000, HTTP, RST | ACK, .seq = 101, .ack = 901)),
		  P(TO_BY(S1, B1), TCP(40000, HTTP, RST | ACK, .seq = 101, .ack = 901))),
	     DO(with_s2), HANDSHAKE_BY(S2), BOTH_SEND_BY(S2),
	     KEPT(P(BACK_BY(S1, B1), TCP(HTTP, 40000, ACK)), NO_SERVICE), THEN(one_flow)),

	CASE("pool: what is of no flow passes to the host", BOTH, pool,
	     KEPT(P(BACK_BY(S1, B1), TCP(HTTP, 40000, ACK)), NO_SERVICE),
	     KEPT(P(ETH(C1, LB), IP(C1, S1), TCP(40000, 22, SYN)), NO_SERVICE),
	     KEPT(P(ETH(C1, LB), IP(C1, S1), TCP(40000, HTTP, SYN)), NO_SERVICE),
	     KEPT(P(ETH(C1, LB), IP(C1, S1), UDP(40000, DNS)), NO_SERVICE),
	     KEPT(P(ETH(C1, LB), IP(C1, S1), ICMP(ECHO)), NO_SERVICE)),
	CASE("pool: an answer to the VIP is none", BOTH, pool, HANDSHAKE_BY(S1),
	     KEPT(P(BACK_BY(VIP, B1), TCP(HTTP, 40000, ACK)), NO_SERVICE),
	     KEPT(P(BACK_BY(S1, B2), TCP(HTTP, 40000, ACK)), NO_SERVICE),
	     KEPT(P(BACK_BY(S1, B1), UDP(HTTP, 40000)), NO_SERVICE)),
	CASE("pool: an answer to another source is none", BOTH, pool, HANDSHAKE_BY(S1), DO(with_s2),
	     KEPT(P(BACK_BY(S2, B1), TCP(HTTP, 40000, ACK)), NO_SERVICE), BOTH_SEND_BY(S1)),

	CASE("pool: fragments, both ways", BOTH, pool,
	     SENT(P(FROM(C1), PART(0)), P(FRAGMENT_TO, PART(0))),
	     SENT(P(FROM(C1), PART(1480)), P(FRAGMENT_TO, PART(1480))),
	     SENT(P(FROM(C1), PART(2960)), P(FRAGMENT_TO, PART(2960))),
	     SENT(P(BACK_BY(S1, B1), PART_BACK(0)), P(FRAGMENT_HOME, PART_BACK(0))),
	     SENT(P(BACK_BY(S1, B1), PART_BACK(2960)), P(FRAGMENT_HOME, PART_BACK(2960))),
	     SENT(P(BACK_BY(S1, B1), PART_BACK(1480)), P(FRAGMENT_HOME, PART_BACK(1480)))),
	CASE("pool: a fragment before its first", BOTH, pool, QUERY(1),
	     KEPT(P(BACK_BY(S1, B1), PART_BACK(1480)), FRAGMENT_EARLY)),

	CASE("pool: errors about packets to the backend", BOTH, pool, HALF_OPEN,
	     ERROR_TO_CLIENT(548, TOO_BIG, .value = 1280), ERROR_TO_CLIENT(128, UNREACHABLE),
	     ERROR_TO_CLIENT(9999, TIME_EXCEEDED), ERROR_TO_CLIENT(99, PARAMETER_PROBLEM)),
	CASE("pool: errors about packets to the client", BOTH, pool, HALF_OPEN,
	     ERROR_TO_BACKEND(548, TOO_BIG, .value = 1280), ERROR_TO_BACKEND(128, UNREACHABLE),
	     ERROR_TO_BACKEND(9999, TIME_EXCEEDED), ERROR_TO_BACKEND(99, PARAMETER_PROBLEM)),
	CASE("pool: an error of the backend, about UDP on other ports", BOTH, pool_and_other_ports,
	     SENT(P(FROM(C1), UDP(40000, DNS)), P(TO_BY(S1, B1), UDP(40000, 5353))),
	     SENT(P(BACK_BY(S1, B1), ICMP(UNREACHABLE), IP(S1, B1), UDP(40000, 5353), DATA(9)),
		  P(HOME(C1), ICMP(UNREACHABLE), IP(C1, VIP), UDP(40000, DNS), DATA(9))),
	     SENT(P(BACK_BY(S1, B1), ICMP(UNREACHABLE), IP(S1, B1),
		    UDP(40000, 5353, .no_sum = true), DATA(9)),
		  P(HOME(C1), ICMP(UNREACHABLE), IP(C1, VIP), UDP(40000, DNS, .no_sum = true),
		    DATA(9)))),
	CASE("pool: an error about what the VIP sent is for no flow", BOTH, pool, HANDSHAKE_BY(S1),
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, VIP), ICMP(UNREACHABLE), IP(VIP, B1),
		    TCP(40000, HTTP, ACK)),
		  NO_FLOW)),
	CASE("pool: a backend's packet whose TTL is used up", BOTH, pool, HANDSHAKE_BY(S1),
	     ANSWERED(P(ETH(B1, LB), IP(B1, S1, .ttl = 1), TCP(HTTP, 40000, ACK)), TTL,
		      P(ETH(LB, B1), IP(S1, B1, .id = ZERO, .offset = 0x4000), ICMP(TIME_EXCEEDED),
			IP(B1, S1, .ttl = 1), TCP(HTTP, 40000, ACK)))),
};

int main(int argc, char **argv)
{
	open_kernel(argc, argv);
	RUN(cases);
	return finish_cases();
}
