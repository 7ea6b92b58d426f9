// SPDX-License-Identifier: GPL-2.0
/*
 * Whose flow is it: packets that have the addresses and ports of a flow, and were not sent by its
 * client or backend. They are forwarded, and change nothing.
 *
 *	C1 (client), STRANGER ── ROUTER ── LB (VIP) ── B1 (backend)      all on one wire
 */
#include <arpa/inet.h>
#include <string.h>

#include "cases.h"

#define HTTP 80
#define DNS 53
#define FAR 0x40000000 /* 2^30 */
#define SWEEP 0x8000000 /* 2^27 */
#define CLIENT_FIRST 0x10000100 /* sequence numbers */
#define BACKEND_FIRST 0x90000900

static void tcp_service(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_NAT, B1);
}

static void udp_service(void)
{
	SERVICE(VIP, DNS, IPPROTO_UDP, MODE_NAT, B1);
}

/* From the client's side, with the client's MAC or another one. */
#define CLIENT_VIA(mac, flags, s, a, n)                                                            \
	SENT(P(ETH(mac, LB), IP(C1, VIP), TCP(40000, HTTP, flags, .seq = s, .ack = a), DATA(n)),   \
	     P(TO(B1), TCP(40000, HTTP, flags, .seq = s, .ack = a), DATA(n)))
#define CLIENT(flags, s, a, n) CLIENT_VIA(C1, flags, CLIENT_FIRST + s, BACKEND_FIRST + a, n)
#define ANSWER_VIA(mac, home, flags, s, a, n)                                                      \
	SENT(P(ETH(mac, LB), IP(B1, VIP),                                                          \
	       TCP(HTTP, 40000, flags, .seq = BACKEND_FIRST + s, .ack = CLIENT_FIRST + a),         \
	       DATA(n)),                                                                           \
	     P(ETH(LB, home), IP(VIP, C1, .ttl = 63),                                              \
	       TCP(HTTP, 40000, flags, .seq = BACKEND_FIRST + s, .ack = CLIENT_FIRST + a),         \
	       DATA(n)))
#define ANSWER(flags, s, a, n) ANSWER_VIA(B1, C1, flags, s, a, n)

#define CLIENT_SYN CLIENT(SYN, 0, 0, 0)
#define SYN_ACK ANSWER(SYN | ACK, 0, 1, 0)
#define HANDSHAKE CLIENT_SYN, SYN_ACK, CLIENT(ACK, 1, 1, 0)

/* All by one router: the clients' packets, and what the backend sends to its gateway. */
#define ROUTED_SYN CLIENT_VIA(ROUTER, SYN, CLIENT_FIRST, 0, 0)
#define ROUTED_SYN_ACK ANSWER_VIA(ROUTER, ROUTER, SYN | ACK, 0, 1, 0)
#define ROUTED_ACK CLIENT_VIA(ROUTER, ACK, CLIENT_FIRST + 1, BACKEND_FIRST + 1, 0)

static void established(void)
{
	CHECK_EQUAL(only_flow()->state & ~FLOW_DOUBTFUL, FLOW_NAT | FLOW_ESTABLISHED);
}

static void half_open(void)
{
	CHECK(!(only_flow()->state & FLOW_ESTABLISHED));
}

static void closed(void)
{
	CHECK(is_closed(only_flow()->state));
}

static void doubtful(void)
{
	CHECK(is_doubtful(only_flow()->state));
}

static void one_fin(void)
{
	const __u8 ends = FLOW_CLIENT_FIN | FLOW_BACKEND_FIN | FLOW_RESET;

	CHECK_EQUAL(only_flow()->state & ends, FLOW_CLIENT_FIN);
}

static void way_is_clients(void)
{
	CHECK(!memcmp(only_flow()->client_mac, mac_of(C1), 6));
	CHECK(!memcmp(only_flow()->own_mac, mac_of(LB), 6));
}

static void way_is_routers(void)
{
	CHECK(!memcmp(only_flow()->client_mac, mac_of(ROUTER), 6));
}

static void ages_3s(void)
{
	age_flows(3);
}

static void ages_61s(void)
{
	age_flows(61);
}

static void ages_121s(void)
{
	age_flows(121);
}

static void ages_299s(void)
{
	age_flows(299);
}

