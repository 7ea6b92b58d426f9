// SPDX-License-Identifier: GPL-2.0
/*
 * Mode nat: a client's packet goes to a backend with the VIP as its source, and the answer back.
 *
 *	C1, C2 (clients) ── LB (VIP) ── B1, B2 (backends)      all on one wire
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cases.h"

#define HTTP 80
#define DNS 53

/* Of each case: a service with one backend, so that where a packet goes needs no hash. */
static void tcp_service(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_NAT, B1);
}

static void udp_service(void)
{
	SERVICE(VIP, DNS, IPPROTO_UDP, MODE_NAT, B1);
}

static void other_backend_port(void)
{
	tcp_service();
	backend_of(1, B1)->port = htons(8080);
}

static void other_udp_backend_port(void)
{
	udp_service();
	backend_of(1, B1)->port = htons(5353);
}

/* Steps that many cases begin with. */
#define CLIENT_SYN                                                                                 \
	SENT(P(FROM(C1), TCP(40000, HTTP, SYN, .seq = 100)),                                       \
	     P(TO(B1), TCP(40000, HTTP, SYN, .seq = 100)))
#define BACKEND_SYN_ACK                                                                            \
	SENT(P(BACK(B1), TCP(HTTP, 40000, SYN | ACK, .seq = 900, .ack = 101)),                     \
	     P(HOME(C1), TCP(HTTP, 40000, SYN | ACK, .seq = 900, .ack = 101)))
#define CLIENT_ACK                                                                                 \
	SENT(P(FROM(C1), TCP(40000, HTTP, ACK, .seq = 101, .ack = 901)),                           \
	     P(TO(B1), TCP(40000, HTTP, ACK, .seq = 101, .ack = 901)))
#define HANDSHAKE CLIENT_SYN, BACKEND_SYN_ACK, CLIENT_ACK

#define CLIENT_SENDS(flags, n)                                                                     \
	SENT(P(FROM(C1), TCP(40000, HTTP, flags, .seq = 101, .ack = 901), DATA(n)),                \
	     P(TO(B1), TCP(40000, HTTP, flags, .seq = 101, .ack = 901), DATA(n)))
#define BACKEND_SENDS(flags, n)                                                                    \
	SENT(P(BACK(B1), TCP(HTTP, 40000, flags, .seq = 901, .ack = 101), DATA(n)),                \
	     P(HOME(C1), TCP(HTTP, 40000, flags, .seq = 901, .ack = 101), DATA(n)))

static void one_flow(void)
{
	only_flow();
}

static void no_flow(void)
{
	CHECK_EQUAL(count_flows(), 0);
}

static void half_open(void)
{
	CHECK(!(only_flow()->state & FLOW_ESTABLISHED));
	CHECK_EQUAL(case_gain.service[1].flows, 1);
	CHECK_EQUAL(case_gain.backend[1].flows, 1);
}

static void established(void)
{
	CHECK(only_flow()->state & FLOW_ESTABLISHED);
	CHECK_EQUAL(case_gain.service[1].flows, 1);
	CHECK_EQUAL(case_gain.backend[1].flows, 1);
}

static void two_flows_begun(void)
{
	CHECK_EQUAL(case_gain.service[1].flows, 2);
}

static void port_was_changed(void)
{
	CHECK(chosen[0] != 40000);
	CHECK(chosen[0] >= 1024);
	CHECK_EQUAL(count_flows(), 2);
}

static void other_port_than_dns(void)
{
	CHECK(chosen[0] >= 1024);
}

static __u64 drawn[HASH_FACTORS];

static void forget_secret(void)
{
	memset(config()->secret, 0, sizeof(drawn));
}

static void secret_is_drawn(void)
{
	memcpy(drawn, config()->secret, sizeof(drawn));
	for (int i = 0; i < HASH_FACTORS; i++)
		CHECK(drawn[i] & 1 && drawn[i] >> 32);
	CHECK(drawn[0] != drawn[1] && drawn[1] != drawn[2]);
}

static void secret_is_kept(void)
{
	CHECK(!memcmp(drawn, config()->secret, sizeof(drawn)));
	established();
}

static void twin_of_client(void)
{
	make_twin(C1, 40000, HTTP, 50001, "124.223.112.98");
	CHECK_EQUAL(hash_of_flow(TWIN, 50001, HTTP), hash_of_flow(C1, 40000, HTTP));
}

static void twin_of_backend(void)
{
	make_twin(B1, HTTP, 40000, 50001, "92.148.176.101");
	CHECK_EQUAL(hash_of_flow(TWIN, 50001, 40000), hash_of_flow(B1, HTTP, 40000));
}

static void ages_27_days(void)
{
	age_flows(27 * 86400);
}

static void ages_40_days(void)
{
	age_flows(40 * 86400);
}

static void ages_901s(void)
{
	age_flows(901);
}

static void ages_3s(void)
{
	age_flows(3);
}

static void ages_899s(void)
{
	age_flows(899);
}

static void ages_299s(void)
{
	age_flows(299);
}

static void ages_301s(void)
{
	age_flows(301);
}

static void ages_59s(void)
{
	age_flows(59);
}

static void ages_61s(void)
{
	age_flows(61);
}

static void ages_119s(void)
{
	age_flows(119);
}

static void ages_121s(void)
{
	age_flows(121);
}

static void ages_11s(void)
{
	age_flows(11);
}

/* A packet of either side after half a second counts against the timeout. */
static void each_packet_counts(void)
{
	__u32 now;

	only_flow();
	for (int side = 0; side < 2 && passed_so_far(); side++) {
		now = only_flow()->seen;
		only_flow()->seen = now - TICKS_OF(1) / 2;
		if (side)
			TAKE(BACKEND_SENDS(ACK, 10));
		else
			TAKE(CLIENT_SENDS(ACK, 10));
		CHECK((__s32)(only_flow()->seen - now) >= 0);
	}
}

/* More often than a bucket has pointers. */
static void again_and_again(void)
{
	for (int i = 0; i < 2 * FLOW_POINTERS && passed_so_far(); i++) {
		TAKE(BACKEND_SENDS(FIN | ACK, 10));
		TAKE(CLIENT_SENDS(FIN | ACK, 10));
		TAKE(CLIENT_SYN);
		TAKE(BACKEND_SYN_ACK);
		TAKE(CLIENT_ACK);
	}
	one_flow();
}

static void short_timeouts(void)
{
	config()->tcp_timeout = 10;
	config()->fin_timeout = 5;
	config()->udp_timeout = 10;
}

static void goes_down(void)
{
	backend_of(1, B1)->generation++;
}

static void owner_is_b2(void)
{
	set_owner(1, 0, backend_number(1, B2));
}

static void no_owner(void)
{
	set_owner(1, 0, 0);
}

static void flow_is_flushed(void)
{
	only_flow()->cookie = 0;
}

