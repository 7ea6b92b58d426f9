// SPDX-License-Identifier: GPL-2.0
/*
 * ICMP and ICMPv6: errors about a flow, relayed to the side that they are for, and the balancer's
 * own answers.
 *
 *	C1 ── ROUTER ── LB (VIP) ── ROUTER ── B1
 *
 * An error quotes a packet that left the balancer: VIP -> B1 (it is for the client, who sent
 * C1 -> VIP), or VIP -> C1 (it is for the backend, who sent B1 -> VIP).
 */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <string.h>

#include "cases.h"

#define HTTP 80
#define DNS 53

static void services(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_NAT, B1);
	SERVICE(VIP, DNS, IPPROTO_UDP, MODE_NAT, B1);
}

static void other_ports(void)
{
	services();
	backend_of(1, B1)->port = htons(8080);
	backend_of(2, B1)->port = htons(5353);
}

static void any_port(void)
{
	SERVICE(VIP, ANY_PORT, IPPROTO_TCP, MODE_NAT, B1);
}

static void small_floor(void)
{
	services();
	config()->pmtu = 600;
}

static void denied_router(void)
{
	services();
	deny(ROUTER, family == 4 ? 32 : 128);
}

static void no_flow(void)
{
	CHECK_EQUAL(count_flows(), 0);
}

#define ERROR_OF(host) ETH(host, LB), IP(host, VIP)
#define ERROR_TO_CLIENT ETH(LB, C1), IP(VIP, C1, .ttl = 63)
#define ERROR_TO_BACKEND ETH(LB, B1), IP(VIP, B1, .ttl = 63)

#define TCP_FLOW SENT(P(FROM(C1), TCP(40000, HTTP, SYN)), P(TO(B1), TCP(40000, HTTP, SYN)))
#define UDP_FLOW SENT(P(FROM(C1), UDP(40000, DNS)), P(TO(B1), UDP(40000, DNS)))

/* The same packet as its sender sent it, and as it left the balancer: what errors quote. */
#define CLIENT_SENT IP(C1, VIP, .ttl = 9), TCP(40000, HTTP, ACK), DATA(1000)
#define BACKEND_GOT IP(VIP, B1, .ttl = 9), TCP(40000, HTTP, ACK), DATA(1000)
#define BACKEND_SENT IP(B1, VIP, .ttl = 9), TCP(HTTP, 40000, ACK), DATA(1000)
#define CLIENT_GOT IP(VIP, C1, .ttl = 9), TCP(HTTP, 40000, ACK), DATA(1000)
#define CLIENT_ASKED IP(C1, VIP, .ttl = 9), UDP(40000, DNS), DATA(501)
#define BACKEND_HEARD IP(VIP, B1, .ttl = 9), UDP(40000, DNS), DATA(501)
#define BACKEND_ANSWERED IP(B1, VIP, .ttl = 9), UDP(DNS, 40000), DATA(501)
#define CLIENT_HEARD IP(VIP, C1, .ttl = 9), UDP(DNS, 40000), DATA(501)