static void ages_899s(void)
{
	age_flows(899);
}

/* 64 MB each way, half a window at a time, and over the numbers' end: all of it is plausible. */
static void long_transfer(void)
{
	for (unsigned int i = 0; i < 0x4000000 && passed_so_far(); i += 0x80000) {
		TAKE(CLIENT(ACK, 1 + i, 1 + i, 100));
		TAKE(ANSWER(ACK, 1 + i, 101 + i, 100));
	}
}

static void client_sends_300k(void)
{
	for (unsigned int i = 0; i < 300000 && passed_so_far(); i += 1000)
		TAKE(CLIENT(ACK, 1 + i, 1, 1000));
}

static void backend_sends(unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes && passed_so_far(); i += 1000)
		TAKE(ANSWER(ACK, 1 + i, 1, 1000));
}

static void backend_sends_300k(void)
{
	backend_sends(300000);
}

static void backend_sends_900k(void)
{
	backend_sends(900000);
}

/* Blind ACKs, each a unit further: were one of them to move the number noted, so would all. */
static void sweep_of_acks(void)
{
	for (unsigned int i = 0; i < SWEEP && passed_so_far(); i += 0x10000)
		TAKE(CLIENT(ACK, i, FAR, 0));
}

static void owner_is_b2(void)
{
	set_owner(1, 0, backend_number(1, B2));
}

#define NEW_AT_B2                                                                                  \
	SENT(P(FROM(C1), TCP(40000, HTTP, SYN, .seq = 77)),                                        \
	     P(TO(B2), TCP(40000, HTTP, SYN, .seq = 77)))