static const struct test_case tcp_cases[] = {
	CASE("tcp: SYN of a new flow goes to the backend", BOTH, tcp_service, CLIENT_SYN,
	     THEN(half_open)),
	CASE("tcp: SYN with options and ECN bits", BOTH, tcp_service,
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN | 0xc0, .options = 20)),
		  P(TO(B1), TCP(40000, HTTP, SYN | 0xc0, .options = 20))),
	     THEN(half_open)),
	CASE("tcp: SYN with data (fast open)", BOTH, tcp_service,
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN), DATA(77)),
		  P(TO(B1), TCP(40000, HTTP, SYN), DATA(77))),
	     THEN(half_open)),
	CASE("tcp: SYN sent again is of the same flow", BOTH, tcp_service, CLIENT_SYN, CLIENT_SYN,
	     THEN(half_open)),
	CASE("tcp: SYN-ACK goes back to the client", BOTH, tcp_service, CLIENT_SYN, BACKEND_SYN_ACK,
	     THEN(half_open)),
	CASE("tcp: the handshake makes a flow established", BOTH, tcp_service, HANDSHAKE,
	     THEN(established)),
	CASE("tcp: an ACK of a number never sent makes none", BOTH, tcp_service, CLIENT_SYN,
	     BACKEND_SYN_ACK,
	     SENT(P(FROM(C1), TCP(40000, HTTP, ACK, .ack = 700000)),
		  P(TO(B1), TCP(40000, HTTP, ACK, .ack = 700000))),
	     THEN(half_open)),
	CASE("tcp: an ACK before the SYN-ACK makes none", BOTH, tcp_service, CLIENT_SYN, CLIENT_ACK,
	     THEN(half_open)),
	CASE("tcp: data with the handshake's last ACK", BOTH, tcp_service, CLIENT_SYN,
	     BACKEND_SYN_ACK, CLIENT_SENDS(ACK | PSH, 100), THEN(established)),
	CASE("tcp: data from the client", BOTH, tcp_service, HANDSHAKE, CLIENT_SENDS(ACK, 1),
	     CLIENT_SENDS(ACK, 2), CLIENT_SENDS(ACK, 3), CLIENT_SENDS(ACK | PSH, 1460),
	     CLIENT_SENDS(ACK | URG, 501), THEN(established)),
	CASE("tcp: data from the backend", BOTH, tcp_service, HANDSHAKE, BACKEND_SENDS(ACK, 1),
	     BACKEND_SENDS(ACK, 2), BACKEND_SENDS(ACK, 3), BACKEND_SENDS(ACK | PSH, 1460),
	     BACKEND_SENDS(ACK | URG, 501), THEN(established)),
	CASE("tcp: another port at the backend", BOTH, other_backend_port,
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN), DATA(3)),
		  P(TO(B1), TCP(40000, 8080, SYN), DATA(3))),
	     SENT(P(BACK(B1), TCP(8080, 40000, SYN | ACK), DATA(5)),
		  P(HOME(C1), TCP(HTTP, 40000, SYN | ACK), DATA(5))),
	     THEN(one_flow)),
	CASE("tcp: the backend's port of the service is not the flow's", BOTH, other_backend_port,
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN)), P(TO(B1), TCP(40000, 8080, SYN))),
	     KEPT(P(BACK(B1), TCP(HTTP, 40000, SYN | ACK)), NO_SERVICE), THEN(one_flow)),

	/* Of no flow */
	CASE("tcp: ACK of an unknown flow passes", BOTH, tcp_service,
	     KEPT(P(FROM(C1), TCP(40000, HTTP, ACK), DATA(9)), NO_FLOW), THEN(no_flow)),
	CASE("tcp: FIN of an unknown flow passes", BOTH, tcp_service,
	     KEPT(P(FROM(C1), TCP(40000, HTTP, FIN | ACK)), NO_FLOW), THEN(no_flow)),
	CASE("tcp: RST of an unknown flow passes", BOTH, tcp_service,
	     KEPT(P(FROM(C1), TCP(40000, HTTP, RST)), NO_FLOW), THEN(no_flow)),
	CASE("tcp: SYN-ACK of an unknown flow passes", BOTH, tcp_service,
	     KEPT(P(FROM(C1), TCP(40000, HTTP, SYN | ACK)), NO_FLOW), THEN(no_flow)),
	CASE("tcp: no flags, of an unknown flow, passes", BOTH, tcp_service,
	     KEPT(P(FROM(C1), TCP(40000, HTTP, 0)), NO_FLOW), THEN(no_flow)),
	CASE("tcp: SYN and FIN together begin no flow", BOTH, tcp_service,
	     KEPT(P(FROM(C1), TCP(40000, HTTP, SYN | FIN)), NO_FLOW), THEN(no_flow)),
	CASE("tcp: SYN and RST together begin no flow", BOTH, tcp_service,
	     KEPT(P(FROM(C1), TCP(40000, HTTP, SYN | RST)), NO_FLOW), THEN(no_flow)),
	CASE("tcp: another client port is another flow", BOTH, tcp_service, HANDSHAKE,
	     KEPT(P(FROM(C1), TCP(40001, HTTP, ACK)), NO_FLOW), THEN(established)),
	CASE("tcp: another client address is another flow", BOTH, tcp_service, HANDSHAKE,
	     KEPT(P(FROM(C2), TCP(40000, HTTP, ACK)), NO_FLOW), THEN(established)),
	CASE("tcp: the first packet draws the secret of the hash, no other does", BOTH, tcp_service,
	     DO(forget_secret), CLIENT_SYN, DO(secret_is_drawn), BACKEND_SYN_ACK, CLIENT_ACK,
	     CLIENT_SENDS(ACK, 1), BACKEND_SENDS(ACK, 1), THEN(secret_is_kept)),
	CASE("tcp: a client whose packets have the same hash is another", BOTH, tcp_service,
	     HANDSHAKE, CLIENT_SENDS(ACK, 1), DO(twin_of_client),
	     KEPT(P(ETH(C1, LB), IP(TWIN, VIP), TCP(50001, HTTP, ACK), DATA(1)), NO_FLOW),
	     CLIENT_SENDS(ACK, 1)),
	CASE("tcp: who sends packets of the backend's hash is not the backend", BOTH, tcp_service,
	     HANDSHAKE, BACKEND_SENDS(ACK, 1), DO(twin_of_backend),
	     KEPT(P(ETH(B1, LB), IP(TWIN, VIP), TCP(50001, 40000, ACK), DATA(1)), NO_SERVICE),
	     BACKEND_SENDS(ACK, 1)),
	CASE("tcp: a backend's answer of no flow passes", BOTH, tcp_service,
	     KEPT(P(BACK(B1), TCP(HTTP, 40000, SYN | ACK)), NO_SERVICE), THEN(no_flow)),
	CASE("tcp: an answer to another port passes", BOTH, tcp_service, HANDSHAKE,
	     KEPT(P(BACK(B1), TCP(HTTP, 40001, ACK)), NO_SERVICE), THEN(established)),
	CASE("tcp: an answer of another backend passes", BOTH, tcp_service, HANDSHAKE,
	     KEPT(P(BACK(B2), TCP(HTTP, 40000, ACK)), NO_SERVICE), THEN(established)),

	/* The end of a flow, and what comes after it */
	CASE("tcp: closing, FIN both ways, is forwarded to the last ACK", BOTH, tcp_service,
	     HANDSHAKE, CLIENT_SENDS(FIN | ACK, 0), BACKEND_SENDS(ACK, 0), BACKEND_SENDS(ACK, 100),
	     CLIENT_SENDS(ACK, 0), BACKEND_SENDS(FIN | ACK, 0), CLIENT_SENDS(ACK, 0),
	     THEN(one_flow)),
	CASE("tcp: RST from the client is forwarded", BOTH, tcp_service, HANDSHAKE,
	     CLIENT_SENDS(RST, 0), THEN(one_flow)),
	CASE("tcp: RST from the backend is forwarded", BOTH, tcp_service, HANDSHAKE,
	     BACKEND_SENDS(RST | ACK, 0), THEN(one_flow)),
	CASE("tcp: RST instead of SYN-ACK is forwarded", BOTH, tcp_service, CLIENT_SYN,
	     BACKEND_SENDS(RST | ACK, 0)),
	CASE("tcp: SYN after FIN both ways begins a new flow", BOTH, tcp_service, HANDSHAKE,
	     CLIENT_SENDS(FIN | ACK, 0), BACKEND_SENDS(FIN | ACK, 0), CLIENT_SENDS(ACK, 0),
	     DO(owner_is_b2),
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN)), P(TO(B2), TCP(40000, HTTP, SYN))),
	     THEN(two_flows_begun)),
	CASE("tcp: SYN after RST begins a new flow", BOTH, tcp_service, HANDSHAKE,
	     BACKEND_SENDS(RST, 0), DO(owner_is_b2),
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN)), P(TO(B2), TCP(40000, HTTP, SYN))),
	     THEN(two_flows_begun)),
	CASE("tcp: SYN after a close, to the same backend", BOTH, tcp_service, HANDSHAKE,
	     CLIENT_SENDS(FIN | ACK, 0), BACKEND_SENDS(FIN | ACK, 0), CLIENT_SENDS(ACK, 0),
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN)), P(TO(B1), TCP(CHOSEN(0), HTTP, SYN))),
	     SENT(P(BACK(B1), TCP(HTTP, CHOSEN(0), SYN | ACK)),
		  P(HOME(C1), TCP(HTTP, 40000, SYN | ACK))),
	     THEN(two_flows_begun)),
	CASE("tcp: SYN to an established flow stays with its backend", BOTH, tcp_service, HANDSHAKE,
	     DO(owner_is_b2), CLIENT_SYN, THEN(established)),
	CASE("tcp: SYN after one FIN only stays with its backend", BOTH, tcp_service, HANDSHAKE,
	     CLIENT_SENDS(FIN | ACK, 0), DO(owner_is_b2), CLIENT_SYN, THEN(one_flow)),

	/* Changes of the configuration */
	CASE("tcp: a flow stays with its backend when the table changes", BOTH, tcp_service,
	     HANDSHAKE, DO(owner_is_b2), CLIENT_SENDS(ACK, 10), BACKEND_SENDS(ACK, 10),
	     THEN(established)),
	CASE("tcp: a half-open flow stays with its backend, too", BOTH, tcp_service, CLIENT_SYN,
	     DO(owner_is_b2), CLIENT_SYN, BACKEND_SYN_ACK, CLIENT_ACK, THEN(established)),
	CASE("tcp: a backend that goes down ends its flows", BOTH, tcp_service, HANDSHAKE,
	     DO(goes_down), KEPT(P(FROM(C1), TCP(40000, HTTP, ACK)), NO_FLOW),
	     KEPT(P(BACK(B1), TCP(HTTP, 40000, ACK)), NO_SERVICE)),
	CASE("tcp: after the backend went down a SYN picks anew", BOTH, tcp_service, HANDSHAKE,
	     DO(goes_down), DO(owner_is_b2),
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN)), P(TO(B2), TCP(40000, HTTP, SYN))),
	     THEN(two_flows_begun)),
	CASE("tcp: a flow that was flushed is unknown", BOTH, tcp_service, HANDSHAKE,
	     DO(flow_is_flushed), KEPT(P(FROM(C1), TCP(40000, HTTP, ACK)), NO_FLOW), THEN(no_flow)),
	CASE("tcp: the place of a flushed flow is used again", BOTH, tcp_service, HANDSHAKE,
	     DO(flow_is_flushed), CLIENT_SYN, BACKEND_SYN_ACK),
	CASE("tcp: no backend drops the SYN", BOTH, tcp_service, DO(no_owner),
	     KEPT(P(FROM(C1), TCP(40000, HTTP, SYN)), NO_BACKEND), THEN(no_flow)),
	CASE("tcp: no backend for new flows leaves old ones alone", BOTH, tcp_service, HANDSHAKE,
	     DO(no_owner), CLIENT_SENDS(ACK, 10), BACKEND_SENDS(ACK, 20),
	     KEPT(P(FROM(C1), TCP(40001, HTTP, SYN)), NO_BACKEND), THEN(established)),

	/* Timeouts */
	CASE("tcp: an established flow lives for 15 minutes", BOTH, tcp_service, HANDSHAKE,
	     DO(ages_899s), CLIENT_SENDS(ACK, 1), DO(ages_899s), BACKEND_SENDS(ACK, 1),
	     THEN(established)),
	CASE("tcp: an established flow ends after 15 minutes", BOTH, tcp_service, HANDSHAKE,
	     DO(ages_901s), KEPT(P(FROM(C1), TCP(40000, HTTP, ACK)), NO_FLOW)),
	CASE("tcp: a flow of 27 days ago is dead, and its port free", BOTH, tcp_service, HANDSHAKE,
	     DO(ages_27_days), KEPT(P(FROM(C1), TCP(40000, HTTP, ACK)), NO_FLOW),
	     SENT(P(FROM(C2), TCP(40000, HTTP, SYN)), P(TO(B1), TCP(40000, HTTP, SYN)))),
	CASE("tcp: a flow of 40 days ago is dead, and its port free", BOTH, tcp_service, HANDSHAKE,
	     DO(ages_40_days), KEPT(P(FROM(C1), TCP(40000, HTTP, ACK)), NO_FLOW),
	     SENT(P(FROM(C2), TCP(40000, HTTP, SYN)), P(TO(B1), TCP(40000, HTTP, SYN)))),
	CASE("tcp: after 15 minutes the backend's packet is unknown, too", BOTH, tcp_service,
	     HANDSHAKE, DO(ages_901s), KEPT(P(BACK(B1), TCP(HTTP, 40000, ACK)), NO_SERVICE)),
	CASE("tcp: one connection after the other from the same port", BOTH, tcp_service, HANDSHAKE,
	     DO(again_and_again)),
	CASE("tcp: each packet begins the idle time anew", BOTH, tcp_service, HANDSHAKE,
	     DO(each_packet_counts)),
	CASE("tcp: a half-open flow lives for a minute", BOTH, tcp_service, CLIENT_SYN,
	     DO(ages_59s), BACKEND_SYN_ACK, CLIENT_ACK, THEN(established)),
	CASE("tcp: a half-open flow ends after a minute", BOTH, tcp_service, CLIENT_SYN,
	     DO(ages_61s), KEPT(P(BACK(B1), TCP(HTTP, 40000, SYN | ACK)), NO_SERVICE)),
	CASE("tcp: a flow lives for 2 minutes after FIN", BOTH, tcp_service, HANDSHAKE,
	     CLIENT_SENDS(FIN | ACK, 0), DO(ages_119s), BACKEND_SENDS(ACK, 8)),
	CASE("tcp: a flow ends 2 minutes after FIN", BOTH, tcp_service, HANDSHAKE,
	     CLIENT_SENDS(FIN | ACK, 0), DO(ages_121s),
	     KEPT(P(BACK(B1), TCP(HTTP, 40000, ACK)), NO_SERVICE)),
	CASE("tcp: timeouts can be set", BOTH, tcp_service, DO(short_timeouts), HANDSHAKE,
	     DO(ages_11s), KEPT(P(FROM(C1), TCP(40000, HTTP, ACK)), NO_FLOW)),
	CASE("tcp: an idle flow's client port is free again", BOTH, tcp_service, HANDSHAKE,
	     DO(ages_901s),
	     SENT(P(FROM(C2), TCP(40000, HTTP, SYN)), P(TO(B1), TCP(40000, HTTP, SYN)))),
};