/* An error about a packet to the backend, with so many bytes of it; and the other way. */
#define TO_CLIENT(message, n, ...)                                                                 \
	SENT(P(ERROR_OF(ROUTER), ICMP(message, ##__VA_ARGS__), BACKEND_GOT, CUT(n)),               \
	     P(ERROR_TO_CLIENT, ICMP(message, ##__VA_ARGS__), CLIENT_SENT, CUT(n)))
#define TO_BACKEND(message, n, ...)                                                                \
	SENT(P(ERROR_OF(ROUTER), ICMP(message, ##__VA_ARGS__), CLIENT_GOT, CUT(n)),                \
	     P(ERROR_TO_BACKEND, ICMP(message, ##__VA_ARGS__), BACKEND_SENT, CUT(n)))

/* A connection with numbers, and errors that quote one of them. */
#define FROM_CLIENT(flags, s, a)                                                                   \
	SENT(P(FROM(C1), TCP(40000, HTTP, flags, .seq = s, .ack = a)),                             \
	     P(TO(B1), TCP(40000, HTTP, flags, .seq = s, .ack = a)))
#define FROM_BACKEND(flags, s, a)                                                                  \
	SENT(P(BACK(B1), TCP(HTTP, 40000, flags, .seq = s, .ack = a)),                             \
	     P(HOME(C1), TCP(HTTP, 40000, flags, .seq = s, .ack = a)))
#define CONNECTION                                                                                 \
	FROM_CLIENT(SYN, 70000, 0), FROM_BACKEND(SYN | ACK, 900000000, 70001),                     \
		FROM_CLIENT(ACK, 70001, 900000001)
#define OF_BACKEND_GOT(s)                                                                          \
	P(ERROR_OF(ROUTER), ICMP(TOO_BIG, .value = 1400), IP(VIP, B1),                             \
	  TCP(40000, HTTP, ACK, .seq = s), DATA(900), CUT(528))
#define OF_CLIENT_GOT(s)                                                                           \
	P(ERROR_OF(ROUTER), ICMP(TOO_BIG, .value = 1400), IP(VIP, C1),                             \
	  TCP(HTTP, 40000, ACK, .seq = s), DATA(900), CUT(528))
#define QUOTED_TO_CLIENT(s)                                                                        \
	SENT(OF_BACKEND_GOT(s), P(ERROR_TO_CLIENT, ICMP(TOO_BIG, .value = 1400), IP(C1, VIP),      \
				  TCP(40000, HTTP, ACK, .seq = s), DATA(900), CUT(528)))
#define QUOTED_TO_BACKEND(s)                                                                       \
	SENT(OF_CLIENT_GOT(s), P(ERROR_TO_BACKEND, ICMP(TOO_BIG, .value = 1400), IP(B1, VIP),      \
				 TCP(HTTP, 40000, ACK, .seq = s), DATA(900), CUT(528)))

static const struct test_case error_cases[] = {
	CASE("icmp: too big, of a router on the backend's side", BOTH, services, TCP_FLOW,
	     TO_CLIENT(TOO_BIG, 548, .value = 1280)),
	CASE("icmp: too big, of a router on the client's side", BOTH, services, TCP_FLOW,
	     TO_BACKEND(TOO_BIG, 548, .value = 1280)),
	CASE("icmp: a path MTU is relayed as 1280 at least", BOTH, services, TCP_FLOW,
	     SENT(P(ERROR_OF(ROUTER), ICMP(TOO_BIG, .value = 552), CLIENT_GOT, CUT(548)),
		  P(ERROR_TO_BACKEND, ICMP(TOO_BIG, .value = 1280), BACKEND_SENT, CUT(548))),
	     SENT(P(ERROR_OF(ROUTER), ICMP(TOO_BIG, .value = 1279), BACKEND_GOT, CUT(548)),
		  P(ERROR_TO_CLIENT, ICMP(TOO_BIG, .value = 1280), CLIENT_SENT, CUT(548))),
	     TO_BACKEND(TOO_BIG, 548, .value = 1281)),
	CASE("icmp: the least path MTU is what was set", BOTH, small_floor, TCP_FLOW,
	     SENT(P(ERROR_OF(ROUTER), ICMP(TOO_BIG, .value = 552), CLIENT_GOT, CUT(548)),
		  P(ERROR_TO_BACKEND, ICMP(TOO_BIG, .value = 600), BACKEND_SENT, CUT(548))),
	     TO_BACKEND(TOO_BIG, 548, .value = 601), TO_CLIENT(TOO_BIG, 548, .value = 1279)),
	CASE("icmp: an error must quote a number that its flow may have", BOTH, services,
	     CONNECTION, QUOTED_TO_CLIENT(71000), QUOTED_TO_BACKEND(900001000),
	     KEPT(OF_CLIENT_GOT(100000000), NO_FLOW), KEPT(OF_BACKEND_GOT(900001000), NO_FLOW)),
	CASE("icmp: so when the flow ends", BOTH, services, CONNECTION,
	     FROM_BACKEND(FIN | ACK, 900020001, 70001), FROM_CLIENT(FIN | ACK, 70001, 900000001),
	     QUOTED_TO_CLIENT(70001), QUOTED_TO_BACKEND(900001000),
	     KEPT(OF_CLIENT_GOT(100000000), NO_FLOW), KEPT(OF_BACKEND_GOT(900001000), NO_FLOW)),
	CASE("icmp: the errors of a denied router go nowhere", BOTH, denied_router, TCP_FLOW,
	     KEPT(P(ERROR_OF(ROUTER), ICMP(TOO_BIG, .value = 1400), CLIENT_GOT, CUT(548)), DENIED),
	     KEPT(P(ERROR_OF(ROUTER), ICMP(UNREACHABLE), BACKEND_GOT, CUT(548)), DENIED)),
	CASE("icmp: unreachable, to the client", BOTH, services, TCP_FLOW,
	     TO_CLIENT(UNREACHABLE, 128)),
	CASE("icmp: unreachable, to the backend", BOTH, services, TCP_FLOW,
	     TO_BACKEND(UNREACHABLE, 128)),
	CASE("icmp: time exceeded, to the client", BOTH, services, TCP_FLOW,
	     TO_CLIENT(TIME_EXCEEDED, 128)),
	CASE("icmp: time exceeded, to the backend", BOTH, services, TCP_FLOW,
	     TO_BACKEND(TIME_EXCEEDED, 128)),
	CASE("icmp: parameter problem, both ways", BOTH, services, TCP_FLOW,
	     TO_CLIENT(PARAMETER_PROBLEM, 128), TO_BACKEND(PARAMETER_PROBLEM, 99)),
	CASE("icmp: an error from the backend itself", BOTH, services, UDP_FLOW,
	     SENT(P(ERROR_OF(B1), ICMP(UNREACHABLE), BACKEND_HEARD, CUT(300)),
		  P(ERROR_TO_CLIENT, ICMP(UNREACHABLE), CLIENT_ASKED, CUT(300)))),
	CASE("icmp: an error from the client itself", BOTH, services, UDP_FLOW,
	     SENT(P(ERROR_OF(C1), ICMP(UNREACHABLE), CLIENT_HEARD, CUT(301)),
		  P(ERROR_TO_BACKEND, ICMP(UNREACHABLE), BACKEND_ANSWERED, CUT(301)))),
	CASE("icmp: the whole packet is quoted", BOTH, services, TCP_FLOW,
	     TO_CLIENT(UNREACHABLE, 9999), TO_BACKEND(UNREACHABLE, 9999)),
	CASE("icmp: quoted ports differ on both sides", BOTH, other_ports,
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN)), P(TO(B1), TCP(40000, 8080, SYN))),
	     SENT(P(ERROR_OF(ROUTER), ICMP(TOO_BIG, .value = 1400), IP(VIP, B1),
		    TCP(40000, 8080, ACK), DATA(1000), CUT(528)),
		  P(ERROR_TO_CLIENT, ICMP(TOO_BIG, .value = 1400), IP(C1, VIP),
		    TCP(40000, HTTP, ACK), DATA(1000), CUT(528))),
	     SENT(P(ERROR_OF(ROUTER), ICMP(TOO_BIG, .value = 1400), IP(VIP, C1),
		    TCP(HTTP, 40000, ACK), DATA(1000), CUT(528)),
		  P(ERROR_TO_BACKEND, ICMP(TOO_BIG, .value = 1400), IP(B1, VIP),
		    TCP(8080, 40000, ACK), DATA(1000), CUT(528)))),
	CASE("icmp: a client port that was changed is changed back", BOTH, services, TCP_FLOW,
	     SENT(P(FROM(C2), TCP(40000, HTTP, SYN)), P(TO(B1), TCP(CHOSEN(0), HTTP, SYN))),
	     SENT(P(ERROR_OF(ROUTER), ICMP(TOO_BIG, .value = 1280), IP(VIP, B1),
		    TCP(CHOSEN(0), HTTP, ACK), DATA(1001), CUT(600)),
		  P(ETH(LB, C2), IP(VIP, C2, .ttl = 63), ICMP(TOO_BIG, .value = 1280), IP(C2, VIP),
		    TCP(40000, HTTP, ACK), DATA(1001), CUT(600))),
	     SENT(P(ERROR_OF(ROUTER), ICMP(TOO_BIG, .value = 1280), IP(VIP, C2),
		    TCP(HTTP, 40000, ACK), DATA(1001), CUT(601)),
		  P(ERROR_TO_BACKEND, ICMP(TOO_BIG, .value = 1280), IP(B1, VIP),
		    TCP(HTTP, CHOSEN(0), ACK), DATA(1001), CUT(601)))),
	CASE("icmp: quoted UDP checksum of zero", BOTH, services, UDP_FLOW,
	     SENT(P(ERROR_OF(B1), ICMP(UNREACHABLE), IP(VIP, B1), UDP(40000, DNS, .no_sum = true),
		    DATA(5)),
		  P(ERROR_TO_CLIENT, ICMP(UNREACHABLE), IP(C1, VIP),
		    UDP(40000, DNS, .no_sum = true), DATA(5)))),
	CASE("icmp: quoted UDP checksum of zero, another port", BOTH, other_ports,
	     SENT(P(FROM(C1), UDP(40000, DNS)), P(TO(B1), UDP(40000, 5353))),
	     SENT(P(ERROR_OF(B1), ICMP(UNREACHABLE), IP(VIP, B1), UDP(40000, 5353, .no_sum = true),
		    DATA(5)),
		  P(ERROR_TO_CLIENT, ICMP(UNREACHABLE), IP(C1, VIP),
		    UDP(40000, DNS, .no_sum = true), DATA(5)))),
	CASE("icmp: quoted IPv4 options", V4, services, TCP_FLOW,
	     SENT(P(ERROR_OF(ROUTER), ICMP(TIME_EXCEEDED), IP(VIP, B1, .options = 24),
		    TCP(40000, HTTP, ACK), DATA(30)),
		  P(ERROR_TO_CLIENT, ICMP(TIME_EXCEEDED), IP(C1, VIP, .options = 24),
		    TCP(40000, HTTP, ACK), DATA(30)))),
	CASE("icmp: options of the error itself", V4, services, TCP_FLOW,
	     SENT(P(ETH(ROUTER, LB), IP(ROUTER, VIP, .options = 40), ICMP(TIME_EXCEEDED),
		    BACKEND_GOT, CUT(60)),
		  P(ETH(LB, C1), IP(VIP, C1, .options = 40, .ttl = 63), ICMP(TIME_EXCEEDED),
		    CLIENT_SENT, CUT(60)))),
	CASE("icmp: quoted extension headers", V6, services, TCP_FLOW,
	     SENT(P(ERROR_OF(ROUTER), ICMP(TOO_BIG, .value = 1280), IP(VIP, B1),
		    EXTENSION(60, .options = 1), TCP(40000, HTTP, ACK), DATA(700), CUT(300)),
		  P(ERROR_TO_CLIENT, ICMP(TOO_BIG, .value = 1280), IP(C1, VIP),
		    EXTENSION(60, .options = 1), TCP(40000, HTTP, ACK), DATA(700), CUT(300)))),
	CASE("icmp: a quoted first fragment", BOTH, services, UDP_FLOW,
	     SENT(P(ERROR_OF(ROUTER), ICMP(TIME_EXCEEDED), IP(VIP, B1), UDP(40000, DNS), DATA(3000),
		    FRAGMENT(0, 600)),
		  P(ERROR_TO_CLIENT, ICMP(TIME_EXCEEDED), IP(C1, VIP), UDP(40000, DNS), DATA(3000),
		    FRAGMENT(0, 600)))),
	CASE("icmp: in a VLAN, padded, with trailing bytes", BOTH, services, TCP_FLOW,
	     SENT(P(ETH(ROUTER, LB), VLAN(9), IP(ROUTER, VIP), ICMP(TIME_EXCEEDED), BACKEND_GOT,
		    CUT(64), TRAIL(13)),
		  P(ETH(LB, C1), VLAN(9), IP(VIP, C1, .ttl = 63), ICMP(TIME_EXCEEDED), CLIENT_SENT,
		    CUT(64), TRAIL(13)))),
	CASE("icmp: a checksum that is wrong stays as wrong", BOTH, services, TCP_FLOW,
	     TO_CLIENT(TIME_EXCEEDED, 101, .add = 99), TO_BACKEND(TIME_EXCEEDED, 101, .add = 99)),
	CASE("icmp: a wrong checksum in the quote stays as wrong", BOTH, services, TCP_FLOW,
	     SENT(P(ERROR_OF(ROUTER), ICMP(UNREACHABLE), IP(VIP, B1),
		    TCP(40000, HTTP, ACK, .add = 77), DATA(40)),
		  P(ERROR_TO_CLIENT, ICMP(UNREACHABLE), IP(C1, VIP),
		    TCP(40000, HTTP, ACK, .add = 77), DATA(40)))),
	CASE("icmp: an error that itself runs out of hops is dropped, not answered", BOTH, services,
	     TCP_FLOW,
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, VIP, .ttl = 1), ICMP(UNREACHABLE), BACKEND_GOT,
		    CUT(60)),
		  TTL),
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, VIP, .ttl = ZERO), ICMP(UNREACHABLE), CLIENT_GOT,
		    CUT(60)),
		  TTL)),
	CASE("icmp: IPv4 header checksum that lies", V4, services, TCP_FLOW,
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, VIP, .add = 1), ICMP(UNREACHABLE), BACKEND_GOT,
		    CUT(60)),
		  MALFORMED)),
	CASE("icmp: an IP length that ends before the message passes", V4, services, TCP_FLOW,
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, VIP, .length = 20), ICMP(UNREACHABLE), BACKEND_GOT,
		    CUT(60)),
		  NO_SERVICE),
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, VIP, .length = 27), ICMP(UNREACHABLE), BACKEND_GOT,
		    CUT(60)),
		  NO_SERVICE)),
	CASE("icmp: an IP length that ends before the message passes", V6, services, TCP_FLOW,
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, VIP, .length = ZERO), ICMP(UNREACHABLE),
		    BACKEND_GOT, CUT(60)),
		  NO_SERVICE),
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, VIP, .length = 7), ICMP(UNREACHABLE), BACKEND_GOT,
		    CUT(60)),
		  NO_SERVICE)),
	CASE("icmp: an IP length that ends before the quoted ports passes", V4, services, TCP_FLOW,
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, VIP, .length = 40), ICMP(UNREACHABLE), BACKEND_GOT,
		    CUT(60)),
		  NO_SERVICE),
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, VIP, .length = 51), ICMP(UNREACHABLE), BACKEND_GOT,
		    CUT(60)),
		  NO_SERVICE)),
	CASE("icmp: an IP length that ends before the quoted ports passes", V6, services, TCP_FLOW,
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, VIP, .length = 40), ICMP(UNREACHABLE), BACKEND_GOT,
		    CUT(60)),
		  NO_SERVICE),
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, VIP, .length = 51), ICMP(UNREACHABLE), BACKEND_GOT,
		    CUT(60)),
		  NO_SERVICE)),
	CASE("icmp: source quench and redirect pass", V4, services, TCP_FLOW,
	     KEPT(P(ERROR_OF(ROUTER), ICMP(UNREACHABLE), BACKEND_GOT, CUT(60), SPOIL(34, 4)),
		  NO_SERVICE),
	     KEPT(P(ERROR_OF(ROUTER), ICMP(UNREACHABLE), BACKEND_GOT, CUT(60), SPOIL(34, 5)),
		  NO_SERVICE)),

	/* About nothing of ours */
	CASE("icmp: about an unknown flow passes", BOTH, services,
	     KEPT(P(ERROR_OF(ROUTER), ICMP(UNREACHABLE), BACKEND_GOT, CUT(100)), NO_FLOW),
	     THEN(no_flow)),
	CASE("icmp: about an unknown flow of any port passes", BOTH, any_port,
	     KEPT(P(ERROR_OF(ROUTER), ICMP(UNREACHABLE), CLIENT_GOT, CUT(100)), NO_FLOW),
	     THEN(no_flow)),
	CASE("icmp: about a packet of another host passes", BOTH, services, TCP_FLOW,
	     KEPT(P(ERROR_OF(ROUTER), ICMP(UNREACHABLE), IP(LB, B1), TCP(40000, HTTP, ACK)),
		  NO_SERVICE),
	     KEPT(P(ERROR_OF(ROUTER), ICMP(UNREACHABLE), CLIENT_SENT, CUT(100)), NO_SERVICE)),
	CASE("icmp: about another port or backend passes", BOTH, services, TCP_FLOW,
	     KEPT(P(ERROR_OF(ROUTER), ICMP(UNREACHABLE), IP(VIP, B1), TCP(40001, HTTP, ACK)),
		  NO_FLOW),
	     KEPT(P(ERROR_OF(ROUTER), ICMP(UNREACHABLE), IP(VIP, B1), TCP(40000, 81, ACK)),
		  NO_FLOW),
	     KEPT(P(ERROR_OF(ROUTER), ICMP(UNREACHABLE), IP(VIP, B2), TCP(40000, HTTP, ACK)),
		  NO_FLOW),
	     KEPT(P(ERROR_OF(ROUTER), ICMP(UNREACHABLE), IP(VIP, B1), UDP(40000, HTTP)), NO_FLOW)),
	CASE("icmp: about an ICMP message of the host passes", BOTH, services,
	     KEPT(P(ERROR_OF(ROUTER), ICMP(UNREACHABLE), IP(VIP, C1), OTHER(1, 64)), NO_SERVICE),
	     KEPT(P(ERROR_OF(ROUTER), ICMP(UNREACHABLE), IP(VIP, C1), OTHER(58, 64)), NO_SERVICE)),
	CASE("icmp: to the balancer's own address passes", BOTH, services, TCP_FLOW,
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, LB), ICMP(UNREACHABLE), IP(LB, B1),
		    TCP(40000, HTTP, ACK)),
		  NO_SERVICE)),
	CASE("icmp: a fragment of an error passes", V4, services, TCP_FLOW,
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, VIP, .offset = 0x2000), ICMP(UNREACHABLE),
		    BACKEND_GOT, CUT(100)),
		  NO_SERVICE)),
	CASE("icmp: a fragment of an error passes", V6, services, TCP_FLOW,
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, VIP), EXTENSION(44, .offset = 1), ICMP(UNREACHABLE),
		    BACKEND_GOT, CUT(100)),
		  NO_SERVICE)),
	CASE("icmp: about a later fragment passes", BOTH, services, UDP_FLOW,
	     KEPT(P(ERROR_OF(ROUTER), ICMP(TIME_EXCEEDED), IP(VIP, B1), UDP(40000, DNS), DATA(3000),
		    FRAGMENT(1480, 600)),
		  NO_SERVICE)),
	CASE("icmp: the family of the quote differs", BOTH, services, TCP_FLOW,
	     KEPT(P(ERROR_OF(ROUTER), ICMP(UNREACHABLE), IP4(VIP, B1, .version = 6),
		    TCP(40000, HTTP, ACK), DATA(40)),
		  NO_SERVICE),
	     KEPT(P(ERROR_OF(ROUTER), ICMP(UNREACHABLE), IP6(VIP, B1, .version = 4),
		    TCP(40000, HTTP, ACK), DATA(40)),
		  NO_SERVICE)),
};