static const struct test_case tcp_cases[] = {
	CASE("forged: RST far off changes nothing", BOTH, tcp_service, HANDSHAKE,
	     CLIENT(RST, FAR, 0, 0), ANSWER_VIA(C1, C1, RST, FAR, 1, 0), THEN(established)),
	CASE("forged: FIN far off changes nothing", BOTH, tcp_service, HANDSHAKE,
	     CLIENT(FIN | ACK, FAR, 1, 0), ANSWER_VIA(C1, C1, FIN | ACK, FAR, 1, 0),
	     THEN(established)),
	CASE("forged: SYN far off changes nothing", BOTH, tcp_service, HANDSHAKE, DO(owner_is_b2),
	     CLIENT(SYN, FAR, 0, 0), CLIENT(ACK, 1, 1, 5), THEN(established)),
	CASE("forged: RST and SYN do not begin it anew", BOTH, tcp_service, HANDSHAKE,
	     DO(owner_is_b2), CLIENT(RST, FAR, 0, 0), CLIENT(SYN, FAR, 0, 0), CLIENT(ACK, 1, 1, 5),
	     THEN(established)),
	CASE("forged: a RST or FIN of the next units is none", BOTH, tcp_service, HANDSHAKE,
	     CLIENT(RST, 0x20000, 0, 0), CLIENT(RST, -0x20000, 0, 0),
	     CLIENT(RST | ACK, 0x20000, 1, 0), CLIENT(FIN | ACK, 0x20000, 1, 0), THEN(established)),
	CASE("forged: a FIN that acknowledges what was not sent is none", BOTH, tcp_service,
	     HANDSHAKE, CLIENT(FIN | ACK, 1, FAR, 0), CLIENT(FIN | ACK, 1, 0x20000, 0),
	     CLIENT(FIN | ACK, 1, -0x100000, 0), CLIENT(FIN, 1, 1, 0), THEN(established)),
	CASE("forged: a RST that acknowledges nothing does not shorten the flow's life", BOTH,
	     tcp_service, HANDSHAKE, CLIENT(RST, 1, 0, 0), DO(doubtful), DO(ages_899s),
	     ANSWER(ACK, 1, 1, 9), CLIENT(ACK, 1, 10, 9), THEN(established)),
	CASE("forged: nor does one that acknowledges what was not sent", BOTH, tcp_service,
	     HANDSHAKE, CLIENT(RST | ACK, 1, FAR, 0), DO(doubtful), DO(ages_899s),
	     CLIENT(ACK, 1, 1, 9), THEN(established)),
	CASE("forged: after such a RST no SYN begins it anew", BOTH, tcp_service, HANDSHAKE,
	     DO(owner_is_b2), CLIENT(RST, 1, 0, 0), CLIENT(SYN, FAR, 0, 0), CLIENT(ACK, 1, 1, 5),
	     THEN(established)),
	CASE("reset: one with both numbers ends the flow in two minutes", BOTH, tcp_service,
	     HANDSHAKE, CLIENT(RST | ACK, 1, 1, 0), DO(closed), DO(ages_121s),
	     KEPT(P(FROM(C1), TCP(40000, HTTP, ACK, .seq = CLIENT_FIRST + 1)), NO_FLOW)),
	CASE("reset: the backend's own needs no numbers", BOTH, tcp_service, HANDSHAKE,
	     ANSWER(RST, 1, 1, 0), THEN(closed)),
	CASE("reset: after a FIN it has the number after that", BOTH, tcp_service, HANDSHAKE,
	     CLIENT(FIN | ACK, 1, 1, 9), CLIENT(RST, 500, 0, 0), DO(one_fin), CLIENT(RST, 11, 0, 0),
	     THEN(closed)),
	CASE("reset: what a closed client answers to data in flight leaves it closed", BOTH,
	     tcp_service, HANDSHAKE, CLIENT(RST | ACK, 1, 1, 0), ANSWER(ACK, 1, 1, 900),
	     CLIENT(RST, 1, 0, 0), DO(closed), CLIENT(ACK, 1, 1, 9), THEN(established)),
	CASE("reset: it need not acknowledge what the backend has sent last", BOTH, tcp_service,
	     HANDSHAKE, ANSWER(FIN | ACK, 1, 1, 1000), CLIENT(RST | ACK, 1, 1, 0), THEN(closed)),
	CASE("reset: after a FIN it has no data", BOTH, tcp_service, HANDSHAKE,
	     CLIENT(FIN | ACK, 1, 1, 9), CLIENT(RST, -400000, 0, 1),
	     CLIENT(RST | ACK, -400000, 1, 1), THEN(one_fin)),
	CASE("reset: after one that is doubtful another is not less so", BOTH, tcp_service,
	     HANDSHAKE, ANSWER_VIA(ROUTER, C1, RST, 1, 0, 0), DO(doubtful), CLIENT(RST, 1, 0, 0),
	     ANSWER_VIA(ROUTER, C1, ACK, 1, 1, 9), THEN(doubtful)),
	CASE("forged: data before a FIN does not move the number after it", BOTH, tcp_service,
	     HANDSHAKE, CLIENT(FIN | ACK, 1, 1, 9), ANSWER(FIN | ACK, 1, 11, 9), DO(closed),
	     CLIENT(FIN, -400000, 0x33333333, 1), CLIENT(ACK, 11, 11, 0), THEN(closed)),
	CASE("forged: an ACK of any number does not take back a FIN", BOTH, tcp_service, HANDSHAKE,
	     CLIENT(FIN | ACK, 1, 1, 9), ANSWER(FIN | ACK, 1, 11, 9), DO(closed),
	     CLIENT_VIA(ROUTER, ACK, FAR + 0x123400, BACKEND_FIRST + 11 - 400000, 0),
	     DO(way_is_clients), THEN(closed)),
	CASE("forged: blind ACKs do not move the number", BOTH, tcp_service, HANDSHAKE,
	     DO(sweep_of_acks), CLIENT(RST | ACK, SWEEP, 1, 0), CLIENT(FIN | ACK, FAR, 1, 0),
	     CLIENT(ACK, 1, 1, 9), DO(established), CLIENT(RST | ACK, 11, 1, 0), THEN(closed)),
	CASE("forged: ACKs far ahead do not move the number, whatever they acknowledge", BOTH,
	     tcp_service, HANDSHAKE, CLIENT(ACK, 0x20000, 1, 0), CLIENT(ACK, 0x800000, 1, 9),
	     CLIENT(RST | ACK, 0x800000, 1, 0), THEN(established)),
	CASE("forged: a packet without flags changes nothing", BOTH, tcp_service, HANDSHAKE,
	     CLIENT_VIA(ROUTER, 0, FAR, FAR, 9), DO(way_is_clients), DO(ages_899s),
	     CLIENT(0, FAR, 0, 9), DO(ages_3s),
	     KEPT(P(FROM(C1), TCP(40000, HTTP, ACK, .seq = CLIENT_FIRST + 1)), NO_FLOW)),
	CASE("forged: what is far off does not keep a flow alive", BOTH, tcp_service, HANDSHAKE,
	     DO(ages_899s), CLIENT(ACK, FAR, 1, 9), DO(ages_3s),
	     KEPT(P(FROM(C1), TCP(40000, HTTP, ACK, .seq = CLIENT_FIRST + 1)), NO_FLOW)),
	CASE("forged: a long transfer is plausible all the time", BOTH, tcp_service, HANDSHAKE,
	     DO(long_transfer), THEN(established)),
	CASE("forged: 65,536 further ACKs do not guess the handshake", BOTH, tcp_service,
	     CLIENT_SYN, SYN_ACK, CLIENT(ACK, 1, 2, 0), CLIENT(ACK, 1, 0, 0),
	     CLIENT(ACK, 1, 65536, 0), DO(half_open), CLIENT(ACK, 1, 1, 0), THEN(established)),
	CASE("fast open: the backend's data tells that it knows the client", BOTH, tcp_service,
	     CLIENT(SYN, 0, 0, 30), ANSWER(SYN | ACK, 0, 31, 0), DO(half_open),
	     ANSWER(ACK, 1, 31, 900), CLIENT(ACK, 31, 901, 0), THEN(established)),

	/* Taken back */
	CASE("forged: a lone RST is taken back by its side", BOTH, tcp_service, HANDSHAKE,
	     CLIENT(RST | ACK, 500, 1, 0), DO(closed), ANSWER(ACK, 1, 1, 10), DO(closed),
	     CLIENT(ACK, 1, 11, 10), THEN(established)),
	CASE("forged: a backend's lone RST is taken back by its side", BOTH, tcp_service, HANDSHAKE,
	     ANSWER(RST, 1, 1, 0), CLIENT(ACK, 1, 1, 10), DO(closed), ANSWER(ACK, 1, 11, 10),
	     THEN(established)),
	CASE("forged: a lone FIN is taken back by data", BOTH, tcp_service, HANDSHAKE,
	     CLIENT(FIN | ACK, 500, 1, 0), DO(one_fin), CLIENT(ACK | PSH, 801, 1, 10),
	     THEN(established)),
	CASE("forged: a lone FIN is taken back by an ACK", BOTH, tcp_service, HANDSHAKE,
	     CLIENT(FIN | ACK, 500, 1, 0), DO(one_fin), CLIENT(ACK, 1, 1, 0), THEN(established)),
	CASE("forged: FIN as both sides is taken back by both", BOTH, tcp_service, HANDSHAKE,
	     CLIENT(FIN | ACK, 500, 1, 0), ANSWER_VIA(ROUTER, C1, FIN | ACK, 700, 501, 0),
	     DO(closed), ANSWER(ACK, 1, 1, 0), CLIENT(ACK, 1, 1, 0), THEN(established)),
	CASE("half-close: ACKs after the FIN leave it", BOTH, tcp_service, HANDSHAKE,
	     CLIENT(FIN | ACK, 1, 1, 9), ANSWER(ACK, 1, 11, 1000), CLIENT(ACK, 11, 1001, 0),
	     ANSWER(ACK, 1001, 11, 1000), CLIENT(ACK, 11, 2001, 0), DO(one_fin),
	     ANSWER(FIN | ACK, 2001, 11, 0), CLIENT(ACK, 11, 2002, 0), THEN(closed)),
	CASE("half-close: data before the FIN, sent again, leaves it", BOTH, tcp_service, HANDSHAKE,
	     CLIENT(FIN | ACK, 1001, 1, 9), CLIENT(ACK, 1, 1, 1000), THEN(one_fin)),
	CASE("half-close: so does data from further back", BOTH, tcp_service, HANDSHAKE,
	     DO(client_sends_300k), CLIENT(FIN | ACK, 300001, 1, 9), CLIENT(ACK, 1, 1, 1000),
	     CLIENT(ACK, 100001, 1, 1000), CLIENT(ACK, 300011, 1, 0), THEN(one_fin)),
	CASE("half-close: so does data from 900 KB back", BOTH, tcp_service, HANDSHAKE,
	     DO(backend_sends_900k), ANSWER(FIN | ACK, 900001, 1, 9), ANSWER(ACK, 1, 1, 1000),
	     CLIENT(FIN | ACK, 1, 900011, 0), ANSWER(ACK, 900011, 2, 0), THEN(closed)),
	CASE("close: both at once, with data under way", BOTH, tcp_service, HANDSHAKE,
	     ANSWER(FIN | ACK, 1, 1, 1000), CLIENT(FIN | ACK, 1, 1, 0), DO(closed),
	     ANSWER(ACK, 1002, 2, 0), CLIENT(ACK, 2, 1002, 0), THEN(closed)),
	CASE("close: both at once, with much data under way", BOTH, tcp_service, HANDSHAKE,
	     DO(backend_sends_300k), ANSWER(FIN | ACK, 300001, 1, 1000), CLIENT(FIN | ACK, 1, 1, 0),
	     THEN(closed)),

	/* Where from */
	CASE("forged: an answer from the client's side is none", BOTH, tcp_service, HANDSHAKE,
	     SENT(P(FROM(C2), TCP(41000, HTTP, SYN)), P(TO(B1), TCP(41000, HTTP, SYN))),
	     SENT(P(ETH(C2, LB), IP(B1, VIP), TCP(HTTP, 41000, SYN | ACK, .seq = 5)),
		  P(HOME(C2), TCP(HTTP, 41000, SYN | ACK, .seq = 5))),
	     SENT(P(FROM(C2), TCP(41000, HTTP, ACK, .ack = 6)),
		  P(TO(B1), TCP(41000, HTTP, ACK, .ack = 6))),
	     DO(ages_61s), CLIENT(ACK, 1, 1, 1),
	     KEPT(P(FROM(C2), TCP(41000, HTTP, ACK, .ack = 6)), NO_FLOW)),
	CASE("forged: the backend's RST from the client's side is none", BOTH, tcp_service,
	     HANDSHAKE, ANSWER_VIA(C1, C1, RST, 1, 1, 0), THEN(established)),
	CASE("routed: the backend's answers come by the clients' router", BOTH, tcp_service,
	     ROUTED_SYN, ROUTED_SYN_ACK, ROUTED_ACK, THEN(established)),
	CASE("routed: there too a RST far off changes nothing", BOTH, tcp_service, ROUTED_SYN,
	     ROUTED_SYN_ACK, ROUTED_ACK, ANSWER_VIA(ROUTER, ROUTER, RST, FAR, 1, 0),
	     THEN(established)),
	CASE("routed: a RST of the backend that acknowledges nothing is doubtful", BOTH,
	     tcp_service, ROUTED_SYN, ROUTED_SYN_ACK, ROUTED_ACK,
	     ANSWER_VIA(ROUTER, ROUTER, RST, 1, FAR, 0), DO(doubtful),
	     ANSWER_VIA(ROUTER, ROUTER, RST | ACK, 1, 1, 0), THEN(closed)),
	CASE("routed: FIN both ways closes the flow", BOTH, tcp_service, ROUTED_SYN, ROUTED_SYN_ACK,
	     ROUTED_ACK, CLIENT_VIA(ROUTER, FIN | ACK, CLIENT_FIRST + 1, BACKEND_FIRST + 1, 9),
	     ANSWER_VIA(ROUTER, ROUTER, FIN | ACK, 1, 11, 5), DO(closed),
	     CLIENT_VIA(ROUTER, ACK, CLIENT_FIRST + 11, BACKEND_FIRST + 7, 0), THEN(closed)),
	CASE("routed: so it does at once, with data under way", BOTH, tcp_service, ROUTED_SYN,
	     ROUTED_SYN_ACK, ROUTED_ACK,
	     CLIENT_VIA(ROUTER, FIN | ACK, CLIENT_FIRST + 1, BACKEND_FIRST + 1, 900),
	     ANSWER_VIA(ROUTER, ROUTER, FIN | ACK, 1, 1, 900), THEN(closed)),
	CASE("renewed: a backend that accepts a new connection is believed", BOTH, tcp_service,
	     HANDSHAKE, CLIENT(SYN, FAR, 0, 0), ANSWER(SYN | ACK, FAR, FAR + 1, 0),
	     CLIENT(ACK, FAR + 1, FAR + 1, 0), DO(ages_899s), CLIENT(ACK, FAR + 1, FAR + 1, 9),
	     DO(ages_899s), CLIENT(ACK, FAR + 10, FAR + 1, 9), THEN(established)),

	/* The way back */
	CASE("way: a plausible packet moves it", BOTH, tcp_service, HANDSHAKE,
	     CLIENT_VIA(ROUTER, ACK, CLIENT_FIRST + 1, BACKEND_FIRST + 1, 9), THEN(way_is_routers)),
	CASE("way: one that is sent again does not", BOTH, tcp_service, HANDSHAKE,
	     CLIENT_VIA(ROUTER, ACK, CLIENT_FIRST - 0x30000, BACKEND_FIRST + 1, 9),
	     THEN(way_is_clients)),
	CASE("way: one far off does not", BOTH, tcp_service, HANDSHAKE,
	     CLIENT_VIA(ROUTER, ACK, FAR, BACKEND_FIRST + 1, 9), THEN(way_is_clients)),
	CASE("way: data from before a FIN does not", BOTH, tcp_service, HANDSHAKE,
	     CLIENT(FIN | ACK, 1, 1, 9),
	     CLIENT_VIA(ROUTER, ACK, CLIENT_FIRST - 400000, 0x33333333, 1),
	     CLIENT_VIA(ROUTER, ACK, CLIENT_FIRST + 1, BACKEND_FIRST + 1, 9), THEN(way_is_clients)),
	CASE("way: never a group, nobody, or our own MAC", BOTH, tcp_service, HANDSHAKE,
	     CLIENT_VIA(ALL_NODES, ACK, CLIENT_FIRST + 1, BACKEND_FIRST + 1, 9),
	     CLIENT_VIA(NOBODY, ACK, CLIENT_FIRST + 1, BACKEND_FIRST + 1, 9),
	     CLIENT_VIA(LB, ACK, CLIENT_FIRST + 1, BACKEND_FIRST + 1, 9), THEN(way_is_clients)),
};

