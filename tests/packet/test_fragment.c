// SPDX-License-Identifier: GPL-2.0
/*
 * Fragments: those that follow go where the first one, which alone has ports, went. Each is cut
 * from a whole datagram, so that the checksum in the first one is that of all of them.
 */
#include <arpa/inet.h>
#include <string.h>

#include "cases.h"

#define HTTP 80
#define DNS 53
#define IN_FIRST 1480 /* bytes of the datagram in each fragment */

static void services(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_NAT, B1);
	SERVICE(VIP, DNS, IPPROTO_UDP, MODE_NAT, B1);
}

static void other_port(void)
{
	services();
	backend_of(2, B1)->port = htons(5353);
}

static void direct_service(void)
{
	SERVICE(VIP, DNS, IPPROTO_UDP, MODE_DSR, B1);
}

static void no_fragments(void)
{
	CHECK_EQUAL(count_fragments(), 0);
}

static void one_fragmented(void)
{
	CHECK_EQUAL(count_fragments(), 1);
}

static void one_flow(void)
{
	CHECK_EQUAL(count_flows(), 1);
}

/* The fragment [first, first + IN_FIRST) of a query or an answer of 4,000 bytes. */
#define QUERY_IN(first, ...)                                                                       \
	P(ETH(C1, LB), IP(C1, VIP, ##__VA_ARGS__), UDP(40000, DNS), DATA(4001),                    \
	  FRAGMENT(first, IN_FIRST))
#define QUERY_OUT(first)                                                                           \
	P(ETH(LB, B1), IP(VIP, B1, .ttl = 63, .id = CHOSEN(0)), UDP(40000, DNS), DATA(4001),       \
	  FRAGMENT(first, IN_FIRST))
#define ANSWER_IN(first)                                                                           \
	P(ETH(B1, LB), IP(B1, VIP, .id = 99), UDP(DNS, 40000), DATA(4001),                         \
	  FRAGMENT(first, IN_FIRST))
#define ANSWER_OUT(first)                                                                          \
	P(ETH(LB, C1), IP(VIP, C1, .ttl = 63, .id = CHOSEN(1)), UDP(DNS, 40000), DATA(4001),       \
	  FRAGMENT(first, IN_FIRST))

#define QUERY(first) SENT(QUERY_IN(first), QUERY_OUT(first))
#define REPLY(first) SENT(ANSWER_IN(first), ANSWER_OUT(first))

static void forget_fragments(void)
{
	CHECK_EQUAL(count_fragments(), 1);
	age_fragments(31);
}

static void young_fragments(void)
{
	CHECK_EQUAL(count_fragments(), 1);
	age_fragments(28);
}

static void ids_differ(void)
{
	CHECK(chosen[0] != chosen[2]);
}

static const struct test_case cases[] = {
	CASE("fragment: three of a datagram, in order", BOTH, services, QUERY(0), QUERY(1480),
	     QUERY(2960), THEN(one_flow)),
	CASE("fragment: three of an answer, in order", BOTH, services, QUERY(0), REPLY(0),
	     REPLY(1480), REPLY(2960), THEN(one_flow)),
	CASE("fragment: the last before the middle", BOTH, services, QUERY(0), QUERY(2960),
	     QUERY(1480), THEN(one_flow)),
	CASE("fragment: one before the first passes, and then not", BOTH, services,
	     KEPT(QUERY_IN(1480), FRAGMENT_EARLY), QUERY(0), QUERY(1480), QUERY(2960),
	     THEN(one_flow)),
	CASE("fragment: all but the first pass", BOTH, services,
	     KEPT(QUERY_IN(1480), FRAGMENT_EARLY), KEPT(QUERY_IN(2960), FRAGMENT_EARLY),
	     THEN(no_fragments)),
	CASE("fragment: another identification is another datagram", BOTH, services, QUERY(0),
	     KEPT(QUERY_IN(1480, .id = 5), FRAGMENT_EARLY), QUERY(1480)),
	CASE("fragment: another client's is another datagram", BOTH, services, QUERY(0),
	     KEPT(P(ETH(C2, LB), IP(C2, VIP), UDP(40000, DNS), DATA(4001), FRAGMENT(1480, 1480)),
		  FRAGMENT_EARLY)),
	CASE("fragment: another protocol's is another datagram", V4, services, QUERY(0),
	     KEPT(P(ETH(C1, LB), IP(C1, VIP), TCP(40000, HTTP, SYN), DATA(4001),
		    FRAGMENT(1480, 1480)),
		  FRAGMENT_EARLY)),
	CASE("fragment: one of another address passes", BOTH, services, QUERY(0),
	     KEPT(P(ETH(C1, LB), IP(C1, LB), UDP(40000, DNS), DATA(4001), FRAGMENT(1480, 1480)),
		  NO_SERVICE)),
	CASE("fragment: the first of no service passes, and the rest", BOTH, services,
	     KEPT(P(ETH(C1, LB), IP(C1, VIP), UDP(40000, 54), DATA(4001), FRAGMENT(0, 1480)),
		  NO_SERVICE),
	     KEPT(P(ETH(C1, LB), IP(C1, VIP), UDP(40000, 54), DATA(4001), FRAGMENT(1480, 1480)),
		  FRAGMENT_EARLY),
	     THEN(no_fragments)),
	CASE("fragment: of a datagram without checksum", BOTH, services,
	     SENT(P(ETH(C1, LB), IP(C1, VIP), UDP(40000, DNS, .no_sum = true), DATA(2000),
		    FRAGMENT(0, 1480)),
		  P(ETH(LB, B1), IP(VIP, B1, .ttl = 63, .id = CHOSEN(0)),
		    UDP(40000, DNS, .no_sum = true), DATA(2000), FRAGMENT(0, 1480))),
	     SENT(P(ETH(C1, LB), IP(C1, VIP), UDP(40000, DNS, .no_sum = true), DATA(2000),
		    FRAGMENT(1480, 1480)),
		  P(ETH(LB, B1), IP(VIP, B1, .ttl = 63, .id = CHOSEN(0)),
		    UDP(40000, DNS, .no_sum = true), DATA(2000), FRAGMENT(1480, 1480)))),
	CASE("fragment: another port at the backend", BOTH, other_port,
	     SENT(QUERY_IN(0), P(ETH(LB, B1), IP(VIP, B1, .ttl = 63, .id = CHOSEN(0)),
				 UDP(40000, 5353), DATA(4001), FRAGMENT(0, 1480))),
	     SENT(QUERY_IN(1480), P(ETH(LB, B1), IP(VIP, B1, .ttl = 63, .id = CHOSEN(0)),
				    UDP(40000, 5353), DATA(4001), FRAGMENT(1480, 1480)))),
	CASE("fragment: the shortest first one", BOTH, services,
	     SENT(P(ETH(C1, LB), IP(C1, VIP), UDP(40000, DNS), DATA(100), FRAGMENT(0, 8), PAD(60)),
		  P(ETH(LB, B1), IP(VIP, B1, .ttl = 63, .id = CHOSEN(0)), UDP(40000, DNS),
		    DATA(100), FRAGMENT(0, 8), PAD(60))),
	     SENT(P(ETH(C1, LB), IP(C1, VIP), UDP(40000, DNS), DATA(100), FRAGMENT(8, 8)),
		  P(ETH(LB, B1), IP(VIP, B1, .ttl = 63, .id = CHOSEN(0)), UDP(40000, DNS),
		    DATA(100), FRAGMENT(8, 8)))),
	CASE("fragment: TCP in several pieces", BOTH, services,
	     SENT(P(ETH(C1, LB), IP(C1, VIP), TCP(40000, HTTP, SYN), DATA(500), FRAGMENT(0, 256)),
		  P(ETH(LB, B1), IP(VIP, B1, .ttl = 63, .id = CHOSEN(0)), TCP(40000, HTTP, SYN),
		    DATA(500), FRAGMENT(0, 256))),
	     SENT(P(ETH(C1, LB), IP(C1, VIP), TCP(40000, HTTP, SYN), DATA(500), FRAGMENT(256, 999)),
		  P(ETH(LB, B1), IP(VIP, B1, .ttl = 63, .id = CHOSEN(0)), TCP(40000, HTTP, SYN),
		    DATA(500), FRAGMENT(256, 999))),
	     THEN(one_flow)),
	CASE("fragment: a first one that ends in the TCP header is malformed", BOTH, services,
	     KEPT(P(ETH(C1, LB), IP(C1, VIP), TCP(40000, HTTP, SYN), DATA(500), FRAGMENT(0, 16)),
		  MALFORMED),
	     KEPT(P(ETH(C1, LB), IP(C1, VIP), TCP(40000, HTTP, SYN), DATA(500), FRAGMENT(16, 16)),
		  FRAGMENT_EARLY),
	     THEN(no_fragments)),
	CASE("fragment: later ones with IPv4 options", V4, services,
	     SENT(P(ETH(C1, LB), IP(C1, VIP, .options = 8), UDP(40000, DNS), DATA(2000),
		    FRAGMENT(0, 1024)),
		  P(ETH(LB, B1), IP(VIP, B1, .options = 8, .ttl = 63, .id = CHOSEN(0)),
		    UDP(40000, DNS), DATA(2000), FRAGMENT(0, 1024))),
	     SENT(P(ETH(C1, LB), IP(C1, VIP, .options = 40), UDP(40000, DNS), DATA(2000),
		    FRAGMENT(1024, 1024)),
		  P(ETH(LB, B1), IP(VIP, B1, .options = 40, .ttl = 63, .id = CHOSEN(0)),
		    UDP(40000, DNS), DATA(2000), FRAGMENT(1024, 1024)))),
	CASE("fragment: options before the fragment header", V6, services,
	     SENT(P(ETH(C1, LB), IP(C1, VIP), EXTENSION(0), EXTENSION(44, .offset = 1, .id = 7),
		    UDP(40000, DNS, .length = 88, .no_sum = true), DATA(40)),
		  P(ETH(LB, B1), IP(VIP, B1, .ttl = 63), EXTENSION(0),
		    EXTENSION(44, .offset = 1, .id = CHOSEN(0)),
		    UDP(40000, DNS, .length = 88, .no_sum = true), DATA(40))),
	     SENT(P(ETH(C1, LB), IP(C1, VIP), EXTENSION(0),
		    EXTENSION(44, .offset = 48, .id = 7, .protocol = 17), DATA(32)),
		  P(ETH(LB, B1), IP(VIP, B1, .ttl = 63), EXTENSION(0),
		    EXTENSION(44, .offset = 48, .id = CHOSEN(0), .protocol = 17), DATA(32)))),
	CASE("fragment: options behind the fragment header", V6, services,
	     SENT(P(ETH(C1, LB), IP(C1, VIP), EXTENSION(44, .offset = 1, .id = 7),
		    EXTENSION(60, .options = 2), UDP(40000, DNS, .length = 88, .no_sum = true),
		    DATA(40)),
		  P(ETH(LB, B1), IP(VIP, B1, .ttl = 63),
		    EXTENSION(44, .offset = 1, .id = CHOSEN(0)), EXTENSION(60, .options = 2),
		    UDP(40000, DNS, .length = 88, .no_sum = true), DATA(40))),
	     SENT(P(ETH(C1, LB), IP(C1, VIP), EXTENSION(44, .offset = 72, .id = 7, .protocol = 60),
		    DATA(32)),
		  P(ETH(LB, B1), IP(VIP, B1, .ttl = 63),
		    EXTENSION(44, .offset = 72, .id = CHOSEN(0), .protocol = 60), DATA(32)))),
	CASE("fragment: in a VLAN, padded", BOTH, services,
	     SENT(P(ETH(C1, LB), VLAN(3), IP(C1, VIP), UDP(40000, DNS), DATA(30), FRAGMENT(0, 24),
		    PAD(64)),
		  P(ETH(LB, B1), VLAN(3), IP(VIP, B1, .ttl = 63, .id = CHOSEN(0)), UDP(40000, DNS),
		    DATA(30), FRAGMENT(0, 24), PAD(64))),
	     SENT(P(ETH(C1, LB), VLAN(3), IP(C1, VIP), UDP(40000, DNS), DATA(30), FRAGMENT(24, 24),
		    PAD(64)),
		  P(ETH(LB, B1), VLAN(3), IP(VIP, B1, .ttl = 63, .id = CHOSEN(0)), UDP(40000, DNS),
		    DATA(30), FRAGMENT(24, 24), PAD(64)))),
	CASE("fragment: a header checksum that lies", V4, services, QUERY(0),
	     KEPT(QUERY_IN(1480, .add = 1), MALFORMED), QUERY(1480)),
	CASE("fragment: a length that lies", BOTH, services, QUERY(0),
	     KEPT(QUERY_IN(1480, .length = 9000), MALFORMED), QUERY(1480)),
	CASE("fragment: the ports are kept for half a minute", BOTH, services, QUERY(0),
	     DO(young_fragments), QUERY(1480)),
	CASE("fragment: the ports are forgotten after half a minute", BOTH, services, QUERY(0),
	     DO(forget_fragments), KEPT(QUERY_IN(1480), FRAGMENT_EARLY)),
	CASE("fragment: the rest of an unknown TCP flow's packet", BOTH, services,
	     KEPT(P(ETH(C1, LB), IP(C1, VIP), TCP(40000, HTTP, ACK), DATA(500), FRAGMENT(0, 256)),
		  NO_FLOW),
	     KEPT(P(ETH(C1, LB), IP(C1, VIP), TCP(40000, HTTP, ACK), DATA(500), FRAGMENT(256, 256)),
		  FRAGMENT_EARLY),
	     THEN(no_fragments)),
	CASE("fragment: a later one with a TTL of 1 is not answered", BOTH, services, QUERY(0),
	     KEPT(QUERY_IN(1480, .ttl = 1), TTL), QUERY(1480)),
	CASE("fragment: two clients with one id are two datagrams at the backend", BOTH, services,
	     QUERY(0),
	     SENT(P(ETH(C2, LB), IP(C2, VIP), UDP(40001, DNS), DATA(4001), FRAGMENT(0, 1480)),
		  P(ETH(LB, B1), IP(VIP, B1, .ttl = 63, .id = CHOSEN(2)), UDP(40001, DNS),
		    DATA(4001), FRAGMENT(0, 1480))),
	     QUERY(1480),
	     SENT(P(ETH(C2, LB), IP(C2, VIP), UDP(40001, DNS), DATA(4001), FRAGMENT(1480, 1480)),
		  P(ETH(LB, B1), IP(VIP, B1, .ttl = 63, .id = CHOSEN(2)), UDP(40001, DNS),
		    DATA(4001), FRAGMENT(1480, 1480))),
	     THEN(ids_differ)),
	CASE("fragment: of an id that is used again the newest first one counts", BOTH, services,
	     QUERY(0),
	     SENT(P(ETH(C1, LB), IP(C1, VIP), UDP(40001, DNS), DATA(4001), FRAGMENT(0, 1480)),
		  P(ETH(LB, B1), IP(VIP, B1, .ttl = 63, .id = CHOSEN(2)), UDP(40001, DNS),
		    DATA(4001), FRAGMENT(0, 1480))),
	     SENT(P(ETH(C1, LB), IP(C1, VIP), UDP(40001, DNS), DATA(4001), FRAGMENT(1480, 1480)),
		  P(ETH(LB, B1), IP(VIP, B1, .ttl = 63, .id = CHOSEN(2)), UDP(40001, DNS),
		    DATA(4001), FRAGMENT(1480, 1480))),
	     THEN(ids_differ)),
	CASE("fragment: one that would write over TCP's flags (RFC 3128)", BOTH, services,
	     SENT(P(ETH(C1, LB), IP(C1, VIP), TCP(40000, HTTP, SYN), DATA(500), FRAGMENT(0, 256)),
		  P(ETH(LB, B1), IP(VIP, B1, .ttl = 63, .id = CHOSEN(0)), TCP(40000, HTTP, SYN),
		    DATA(500), FRAGMENT(0, 256))),
	     KEPT(P(ETH(C1, LB), IP(C1, VIP), TCP(40000, HTTP, SYN), DATA(500), FRAGMENT(8, 256)),
		  TINY_FRAGMENT)),
	CASE("fragment: mode dsr", BOTH, direct_service,
	     SENT(QUERY_IN(0),
		  P(ETH(LB, B1), IP(C1, VIP), UDP(40000, DNS), DATA(4001), FRAGMENT(0, 1480))),
	     SENT(QUERY_IN(1480),
		  P(ETH(LB, B1), IP(C1, VIP), UDP(40000, DNS), DATA(4001), FRAGMENT(1480, 1480))),
	     KEPT(QUERY_IN(1480, .id = 8), FRAGMENT_EARLY), THEN(one_fragmented)),
};

int main(int argc, char **argv)
{
	open_kernel(argc, argv);
	RUN(cases);
	return finish_cases();
}