/* The balancer's own answers: from the VIP, and with up to 128 bytes of the packet. */
#define ANSWER(client) ETH(LB, client), IP(VIP, client, .id = ZERO, .offset = 0x4000)

static void small_mtu(void)
{
	services();
	backend_of(1, B1)->mtu[0] = 1280;
	backend_of(2, B1)->mtu[0] = 1280;
}

static void mtu_of_first_hop(void)
{
	services();
	backend_of(1, B1)->mtu[0] = 9000;
	backend_of(1, B1)->mtu[1] = 600;
}

static void to_second_hop(void)
{
	backend_of(1, B1)->hop[1] = backend_of(1, B1)->hop[0];
	backend_of(1, B1)->flags = BACKEND_HOP;
}

/* TCP payloads that make an IP packet of 1280 bytes. */
static void exactly_the_mtu(void)
{
	int data = 1280 - 20 - (family == 4 ? 20 : 40);

	TAKE(SENT(P(ETH(C1, LB), IP(C1, VIP, .offset = 0x4000), TCP(40000, HTTP, ACK), DATA(data)),
		  P(ETH(LB, B1), IP(VIP, B1, .ttl = 63, .offset = 0x4000), TCP(40000, HTTP, ACK),
		    DATA(data))));
	TAKE(ANSWERED(P(ETH(C1, LB), IP(C1, VIP, .offset = 0x4000), TCP(40000, HTTP, ACK),
			DATA(data + 1)),
		      TOO_BIG,
		      P(ANSWER(C1), ICMP(TOO_BIG, .value = 1280), IP(C1, VIP, .offset = 0x4000),
			TCP(40000, HTTP, ACK), DATA(data + 1), CUT(128))));
}