static void b1_and_b2_alike(void)
{
	tcp_service();
	SERVICE(VIP, 443, IPPROTO_TCP, MODE_NAT, B1);
}

static void two_vips(void)
{
	tcp_service();
	SERVICE(VIP2, HTTP, IPPROTO_TCP, MODE_NAT, B1);
}

static void two_ports_to_one(void)
{
	tcp_service();
	SERVICE(VIP, 8080, IPPROTO_TCP, MODE_NAT, B1);
	backend_of(1, B1)->port = htons(9000);
	backend_of(2, B1)->port = htons(9000);
}

static const struct test_case port_cases[] = {
	CASE("port: taken by another client's flow, is changed", BOTH, tcp_service, HANDSHAKE,
	     SENT(P(FROM(C2), TCP(40000, HTTP, SYN)), P(TO(B1), TCP(CHOSEN(0), HTTP, SYN))),
	     SENT(P(BACK(B1), TCP(HTTP, CHOSEN(0), SYN | ACK), DATA(3)),
		  P(HOME(C2), TCP(HTTP, 40000, SYN | ACK), DATA(3))),
	     SENT(P(FROM(C2), TCP(40000, HTTP, ACK), DATA(101)),
		  P(TO(B1), TCP(CHOSEN(0), HTTP, ACK), DATA(101))),
	     CLIENT_SENDS(ACK, 7), BACKEND_SENDS(ACK, 7), THEN(port_was_changed)),
	CASE("port: taken by a half-open flow, is changed", BOTH, tcp_service, CLIENT_SYN,
	     SENT(P(FROM(C2), TCP(40000, HTTP, SYN)), P(TO(B1), TCP(CHOSEN(0), HTTP, SYN))),
	     BACKEND_SYN_ACK, THEN(port_was_changed)),
	CASE("port: the same at another backend is kept", BOTH, tcp_service, HANDSHAKE,
	     DO(owner_is_b2),
	     SENT(P(FROM(C2), TCP(40000, HTTP, SYN)), P(TO(B2), TCP(40000, HTTP, SYN))),
	     SENT(P(BACK(B2), TCP(HTTP, 40000, SYN | ACK)),
		  P(HOME(C2), TCP(HTTP, 40000, SYN | ACK))),
	     CLIENT_SENDS(ACK, 7), BACKEND_SENDS(ACK, 7)),
	CASE("port: the same at another service port is kept", BOTH, b1_and_b2_alike, CLIENT_SYN,
	     SENT(P(FROM(C1), TCP(40000, 443, SYN)), P(TO(B1), TCP(40000, 443, SYN))),
	     SENT(P(BACK(B1), TCP(443, 40000, SYN | ACK)), P(HOME(C1), TCP(443, 40000, SYN | ACK))),
	     BACKEND_SYN_ACK),
	CASE("port: the same from another VIP is kept", BOTH, two_vips, CLIENT_SYN,
	     SENT(P(ETH(C1, LB), IP(C1, VIP2), TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), IP(VIP2, B1, .ttl = 63), TCP(40000, HTTP, SYN))),
	     SENT(P(ETH(B1, LB), IP(B1, VIP2), TCP(HTTP, 40000, SYN | ACK)),
		  P(ETH(LB, C1), IP(VIP2, C1, .ttl = 63), TCP(HTTP, 40000, SYN | ACK))),
	     BACKEND_SYN_ACK),
	CASE("port: two services with one backend port share its ports", BOTH, two_ports_to_one,
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN)), P(TO(B1), TCP(40000, 9000, SYN))),
	     SENT(P(FROM(C1), TCP(40000, 8080, SYN)), P(TO(B1), TCP(CHOSEN(0), 9000, SYN))),
	     SENT(P(BACK(B1), TCP(9000, 40000, ACK)), P(HOME(C1), TCP(HTTP, 40000, ACK))),
	     SENT(P(BACK(B1), TCP(9000, CHOSEN(0), ACK)), P(HOME(C1), TCP(8080, 40000, ACK))),
	     THEN(port_was_changed)),
	CASE("port: the lowest and the highest are kept", BOTH, tcp_service,
	     SENT(P(FROM(C1), TCP(1, HTTP, SYN)), P(TO(B1), TCP(1, HTTP, SYN))),
	     SENT(P(FROM(C1), TCP(65535, HTTP, SYN)), P(TO(B1), TCP(65535, HTTP, SYN)))),
	CASE("port: an answer to the client's own port is not the flow's", BOTH, tcp_service,
	     CLIENT_SYN,
	     SENT(P(FROM(C2), TCP(40000, HTTP, SYN)), P(TO(B1), TCP(CHOSEN(0), HTTP, SYN))),
	     KEPT(P(BACK(B2), TCP(HTTP, CHOSEN(0), SYN | ACK)), NO_SERVICE),
	     THEN(port_was_changed)),
};

