// SPDX-License-Identifier: GPL-2.0
/*
 * Least connections: which backend a new flow gets, and that a flow is counted while it lives,
 * however it ends.
 *
 *	C1, C2 (clients) ── LB (VIP) ── B1 ... B8 (backends)
 */
#include <arpa/inet.h>

#include "cases.h"

#define HTTP 80
#define DNS 53

static struct live *live(int number)
{
	return (struct live *)map_memory(MAP_LIVE) + number;
}

static void least_flag(struct service *service)
{
	service->flags |= SERVICE_LEAST;
}

/* A service that picks so of the first `count` of its backends; 0: none is listed. */
static void pick_least(int service, int count)
{
	struct least *least = (struct least *)map_memory(MAP_LEAST) + service;

	*least = (struct least){ .count = count };
	for (int i = 0; i < count; i++)
		least->backend[i] = backend_number(service, B1 + i);
	for (int i = 0; i < 8; i++)
		*live(i + 1) = (struct live){ .weight = 100 };
	change_service(service, least_flag);
}

/* The slots' backend is B1, and what the list says is another. */
static void two_listed(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_NAT, B1, B1);
	pick_least(1, 2);
	live(1)->flows = 1;
}

static void two_of_udp(void)
{
	SERVICE(VIP, DNS, IPPROTO_UDP, MODE_NAT, B1);
	pick_least(1, 2);
	live(1)->flows = 1;
}

/* 30 flows of weight 300 are fewer than 11 of weight 100. */
static void of_weights(void)
{
	two_listed();
	live(1)->flows = 11;
	live(2)->flows = 30;
	live(2)->weight = 300;
}

static void two_drawn(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_NAT, B1, B2);
	pick_least(1, 0);
	live(1)->flows = 1000;
}

static void one_drawn(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_NAT, B2);
	pick_least(1, 0);
	live(1)->flows = 1000;
}

static void none_left(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_NAT, NOBODY);
	pick_least(1, 0);
}

static void by_hash(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_NAT, B1);
	*live(1) = (struct live){ .weight = 100 };
}

static void counted(void)
{
	CHECK_EQUAL(live(2)->flows, 1);
	CHECK_EQUAL(live(1)->flows, 1);
}

static void not_counted(void)
{
	CHECK_EQUAL(live(1)->flows, 1);
	CHECK_EQUAL(live(2)->flows, 0);
}

static void none_counted(void)
{
	CHECK_EQUAL(live(1)->flows, 0);
}

static void has_no_weight(void)
{
	live(2)->weight = 0; /* as of a service that picks by hash */
}

static void idle_for_long(void)
{
	age_flows(100000);
}

static void backend_down(void)
{
	backend_of(1, B2)->generation++;
	live(2)->flows = 0;
}

#define SYN_TO(backend)                                                                            \
	SENT(P(FROM(C1), TCP(40000, HTTP, SYN, .seq = 100)),                                       \
	     P(TO(backend), TCP(40000, HTTP, SYN, .seq = 100)))
#define HANDSHAKE_WITH(backend)                                                                    \
	SYN_TO(backend),                                                                           \
		SENT(P(BACK(backend), TCP(HTTP, 40000, SYN | ACK, .seq = 900, .ack = 101)),        \
		     P(HOME(C1), TCP(HTTP, 40000, SYN | ACK, .seq = 900, .ack = 101))),            \
		SENT(P(FROM(C1), TCP(40000, HTTP, ACK, .seq = 101, .ack = 901)),                   \
		     P(TO(backend), TCP(40000, HTTP, ACK, .seq = 101, .ack = 901)))
#define CLIENT_SENDS(flags)                                                                        \
	SENT(P(FROM(C1), TCP(40000, HTTP, flags, .seq = 101, .ack = 901)),                         \
	     P(TO(B2), TCP(40000, HTTP, flags, .seq = 101, .ack = 901)))