/* What the last packet of `step` would be answered, sent so often. */
static int answers_of(const struct layer *packet, int times)
{
	static uint8_t frame[MAX_FRAME];
	static struct outcome outcome;
	size_t length = build(packet, frame, NULL, 0);
	int answers = 0;

	for (int i = 0; i < times; i++) {
		run_packet(frame, length, &outcome);
		answers += outcome.action == XDP_TX;
	}
	return answers;
}

#define EXPIRED(host) P(ETH(C1, LB), IP(host, VIP, .ttl = 1), UDP(40000, DNS))

/* One source cannot use up what another needs, nor one kind of answer what the other does. */
static void a_budget_for_each(void)
{
	const uint8_t *first = ip4_of(C1);
	int of_many = 0, of_one;

	refill_budgets();
	of_one = answers_of(EXPIRED(C1), 1000);
	check(of_one >= 100, "%d answers to one", of_one);
	CHECK(of_one < 400);
	CHECK_EQUAL(answers_of(EXPIRED(C2), 1), 1);
	for (int i = 0; i < 2000; i++) {
		uint8_t ip4[4] = { first[0], first[1], i >> 8, i };

		set_twin(C1, ip4, 0);
		memcpy((uint8_t *)ip6_of(TWIN) + 4, &i, sizeof(i));
		of_many += answers_of(EXPIRED(TWIN), 1);
	}
	CHECK(of_many < 1500);
	CHECK_EQUAL(answers_of(P(ETH(C2, LB), IP(C2, VIP, .offset = 0x4000), TCP(40000, HTTP, SYN),
				 DATA(1400)),
			       1),
		    1);
}