static void evictable_udp(void)
{
	CHECK_EQUAL(only_flow()->state, FLOW_NAT | FLOW_ESTABLISHED);
}

static void lasting_udp(void)
{
	CHECK_EQUAL(only_flow()->state, FLOW_NAT | FLOW_ESTABLISHED | FLOW_RETURNED);
}

static const struct test_case udp_cases[] = {
	CASE("udp: a question and its answer pass", BOTH, udp_service, DNS_QUERY(5), DNS_REPLY(5),
	     DNS_QUERY(5), DNS_REPLY(5), THEN(evictable_udp)),
	CASE("udp: they are forgotten after a minute", BOTH, udp_service, DNS_QUERY(5),
	     DNS_REPLY(5), DO(ages_61s), KEPT(P(BACK(B1), UDP(DNS, 40000), DATA(7)), NO_SERVICE)),
	CASE("udp: a client that returns has a flow", BOTH, udp_service, DNS_QUERY(5), DNS_REPLY(5),
	     DO(ages_3s), DNS_QUERY(5), DO(lasting_udp), DO(ages_299s), DNS_REPLY(7),
	     THEN(lasting_udp)),
	CASE("udp: an answer from the client's side is none", BOTH, udp_service, DNS_QUERY(5),
	     DNS_REPLY(5),
	     SENT(P(FROM(C2), UDP(40001, DNS), DATA(7)), P(TO(B1), UDP(40001, DNS), DATA(7))),
	     SENT(P(ETH(C2, LB), IP(B1, VIP), UDP(DNS, 40001), DATA(7)),
		  P(HOME(C2), UDP(DNS, 40001), DATA(7))),
	     DO(ages_3s),
	     SENT(P(FROM(C2), UDP(40001, DNS), DATA(7)), P(TO(B1), UDP(40001, DNS), DATA(7))),
	     DO(ages_61s), KEPT(P(BACK(B1), UDP(DNS, 40001), DATA(7)), NO_SERVICE)),
};

int main(int argc, char **argv)
{
	open_kernel(argc, argv);
	RUN(tcp_cases);
	RUN(udp_cases);
	return finish_cases();
}