/* What is ordinary takes the fast path, in all but the runs that switch it off. */

static uint64_t slow_packets(void)
{
	struct slow_stats slow = {};
	uint64_t sum = 0;

	read_sums(MAP_SLOW, 0, (uint64_t *)&slow, sizeof(slow));
	for (int i = 0; i < SLOW_CAUSES; i++)
		sum += slow.packets[i];
	return sum;
}

static uint64_t slow_before;

static void slow_from_here(void)
{
	slow_before = slow_packets();
}

static void none_was_slow(void)
{
	if (taken_path != PATH_SLOW)
		CHECK_EQUAL(slow_packets() - slow_before, 0);
}

#define FROM2(client) ETH(client, LB), IP(client, VIP2)
#define TO2(backend) ETH(LB, backend), IP(VIP2, backend, .ttl = 63)
#define BACK2(backend) ETH(backend, LB), IP(backend, VIP2)
#define HOME2(client) ETH(LB, client), IP(VIP2, client, .ttl = 63)
#define HANDSHAKE2                                                                                 \
	SENT(P(FROM2(C1), TCP(40000, HTTP, SYN)), P(TO2(B1), TCP(40000, HTTP, SYN))),              \
		SENT(P(BACK2(B1), TCP(HTTP, 40000, SYN | ACK, .seq = 900)),                        \
		     P(HOME2(C1), TCP(HTTP, 40000, SYN | ACK, .seq = 900))),                       \
		SENT(P(FROM2(C1), TCP(40000, HTTP, ACK, .seq = 101, .ack = 901)),                  \
		     P(TO2(B1), TCP(40000, HTTP, ACK, .seq = 101, .ack = 901)))
#define CLIENT2_SENDS                                                                              \
	SENT(P(FROM2(C1), TCP(40000, HTTP, ACK, .seq = 101)),                                      \
	     P(TO2(B1), TCP(40000, HTTP, ACK, .seq = 101)))
#define BACKEND2_SENDS                                                                             \
	SENT(P(BACK2(B1), TCP(HTTP, 40000, ACK, .seq = 901, .ack = 101)),                          \
	     P(HOME2(C1), TCP(HTTP, 40000, ACK, .seq = 901, .ack = 101)))