/* Errors about one flow are limited, and those about another are not for that. */
static void a_rate_for_each_flow(void)
{
	int relayed;

	refill_budgets();
	relayed = answers_of(P(ERROR_OF(ROUTER), ICMP(UNREACHABLE), CLIENT_GOT, CUT(548)), 1000);
	check(relayed >= 10, "%d errors about one flow", relayed);
	CHECK(relayed < 100);
	CHECK_EQUAL(answers_of(P(ERROR_OF(ROUTER), ICMP(UNREACHABLE), IP(VIP, C1), UDP(DNS, 40000),
				 DATA(100)),
			       1),
		    1);
}

static const struct test_case answer_cases[] = {
	CASE("icmp: a rate for each flow", BOTH, services, TCP_FLOW, UDP_FLOW,
	     DO(a_rate_for_each_flow)),
	CASE("answer: a TTL of 1 is answered with time exceeded", BOTH, services,
	     ANSWERED(P(ETH(C1, LB), IP(C1, VIP, .ttl = 1), TCP(40000, HTTP, SYN)), TTL,
		      P(ANSWER(C1), ICMP(TIME_EXCEEDED), IP(C1, VIP, .ttl = 1),
			TCP(40000, HTTP, SYN))),
	     THEN(no_flow)),
	CASE("answer: a TTL of 0 as well", BOTH, services,
	     ANSWERED(P(ETH(C1, LB), IP(C1, VIP, .ttl = ZERO), TCP(40000, HTTP, SYN)), TTL,
		      P(ANSWER(C1), ICMP(TIME_EXCEEDED), IP(C1, VIP, .ttl = ZERO),
			TCP(40000, HTTP, SYN))),
	     THEN(no_flow)),
	CASE("answer: of a known flow", BOTH, services, TCP_FLOW,
	     ANSWERED(P(ETH(C1, LB), IP(C1, VIP, .ttl = 1), TCP(40000, HTTP, ACK), DATA(16)), TTL,
		      P(ANSWER(C1), ICMP(TIME_EXCEEDED), IP(C1, VIP, .ttl = 1),
			TCP(40000, HTTP, ACK), DATA(16)))),
	CASE("answer: to the backend, too", BOTH, services, TCP_FLOW,
	     ANSWERED(P(ETH(B1, LB), IP(B1, VIP, .ttl = 1), TCP(HTTP, 40000, ACK), DATA(16)), TTL,
		      P(ANSWER(B1), ICMP(TIME_EXCEEDED), IP(B1, VIP, .ttl = 1),
			TCP(HTTP, 40000, ACK), DATA(16)))),
	CASE("answer: to where the packet came from, a router", BOTH, services,
	     ANSWERED(P(ETH(ROUTER, LB), IP(C1, VIP, .ttl = 1), TCP(40000, HTTP, SYN)), TTL,
		      P(ETH(LB, ROUTER), IP(VIP, C1, .id = ZERO, .offset = 0x4000),
			ICMP(TIME_EXCEEDED), IP(C1, VIP, .ttl = 1), TCP(40000, HTTP, SYN)))),
	CASE("answer: with at most 128 bytes of a long packet", BOTH, services,
	     ANSWERED(P(ETH(C1, LB), IP(C1, VIP, .ttl = 1), UDP(40000, DNS), DATA(1400)), TTL,
		      P(ANSWER(C1), ICMP(TIME_EXCEEDED), IP(C1, VIP, .ttl = 1), UDP(40000, DNS),
			DATA(1400), CUT(128)))),
	CASE("answer: with IPv4 options in the packet", V4, services,
	     ANSWERED(P(ETH(C1, LB), IP(C1, VIP, .ttl = 1, .options = 40), TCP(40000, HTTP, SYN)),
		      TTL,
		      P(ANSWER(C1), ICMP(TIME_EXCEEDED), IP(C1, VIP, .ttl = 1, .options = 40),
			TCP(40000, HTTP, SYN)))),
	CASE("answer: in one VLAN and in two", BOTH, services,
	     ANSWERED(P(ETH(C1, LB), VLAN(5), IP(C1, VIP, .ttl = 1), TCP(40000, HTTP, SYN)), TTL,
		      P(ETH(LB, C1), VLAN(5), IP(VIP, C1, .id = ZERO, .offset = 0x4000),
			ICMP(TIME_EXCEEDED), IP(C1, VIP, .ttl = 1), TCP(40000, HTTP, SYN))),
	     ANSWERED(P(ETH(C1, LB), VLAN(5, .protocol = 0x88a8), VLAN(6), IP(C1, VIP, .ttl = 1),
			TCP(40000, HTTP, SYN)),
		      TTL,
		      P(ETH(LB, C1), VLAN(5, .protocol = 0x88a8), VLAN(6),
			IP(VIP, C1, .id = ZERO, .offset = 0x4000), ICMP(TIME_EXCEEDED),
			IP(C1, VIP, .ttl = 1), TCP(40000, HTTP, SYN)))),
	CASE("answer: without the frame's padding", BOTH, services,
	     ANSWERED(P(ETH(C1, LB), IP(C1, VIP, .ttl = 1), UDP(40000, DNS), DATA(4), PAD(80)), TTL,
		      P(ANSWER(C1), ICMP(TIME_EXCEEDED), IP(C1, VIP, .ttl = 1), UDP(40000, DNS),
			DATA(4)))),
	CASE("answer: none to a group's address, and none to nobody's", BOTH, services,
	     KEPT(P(ETH(C1, LB), IP(ALL_NODES, VIP, .ttl = 1), UDP(40000, DNS)), BAD_SOURCE),
	     KEPT(P(ETH(C1, LB), IP(NOBODY, VIP, .ttl = 1), UDP(40000, DNS)), BAD_SOURCE)),
	CASE("answer: not too many, and some for each source and kind", BOTH, small_mtu,
	     DO(a_budget_for_each)),
	CASE("answer: of no service there is none", BOTH, services,
	     KEPT(P(ETH(C1, LB), IP(C1, VIP, .ttl = 1), TCP(40000, HTTP, ACK)), NO_FLOW),
	     KEPT(P(ETH(C1, LB), IP(C1, VIP, .ttl = 1), TCP(40000, 81, SYN)), NO_SERVICE),
	     KEPT(P(ETH(C1, LB), IP(C1, VIP, .ttl = 1), ICMP(ECHO), DATA(8)), NO_SERVICE)),
	CASE("answer: too big for the way to the backend", BOTH, small_mtu, TCP_FLOW,
	     DO(exactly_the_mtu)),
	CASE("answer: the MTU is that of the hop in force", BOTH, mtu_of_first_hop, TCP_FLOW,
	     SENT(P(BACK(B1), TCP(HTTP, 40000, SYN | ACK, .seq = 900)),
		  P(HOME(C1), TCP(HTTP, 40000, SYN | ACK, .seq = 900))),
	     SENT(P(FROM(C1), TCP(40000, HTTP, ACK, .ack = 901), DATA(700)),
		  P(TO(B1), TCP(40000, HTTP, ACK, .ack = 901), DATA(700))),
	     SENT(P(FROM(C1), TCP(40000, HTTP, ACK), DATA(700)),
		  P(TO(B1), TCP(40000, HTTP, ACK), DATA(700))),
	     DO(to_second_hop),
	     ANSWERED(P(ETH(C1, LB), IP(C1, VIP, .offset = 0x4000), TCP(40000, HTTP, ACK),
			DATA(700)),
		      TOO_BIG,
		      P(ANSWER(C1), ICMP(TOO_BIG, .value = 600), IP(C1, VIP, .offset = 0x4000),
			TCP(40000, HTTP, ACK), DATA(700), CUT(128)))),
};