#define BACKEND_SENDS(flags)                                                                       \
	SENT(P(BACK(B2), TCP(HTTP, 40000, flags, .seq = 901, .ack = 102)),                         \
	     P(HOME(C1), TCP(HTTP, 40000, flags, .seq = 901, .ack = 102)))

static const struct test_case cases[] = {
	CASE("least: the one with fewer flows", BOTH, two_listed, SYN_TO(B2), THEN(counted)),
	CASE("least: of UDP", BOTH, two_of_udp,
	     SENT(P(FROM(C1), UDP(40000, DNS)), P(TO(B2), UDP(40000, DNS))), THEN(counted)),
	CASE("least: a flow that is known is not counted again", BOTH, two_listed,
	     HANDSHAKE_WITH(B2), CLIENT_SENDS(ACK), BACKEND_SENDS(ACK), SYN_TO(B2), THEN(counted)),
	CASE("least: for their weights", BOTH, of_weights, SYN_TO(B2)),
	CASE("least: the better of two drawn", BOTH, two_drawn, SYN_TO(B2)),
	CASE("least: only one to draw", BOTH, one_drawn, SYN_TO(B2)),
	CASE("least: no backend left", BOTH, none_left,
	     KEPT(P(FROM(C1), TCP(40000, HTTP, SYN)), NO_BACKEND)),
	CASE("least: FIN of both ends a flow", BOTH, two_listed, HANDSHAKE_WITH(B2),
	     CLIENT_SENDS(FIN | ACK), THEN(counted), BACKEND_SENDS(FIN | ACK), THEN(not_counted)),
	CASE("least: RST of the client ends a flow", BOTH, two_listed, HANDSHAKE_WITH(B2),
	     CLIENT_SENDS(RST | ACK), THEN(not_counted)),
	CASE("least: RST of the backend ends a flow", BOTH, two_listed, HANDSHAKE_WITH(B2),
	     BACKEND_SENDS(RST | ACK), THEN(not_counted)),
	CASE("least: a RST that is taken back, of a flow that goes on", BOTH, two_listed,
	     HANDSHAKE_WITH(B2), CLIENT_SENDS(RST | ACK), THEN(not_counted), CLIENT_SENDS(ACK),
	     THEN(counted), CLIENT_SENDS(ACK), THEN(counted), BACKEND_SENDS(RST | ACK),
	     THEN(not_counted)),
	CASE("least: the same, of a service that does not count", BOTH, two_listed,
	     HANDSHAKE_WITH(B2), CLIENT_SENDS(RST | ACK), DO(has_no_weight), CLIENT_SENDS(ACK),
	     THEN(not_counted)),
	CASE("least: a refused connection", BOTH, two_listed, SYN_TO(B2),
	     SENT(P(BACK(B2), TCP(HTTP, 40000, RST | ACK, .seq = 0, .ack = 101)),
		  P(HOME(C1), TCP(HTTP, 40000, RST | ACK, .seq = 0, .ack = 101))),
	     THEN(not_counted)),
	CASE("least: a client begins anew, and is counted once", BOTH, two_listed,
	     HANDSHAKE_WITH(B2), CLIENT_SENDS(RST | ACK), THEN(not_counted), SYN_TO(B2),
	     THEN(counted)),
	CASE("least: one idle for too long is counted down by who takes its place", BOTH,
	     two_listed, HANDSHAKE_WITH(B2), DO(idle_for_long), SYN_TO(B2), THEN(counted)),
	CASE("least: of a backend that was down nothing is counted down", BOTH, two_listed,
	     HANDSHAKE_WITH(B2), DO(backend_down), SYN_TO(B2), THEN(counted)),
	CASE("least: pick hash counts nothing", BOTH, by_hash, HANDSHAKE_WITH(B1),
	     THEN(none_counted)),
};

int main(int argc, char **argv)
{
	open_kernel(argc, argv);
	RUN(cases);
	return finish_cases();
}