/* A connection that ends, and the next from the same port: to another backend, and back again. */
static void there_and_back(void)
{
	for (int i = 0; i < 4 && passed_so_far(); i++) {
		int backend = i % 2 ? B2 : B1;

		set_owner(1, 0, backend_number(1, backend));
		TAKE(SENT(P(FROM(C1), TCP(40000, HTTP, SYN)),
			  P(TO(backend), TCP(40000, HTTP, SYN))));
		TAKE(SENT(P(BACK(backend), TCP(HTTP, 40000, SYN | ACK, .seq = 900)),
			  P(HOME(C1), TCP(HTTP, 40000, SYN | ACK, .seq = 900))));
		TAKE(SENT(P(FROM(C1), TCP(40000, HTTP, ACK, .ack = 901)),
			  P(TO(backend), TCP(40000, HTTP, ACK, .ack = 901))));
		slow_from_here();
		TAKE(SENT(P(FROM(C1), TCP(40000, HTTP, ACK)),
			  P(TO(backend), TCP(40000, HTTP, ACK))));
		none_was_slow();
		TAKE(SENT(P(FROM(C1), TCP(40000, HTTP, RST | ACK, .ack = 901)),
			  P(TO(backend), TCP(40000, HTTP, RST | ACK, .ack = 901))));
	}
}

static const struct test_case fast_cases[] = {
	CASE("fast: an established flow, both ways", BOTH, tcp_service, HANDSHAKE,
	     DO(slow_from_here), CLIENT_SENDS(ACK, 10), BACKEND_SENDS(ACK, 10),
	     THEN(none_was_slow)),
	CASE("fast: answers to two VIPs, of the same ports", BOTH, two_vips, HANDSHAKE, HANDSHAKE2,
	     DO(slow_from_here), BACKEND_SENDS(ACK, 10), BACKEND2_SENDS, THEN(none_was_slow)),
	CASE("fast: one connection after the other from the same port", BOTH, tcp_service,
	     DO(there_and_back)),
};

static void udp_established(void)
{
	CHECK(only_flow()->state & FLOW_ESTABLISHED);
	CHECK_EQUAL(case_gain.service[1].flows, 1);
}

static const struct test_case udp_cases[] = {
	CASE("udp: a datagram begins a flow", BOTH, udp_service, DNS_QUERY(20), THEN(half_open)),
	CASE("udp: the answer goes back", BOTH, udp_service, DNS_QUERY(20), DNS_REPLY(40),
	     THEN(udp_established)),
	CASE("udp: odd and even lengths, and none", BOTH, udp_service, DNS_QUERY(0), DNS_QUERY(1),
	     DNS_QUERY(2), DNS_QUERY(3), DNS_QUERY(511), DNS_QUERY(1472), DNS_REPLY(0),
	     DNS_REPLY(1), DNS_REPLY(2), DNS_REPLY(3), DNS_REPLY(511), DNS_REPLY(1472),
	     THEN(udp_established)),
	CASE("udp: no checksum stays none", BOTH, udp_service,
	     SENT(P(FROM(C1), UDP(40000, DNS, .no_sum = true), DATA(9)),
		  P(TO(B1), UDP(40000, DNS, .no_sum = true), DATA(9))),
	     SENT(P(BACK(B1), UDP(DNS, 40000, .no_sum = true), DATA(9)),
		  P(HOME(C1), UDP(DNS, 40000, .no_sum = true), DATA(9)))),
	CASE("udp: no checksum, another port at the backend", BOTH, other_udp_backend_port,
	     SENT(P(FROM(C1), UDP(40000, DNS, .no_sum = true), DATA(9)),
		  P(TO(B1), UDP(40000, 5353, .no_sum = true), DATA(9)))),
	CASE("udp: another port at the backend", BOTH, other_udp_backend_port,
	     SENT(P(FROM(C1), UDP(40000, DNS), DATA(9)), P(TO(B1), UDP(40000, 5353), DATA(9))),
	     SENT(P(BACK(B1), UDP(5353, 40000), DATA(9)), P(HOME(C1), UDP(DNS, 40000), DATA(9)))),
	CASE("udp: a port that is taken is changed", BOTH, udp_service, DNS_QUERY(5), DNS_REPLY(5),
	     SENT(P(FROM(C2), UDP(40000, DNS), DATA(7)), P(TO(B1), UDP(CHOSEN(0), DNS), DATA(7))),
	     SENT(P(BACK(B1), UDP(DNS, CHOSEN(0)), DATA(7)), P(HOME(C2), UDP(DNS, 40000), DATA(7))),
	     DNS_REPLY(6), THEN(port_was_changed)),
	CASE("udp: an answer of no flow passes", BOTH, udp_service,
	     KEPT(P(BACK(B1), UDP(DNS, 40000), DATA(7)), NO_SERVICE), THEN(no_flow)),
	CASE("udp: a flow stays with its backend", BOTH, udp_service, DNS_QUERY(5), DO(owner_is_b2),
	     DNS_QUERY(6), DNS_REPLY(7), DNS_QUERY(8), THEN(udp_established)),
	CASE("udp: after its backend went down a flow picks anew", BOTH, udp_service, DNS_QUERY(5),
	     DNS_REPLY(5), DO(goes_down), DO(owner_is_b2),
	     SENT(P(FROM(C1), UDP(40000, DNS), DATA(7)), P(TO(B2), UDP(40000, DNS), DATA(7))),
	     THEN(two_flows_begun)),
	CASE("udp: no backend drops a new flow", BOTH, udp_service, DO(no_owner),
	     KEPT(P(FROM(C1), UDP(40000, DNS), DATA(7)), NO_BACKEND), THEN(no_flow)),
	CASE("udp: a flow lives for 5 minutes", BOTH, udp_service, DNS_QUERY(5), DNS_REPLY(5),
	     DO(ages_3s), DNS_QUERY(5), DO(ages_299s), DO(owner_is_b2), DNS_QUERY(5), DO(ages_299s),
	     DNS_REPLY(5), THEN(udp_established)),
	CASE("udp: a flow ends after 5 minutes", BOTH, udp_service, DNS_QUERY(5), DNS_REPLY(5),
	     DO(ages_3s), DNS_QUERY(5), DO(ages_301s), DO(owner_is_b2),
	     SENT(P(FROM(C1), UDP(40000, DNS), DATA(7)), P(TO(B2), UDP(40000, DNS), DATA(7))),
	     THEN(two_flows_begun)),
	CASE("udp: a client's port that is a service's of the VIP is not kept", BOTH, udp_service,
	     SENT(P(FROM(C1), UDP(DNS, DNS)), P(TO(B1), UDP(CHOSEN(0), DNS))),
	     SENT(P(BACK(B1), UDP(DNS, CHOSEN(0)), DATA(8)), P(HOME(C1), UDP(DNS, DNS), DATA(8))),
	     THEN(other_port_than_dns)),
	CASE("udp: a backend that is a client, from the port that it serves", BOTH, udp_service,
	     SENT(P(BACK(B1), UDP(DNS, DNS), DATA(8)), P(TO(B1), UDP(CHOSEN(0), DNS), DATA(8))),
	     SENT(P(BACK(B1), UDP(DNS, CHOSEN(0)), DATA(3)), P(HOME(B1), UDP(DNS, DNS), DATA(3)))),
	CASE("udp: the timeout can be set", BOTH, udp_service, DO(short_timeouts), DNS_QUERY(5),
	     DNS_REPLY(5), DO(ages_11s), KEPT(P(BACK(B1), UDP(DNS, 40000), DATA(7)), NO_SERVICE)),
	CASE("udp: source port 0 is kept", BOTH, udp_service,
	     SENT(P(FROM(C1), UDP(0, DNS), DATA(7)), P(TO(B1), UDP(0, DNS), DATA(7)))),
	CASE("udp: not the TCP service's port", BOTH, tcp_service,
	     KEPT(P(FROM(C1), UDP(40000, HTTP), DATA(7)), NO_SERVICE), THEN(no_flow)),
	CASE("tcp: not the UDP service's port", BOTH, udp_service,
	     KEPT(P(FROM(C1), TCP(40000, DNS, SYN)), NO_SERVICE), THEN(no_flow)),
};