/* Loops */

static int quote_header(void)
{
	return family == 4 ? 20 : 40;
}

/*
 * With every length of the quote from the ports on: the checksum may be there or not. Where half of
 * it is, that half stays as it was: nobody could tell whether it is right.
 */
static void every_quote_length(void)
{
	for (int length = quote_header() + 4; length < quote_header() + 80 && passed_so_far();
	     length++) {
		if (length == quote_header() + 17)
			continue;
		TAKE(TO_CLIENT(UNREACHABLE, length));
		TAKE(TO_BACKEND(UNREACHABLE, length));
	}
}

static void every_udp_quote_length(void)
{
	for (int length = quote_header() + 4; length < quote_header() + 40 && passed_so_far();
	     length++)
		if (length != quote_header() + 7)
			TAKE(SENT(P(ERROR_OF(B1), ICMP(UNREACHABLE), BACKEND_HEARD, CUT(length)),
				  P(ERROR_TO_CLIENT, ICMP(UNREACHABLE), CLIENT_ASKED,
				    CUT(length))));
}

static void every_checksum(void)
{
	for (int word = 0; word < 0x10000 && passed_so_far(); word += 3 * stride())
		TAKE(SENT(P(ERROR_OF(B1), ICMP(UNREACHABLE), IP(VIP, B1), UDP(40000, 5353), DATA(4),
			    WORD(word)),
			  P(ERROR_TO_CLIENT, ICMP(UNREACHABLE), IP(C1, VIP), UDP(40000, DNS),
			    DATA(4), WORD(word))));
}

/* An error that does not show the ports is nobody's; one cut off behind them is malformed. */
static void cut_error(void)
{
	static uint8_t frame[MAX_FRAME];
	size_t ports = 14 + quote_header() + 8 + quote_header() + 4;
	size_t whole = build(P(ERROR_OF(ROUTER), ICMP(UNREACHABLE), BACKEND_GOT, CUT(120)), frame,
			     NULL, 0);

	for (size_t length = 14; length < whole && passed_so_far(); length++) {
		struct step step = KEPT(P(BYTES(frame, length)), NO_SERVICE);

		if (length >= ports)
			step.verdict = VERDICT_MALFORMED;
		take(&step);
		check(passed_so_far(), "cut to %zu of %zu bytes", length, whole);
	}
}

static void short_quotes(void)
{
	for (int length = 0; length < quote_header() + 4 && passed_so_far(); length++)
		TAKE(KEPT(P(ERROR_OF(ROUTER), ICMP(UNREACHABLE), BACKEND_GOT, CUT(length)),
			  NO_SERVICE));
}

static const struct test_case loop_cases[] = {
	CASE("icmp: every length of a TCP quote", BOTH, services, TCP_FLOW, DO(every_quote_length)),
	CASE("icmp: every length of an UDP quote", BOTH, services, UDP_FLOW,
	     DO(every_udp_quote_length)),
	CASE("icmp: every checksum of the quote", BOTH, other_ports,
	     SENT(P(FROM(C1), UDP(40000, DNS)), P(TO(B1), UDP(40000, 5353))), DO(every_checksum)),
	CASE("cut: an ICMP error, at every offset", BOTH, services, TCP_FLOW, DO(cut_error)),
	CASE("cut: quotes too short to show ports", BOTH, services, TCP_FLOW, DO(short_quotes)),
};

int main(int argc, char **argv)
{
	open_kernel(argc, argv);
	RUN(error_cases);
	RUN(answer_cases);
	RUN(loop_cases);
	return finish_cases();
}