static void any_port(void)
{
	SERVICE(VIP, ANY_PORT, IPPROTO_TCP, MODE_NAT, B1);
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_NAT, B2);
}

static const struct test_case service_cases[] = {
	CASE("service: any port takes every port", BOTH, any_port,
	     SENT(P(FROM(C1), TCP(40000, 1, SYN)), P(TO(B1), TCP(40000, 1, SYN))),
	     SENT(P(FROM(C1), TCP(40000, 65535, SYN)), P(TO(B1), TCP(40000, 65535, SYN))),
	     SENT(P(BACK(B1), TCP(65535, 40000, SYN | ACK)),
		  P(HOME(C1), TCP(65535, 40000, SYN | ACK)))),
	CASE("service: a more specific service wins", BOTH, any_port,
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN)), P(TO(B2), TCP(40000, HTTP, SYN)))),
	CASE("service: any port is of its protocol alone", BOTH, any_port,
	     KEPT(P(FROM(C1), UDP(40000, 53), DATA(7)), NO_SERVICE)),
	CASE("service: answers to any port go back", BOTH, any_port,
	     SENT(P(FROM(C1), TCP(40000, 25, SYN)), P(TO(B1), TCP(40000, 25, SYN))),
	     SENT(P(BACK(B1), TCP(25, 40000, SYN | ACK)), P(HOME(C1), TCP(25, 40000, SYN | ACK)))),
	CASE("service: another port of the VIP passes", BOTH, tcp_service,
	     KEPT(P(FROM(C1), TCP(40000, 22, SYN)), NO_SERVICE),
	     KEPT(P(FROM(C1), TCP(40000, 22, ACK), DATA(99)), NO_SERVICE), THEN(no_flow)),
	CASE("service: the balancer's own address passes", BOTH, tcp_service,
	     KEPT(P(ETH(C1, LB), IP(C1, LB), TCP(40000, HTTP, SYN)), NO_SERVICE), THEN(no_flow)),
	CASE("service: a packet from the VIP passes", BOTH, tcp_service,
	     KEPT(P(ETH(C1, LB), IP(VIP, C1), TCP(HTTP, 40000, SYN)), NO_SERVICE), THEN(no_flow)),
};

/* Ports that are scarce */

static bool seems_taken(int backend, int source, int port)
{
	const struct port_hints *hints = map_memory(MAP_PORTS);

	return hints[hints_index(backend, source)].taken[port / 32] >> port % 32 & 1;
}

static void own_port_alone(void)
{
	CHECK(seems_taken(1, 0, 40000));
	CHECK(!seems_taken(1, 0, HTTP));
}

static const struct test_case hint_cases[] = {
	CASE("hints: a service's port seems free, as no flow has it", BOTH, tcp_service,
	     SENT(P(FROM(C1), TCP(HTTP, HTTP, SYN)), P(TO(B1), TCP(CHOSEN(0), HTTP, SYN))),
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN)), P(TO(B1), TCP(40000, HTTP, SYN))),
	     THEN(own_port_alone)),
};

static uint8_t flood_frame[MAX_FRAME];

static int send_raw(const struct layer *packet)
{
	static struct outcome outcome;
	size_t length = build(packet, flood_frame, NULL, 0);

	run_packet(flood_frame, length, &outcome);
	return outcome.action;
}

static void establish_all(struct flow *flow)
{
	flow->state |= FLOW_ESTABLISHED | FLOW_RETURNED;
}

static void least_flag(struct service *service)
{
	service->flags |= SERVICE_LEAST;
}

static void udp_two_slots(void)
{
	SERVICE(VIP, DNS, IPPROTO_UDP, MODE_NAT, B1, B1);
}

static void second_slot_is_b2(void)
{
	set_owner(1, 1, backend_number(1, B2));
}

/* What lies behind the slots is no slot, however few these are. */
static void b2_behind_the_slots(void)
{
	transition_at(1, 0)->former = backend_number(1, B2);
}

/* By the list alone, which has the backend of all slots; later the second slot is another's. */
static void udp_least(void)
{
	struct least *least = (struct least *)map_memory(MAP_LEAST) + 1;

	udp_two_slots();
	*least = (struct least){ .count = 1, .backend = { backend_number(1, B1) } };
	change_service(1, least_flag);
}

/* All records are of established flows, but those of the bucket where B2's port 40000 leads to. */
static void room_for_b2_alone(void)
{
	struct flow *flows = map_memory(MAP_FLOWS);
	struct flow_bucket *buckets = map_memory(MAP_BUCKETS);
	uint32_t kept = hash_of_flow(B2, DNS, 40000) >> FLOW_WAY_BITS & (FLOW_BUCKETS - 1);
	struct flow flow = {
		.cookie = 1,
		.seen = tick_now(),
		.backend = backend_number(1, B1),
		.generation = backend_of(1, B1)->generation,
		.state = FLOW_NAT | FLOW_ESTABLISHED | FLOW_RETURNED,
	};

	second_slot_is_b2();
	for (uint32_t i = 0; i < FLOWS; i++) {
		if (i / FLOW_WAYS == kept)
			continue;
		flows[i] = flow;
		buckets[i / FLOW_WAYS].half[0].tag[0] = 1;
	}
}

/* C2 takes every port of the backend, with flows of which both sides were heard. */
static void all_ports_established(void)
{
	for (int port = 1; port < 0x10000; port++)
		send_raw(P(FROM(C2), UDP(port, DNS)));
	for_each_flow(establish_all);
}

/* Each was answered, as a forged question is. */
static void all_ports_answered(void)
{
	for (int port = 1; port < 0x10000; port++) {
		send_raw(P(FROM(C2), UDP(port, DNS)));
		send_raw(P(BACK(B1), UDP(DNS, port)));
	}
}

static void all_ports_half_open(void)
{
	for (int port = 1; port < 0x10000; port++)
		send_raw(P(FROM(C2), TCP(port, HTTP, SYN)));
}

/* The flood goes on; the flow that is established keeps its port. */
static void a_flood(void)
{
	for (int port = 1; port < 0x10000; port++)
		send_raw(P(FROM(C2), TCP(port, HTTP, SYN)));
	for (int port = 1; port < 0x10000; port++)
		send_raw(P(FROM(C3), TCP(port, HTTP, SYN)));
}

static void closed_by_reset(void)
{
	for (int port = 1; port < 0x10000; port++)
		if (port != 40000)
			send_raw(P(BACK(B1), TCP(HTTP, port, RST)));
}

static void reset_blindly(struct flow *flow)
{
	flow->state |= FLOW_ESTABLISHED | FLOW_RESET | FLOW_DOUBTFUL;
}

static void all_ports_doubtful(void)
{
	all_ports_half_open();
	for_each_flow(reset_blindly);
}

/* Half of the backend's ports are in use; 500 flows more have only begun. */
static void half_the_ports(void)
{
	for (int port = 1; port <= 33000; port++)
		send_raw(P(FROM(C2), UDP(port, DNS)));
	for_each_flow(establish_all);
	for (int port = 33001; port <= 33500; port++)
		send_raw(P(FROM(C2), UDP(port, DNS)));
}

static void establish_c3(struct flow *flow)
{
	struct address c3 = address_of(C3);

	if (!memcmp(&flow->client.peer, &c3, sizeof(c3)))
		flow->state |= FLOW_ESTABLISHED | FLOW_RETURNED;
}

/* Each has to take another port than its own. */
static void flows_of_c3(void)
{
	for (int port = 1; port <= 5000; port++) {
		send_raw(P(FROM(C3), UDP(port, DNS)));
		if (port % 250 == 0)
			for_each_flow(establish_c3);
	}
}

static void none_gave_way(void)
{
	CHECK_EQUAL(count_flows(), 33000 + 500 + 5000);
}

static const struct test_case scarce_cases[] = {
	HEAVY_CASE("port: a flow that has only begun keeps its port while others are free", BOTH,
		   udp_service, DO(half_the_ports), DO(flows_of_c3), THEN(none_gave_way)),
	HEAVY_CASE("port: none is free, all are of established flows", BOTH, udp_service,
		   DO(all_ports_established), KEPT(P(FROM(C1), UDP(40000, DNS)), NO_PORT)),
	HEAVY_CASE("port: none is free, the next slot's backend takes the flow", BOTH,
		   udp_two_slots, DO(all_ports_established), DO(second_slot_is_b2),
		   SENT(P(FROM(C1), UDP(40000, DNS)), P(TO(B2), UDP(40000, DNS))),
		   SENT(P(FROM(C1), UDP(40001, DNS)), P(TO(B2), UDP(40001, DNS))),
		   SENT(P(FROM(C3), UDP(40002, DNS)), P(TO(B2), UDP(40002, DNS)))),
	HEAVY_CASE("port: none is free, and the slots have no other backend", BOTH, udp_two_slots,
		   DO(all_ports_established), DO(b2_behind_the_slots),
		   KEPT(P(FROM(C1), UDP(40000, DNS)), NO_PORT)),
	HEAVY_CASE("port: none is free, the next slot's backend takes the flow, pick least", BOTH,
		   udp_least, DO(all_ports_established), DO(second_slot_is_b2),
		   SENT(P(FROM(C1), UDP(40000, DNS)), P(TO(B2), UDP(40000, DNS)))),
	HEAVY_CASE("port: no room in the buckets, the next slot's backend has some", BOTH,
		   udp_two_slots, DO(room_for_b2_alone),
		   SENT(P(FROM(C1), UDP(40000, DNS)), P(TO(B2), UDP(40000, DNS)))),
	HEAVY_CASE("port: a UDP flow that was answered once gives its port up", BOTH, udp_service,
		   DO(all_ports_answered),
		   SENT(P(FROM(C1), UDP(40000, DNS)), P(TO(B1), UDP(CHOSEN(0), DNS)))),
	HEAVY_CASE("port: a half-open flow gives its port up", BOTH, tcp_service,
		   DO(all_ports_half_open),
		   SENT(P(FROM(C1), TCP(40000, HTTP, SYN)), P(TO(B1), TCP(CHOSEN(0), HTTP, SYN))),
		   SENT(P(BACK(B1), TCP(HTTP, CHOSEN(0), SYN | ACK)),
			P(HOME(C1), TCP(HTTP, 40000, SYN | ACK)))),
	HEAVY_CASE("port: a closed flow gives its port up", BOTH, tcp_service, HANDSHAKE,
		   DO(all_ports_half_open), DO(closed_by_reset),
		   SENT(P(FROM(C3), TCP(40000, HTTP, SYN)), P(TO(B1), TCP(CHOSEN(0), HTTP, SYN))),
		   CLIENT_SENDS(ACK, 10), BACKEND_SENDS(ACK, 10)),
	HEAVY_CASE("port: flows that may be reset give theirs up where no others do", BOTH,
		   tcp_service, DO(all_ports_doubtful),
		   SENT(P(FROM(C1), TCP(40000, HTTP, SYN)), P(TO(B1), TCP(CHOSEN(0), HTTP, SYN)))),
	HEAVY_CASE("port: a flood takes none from one that may be reset", BOTH, tcp_service,
		   HANDSHAKE, CLIENT_SENDS(RST, 0), DO(all_ports_half_open), DO(a_flood),
		   CLIENT_SENDS(ACK, 10), BACKEND_SENDS(ACK, 10)),
	HEAVY_CASE("port: a flood takes none from an established flow", BOTH, tcp_service,
		   HANDSHAKE, DO(a_flood), CLIENT_SENDS(ACK, 10), BACKEND_SENDS(ACK, 10)),
};

/* Sockets of the host, which would get the backend's answers. */

static int host_socket = -1;

static void close_socket(void)
{
	close(host_socket);
	host_socket = -1;
}

/* Bound to the VIP, whether or not the address is there. */
static void open_socket(int type, int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int yes = 1;
	bool bound;

	memcpy(&sin.sin_addr, ip4_of(VIP), 4);
	memcpy(&sin6.sin6_addr, ip6_of(VIP), 16);
	host_socket = socket(family == 4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0);
	if (family == 4) {
		setsockopt(host_socket, IPPROTO_IP, IP_FREEBIND, &yes, sizeof(yes));
		bound = bind(host_socket, (struct sockaddr *)&sin, sizeof(sin)) == 0;
	} else {
		setsockopt(host_socket, IPPROTO_IPV6, IPV6_FREEBIND, &yes, sizeof(yes));
		bound = bind(host_socket, (struct sockaddr *)&sin6, sizeof(sin6)) == 0;
	}
	CHECK(bound);
	if (type == SOCK_STREAM)
		CHECK(listen(host_socket, 1) == 0);
}

static void host_listens(void)
{
	open_socket(SOCK_STREAM, 40000);
}

static void host_asks(void)
{
	open_socket(SOCK_DGRAM, 40000);
}

static void other_port_chosen(void)
{
	close_socket();
	CHECK(chosen[0] != 40000);
}

static const struct test_case socket_cases[] = {
	CASE("port: one that a TCP socket of the host has is not taken", BOTH, tcp_service,
	     DO(host_listens),
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN)), P(TO(B1), TCP(CHOSEN(0), HTTP, SYN))),
	     THEN(other_port_chosen)),
	CASE("port: one that an UDP socket of the host has is not taken", BOTH, udp_service,
	     DO(host_asks), SENT(P(FROM(C1), UDP(40000, DNS)), P(TO(B1), UDP(CHOSEN(0), DNS))),
	     THEN(other_port_chosen)),
	CASE("port: of another protocol's socket is", BOTH, tcp_service, DO(host_asks), CLIENT_SYN,
	     THEN(close_socket)),
};

static void kept_hop(struct hop *hop)
{
	memcpy(hop->mac, mac_of(ROUTER), 6);
	memcpy(hop->own_mac, mac_of(STRANGER), 6);
	hop->ifindex = 0;
}

static void second_hop(void)
{
	tcp_service();
	kept_hop(&backend_of(1, B1)->hop[1]);
	backend_of(1, B1)->flags = BACKEND_HOP;
}

static void own_mac_given(void)
{
	tcp_service();
	kept_hop(&backend_of(1, B1)->hop[0]);
}

static void not_resolved(void)
{
	tcp_service();
	memset(&backend_of(1, B1)->hop[0], 0, sizeof(struct hop));
}

static void other_device(void)
{
	tcp_service();
	backend_of(1, B1)->hop[0].ifindex = 7;
}

static void same_device(void)
{
	tcp_service();
	backend_of(1, B1)->hop[0].ifindex = IFINDEX_LO;
}

static void moves_to_second_hop(void)
{
	kept_hop(&backend_of(1, B1)->hop[1]);
	backend_of(1, B1)->flags ^= BACKEND_HOP;
}

#define VIA_ROUTER ETH(STRANGER, ROUTER), IP(VIP, B1, .ttl = 63)

static void client_moves_device(void)
{
	only_flow()->ifindex = 9;
}

/* The way back is another by one byte of a MAC, until the client's next packet. */
static void way_back_is_learnt(void)
{
	for (int i = 0; i < 2 * ETH_ALEN && passed_so_far(); i++) {
		struct flow *flow = only_flow();

		*(i < ETH_ALEN ? &flow->client_mac[i] : &flow->own_mac[i - ETH_ALEN]) ^= 2;
		TAKE(CLIENT_SENDS(ACK, 10));
		TAKE(BACKEND_SENDS(ACK, 10));
	}
}

static const struct test_case hop_cases[] = {
	CASE("hop: the answer goes to the router that the client's packets come from", BOTH,
	     tcp_service,
	     SENT(P(ETH(ROUTER, LB), IP(C1, VIP), TCP(40000, HTTP, SYN)),
		  P(TO(B1), TCP(40000, HTTP, SYN))),
	     SENT(P(BACK(B1), TCP(HTTP, 40000, SYN | ACK)),
		  P(ETH(LB, ROUTER), IP(VIP, C1, .ttl = 63), TCP(HTTP, 40000, SYN | ACK)))),
	CASE("hop: the way back is that of the client's last packet", BOTH, tcp_service, HANDSHAKE,
	     DO(way_back_is_learnt)),
	CASE("hop: the second of a backend's hops", BOTH, second_hop,
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN)), P(VIA_ROUTER, TCP(40000, HTTP, SYN)))),
	CASE("hop: own MAC given", BOTH, own_mac_given,
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN)), P(VIA_ROUTER, TCP(40000, HTTP, SYN))),
	     SENT(P(ETH(ROUTER, STRANGER), IP(B1, VIP), TCP(HTTP, 40000, SYN | ACK)),
		  P(HOME(C1), TCP(HTTP, 40000, SYN | ACK)))),
	CASE("hop: changes under a flow", BOTH, tcp_service, CLIENT_SYN, DO(moves_to_second_hop),
	     SENT(P(FROM(C1), TCP(40000, HTTP, ACK)), P(VIA_ROUTER, TCP(40000, HTTP, ACK)))),
	CASE("hop: not resolved drops", BOTH, not_resolved,
	     KEPT(P(FROM(C1), TCP(40000, HTTP, SYN)), NO_NEIGHBOUR)),
	CASE("hop: another device is redirected to", BOTH, other_device,
	     REDIRECTED_TO(P(FROM(C1), TCP(40000, HTTP, SYN)), P(TO(B1), TCP(40000, HTTP, SYN)))),
	CASE("hop: the device that it came in by is not", BOTH, same_device, HANDSHAKE),
	CASE("hop: back to a client on another device is redirected", BOTH, tcp_service, CLIENT_SYN,
	     DO(client_moves_device),
	     REDIRECTED_TO(P(BACK(B1), TCP(HTTP, 40000, SYN | ACK)),
			   P(HOME(C1), TCP(HTTP, 40000, SYN | ACK)))),
};

/* Every value of a word in the payload: every value of the checksum, 0 among them. */
static void every_checksum(void)
{
	for (int word = 0; word < 0x10000 && passed_so_far(); word += stride())
		TAKE(SENT(P(FROM(C1), UDP(40000, DNS), DATA(15), WORD(word)),
			  P(TO(B1), UDP(40000, 5353), DATA(15), WORD(word))));
}

static void every_checksum_back(void)
{
	for (int word = 0; word < 0x10000 && passed_so_far(); word += stride())
		TAKE(SENT(P(BACK(B1), UDP(5353, 40000), DATA(15), WORD(word)),
			  P(HOME(C1), UDP(DNS, 40000), DATA(15), WORD(word))));
}

static void every_tcp_checksum(void)
{
	for (int word = 0; word < 0x10000 && passed_so_far(); word += stride())
		TAKE(SENT(P(FROM(C1), TCP(40000, HTTP, ACK), WORD(word)),
			  P(TO(B1), TCP(40000, HTTP, ACK), WORD(word))));
}

static void every_length(void)
{
	for (int length = 0; length <= 1480 && passed_so_far(); length += stride())
		TAKE(SENT(P(FROM(C1), TCP(40000, HTTP, ACK), DATA(length), PAD(60)),
			  P(TO(B1), TCP(40000, HTTP, ACK), DATA(length), PAD(60))));
}

static void every_client_port(void)
{
	for (int port = 1; port < 0x10000 && passed_so_far(); port += 7 * stride())
		TAKE(SENT(P(FROM(C1), UDP(port, DNS), DATA(1)),
			  P(TO(B1), UDP(port, DNS), DATA(1))));
}

static void every_ip_checksum(void)
{
	for (int id = 1; id < 0x10000 && passed_so_far(); id += stride())
		TAKE(SENT(P(ETH(C1, LB), IP4(C1, VIP, .id = id), TCP(40000, HTTP, ACK)),
			  P(ETH(LB, B1), IP4(VIP, B1, .id = id, .ttl = 63),
			    TCP(40000, HTTP, ACK))));
}

static const struct test_case checksum_cases[] = {
	CASE("checksum: udp, every value there is", BOTH, other_udp_backend_port,
	     DO(every_checksum)),
	CASE("checksum: udp, every value there is, back", BOTH, other_udp_backend_port,
	     SENT(P(FROM(C1), UDP(40000, DNS)), P(TO(B1), UDP(40000, 5353))),
	     DO(every_checksum_back)),
	CASE("checksum: tcp, every value there is", BOTH, tcp_service, HANDSHAKE,
	     DO(every_tcp_checksum)),
	CASE("checksum: an IPv4 header that lies, of an established flow", V4, tcp_service,
	     HANDSHAKE,
	     KEPT(P(ETH(C1, LB), IP4(C1, VIP, .add = 1), TCP(40000, HTTP, ACK)), MALFORMED),
	     KEPT(P(ETH(B1, LB), IP4(B1, VIP, .add = 7), TCP(HTTP, 40000, ACK)), MALFORMED)),
	CASE("checksum: IPv4 header, every value there is", V4, tcp_service, HANDSHAKE,
	     DO(every_ip_checksum)),
	CASE("checksum: tcp, every length, padded to 60 bytes", BOTH, tcp_service, HANDSHAKE,
	     DO(every_length)),
	CASE("checksum: udp, every seventh client port", BOTH, udp_service, DO(every_client_port)),
	CASE("checksum: one that is wrong stays as wrong (tcp)", BOTH, tcp_service,
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN, .add = 0x1234), DATA(11)),
		  P(TO(B1), TCP(40000, HTTP, SYN, .add = 0x1234), DATA(11)))),
	CASE("checksum: one that is wrong stays as wrong (udp)", BOTH, udp_service,
	     SENT(P(FROM(C1), UDP(40000, DNS, .add = 1), DATA(11)),
		  P(TO(B1), UDP(40000, DNS, .add = 1), DATA(11)))),
};

int main(int argc, char **argv)
{
	open_kernel(argc, argv);
	RUN(tcp_cases);
	RUN(port_cases);
	RUN(fast_cases);
	RUN(hint_cases);
	RUN(scarce_cases);
	RUN(socket_cases);
	RUN(udp_cases);
	RUN(service_cases);
	RUN(hop_cases);
	RUN(checksum_cases);
	return finish_cases();
}
