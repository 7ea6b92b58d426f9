// SPDX-License-Identifier: GPL-2.0
/*
 * Packets larger than a page, which only the program in section xdp.frags gets: the first 3,520
 * bytes are in the buffer that the program sees, the rest in others.
 */
#include <arpa/inet.h>

#include "cases.h"

#define HTTP 80
#define DNS 53

static void services(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_NAT, B1);
	SERVICE(VIP, DNS, IPPROTO_UDP, MODE_NAT, B1);
	backend_of(1, B1)->mtu[0] = 9000;
	backend_of(2, B1)->mtu[0] = 9000;
}

static void other_port(void)
{
	services();
	backend_of(2, B1)->port = htons(5353);
}

static void dsr(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_DSR, B1);
	backend_of(1, B1)->mtu[0] = 9000;
}

static void ipip(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_IPIP, B1);
	backend_of(1, B1)->mtu[0] = 9000;
	set_tunnel_source(slot_hash(C1, 40000, HTTP));
}

#define TCP_FLOW SENT(P(FROM(C1), TCP(40000, HTTP, SYN)), P(TO(B1), TCP(40000, HTTP, SYN)))
#define ANSWER ETH(LB, C1), IP(VIP, C1, .id = ZERO, .offset = 0x4000)

static void every_length(void)
{
	for (int length = 1400; length < 8900 && passed_so_far(); length += 7)
		TAKE(SENT(P(FROM(C1), TCP(40000, HTTP, ACK), DATA(length)),
			  P(TO(B1), TCP(40000, HTTP, ACK), DATA(length))));
}

static const struct test_case cases[] = {
	CASE("jumbo: tcp both ways", BOTH, services, TCP_FLOW,
	     SENT(P(FROM(C1), TCP(40000, HTTP, ACK), DATA(8940)),
		  P(TO(B1), TCP(40000, HTTP, ACK), DATA(8940))),
	     SENT(P(BACK(B1), TCP(HTTP, 40000, ACK), DATA(8940)),
		  P(HOME(C1), TCP(HTTP, 40000, ACK), DATA(8940)))),
	CASE("jumbo: udp, odd, another port at the backend", BOTH, other_port,
	     SENT(P(FROM(C1), UDP(40000, DNS), DATA(8901)),
		  P(TO(B1), UDP(40000, 5353), DATA(8901))),
	     SENT(P(BACK(B1), UDP(5353, 40000), DATA(8901)),
		  P(HOME(C1), UDP(DNS, 40000), DATA(8901)))),
	CASE("jumbo: a first fragment and a later one", BOTH, services,
	     SENT(P(FROM(C1), UDP(40000, DNS), DATA(15001), FRAGMENT(0, 8800)),
		  P(ETH(LB, B1), IP(VIP, B1, .ttl = 63, .id = CHOSEN(0)), UDP(40000, DNS),
		    DATA(15001), FRAGMENT(0, 8800))),
	     SENT(P(FROM(C1), UDP(40000, DNS), DATA(15001), FRAGMENT(8800, 8800)),
		  P(ETH(LB, B1), IP(VIP, B1, .ttl = 63, .id = CHOSEN(0)), UDP(40000, DNS),
		    DATA(15001), FRAGMENT(8800, 8800)))),
	CASE("jumbo: lengths from one buffer to three", BOTH, services, TCP_FLOW, DO(every_length)),
	CASE("jumbo: a length that lies", BOTH, services,
	     KEPT(P(ETH(C1, LB), IP(C1, VIP, .length = 9000), TCP(40000, HTTP, SYN), DATA(8900)),
		  MALFORMED),
	     KEPT(P(ETH(C1, LB), IP(C1, VIP, .length = 100), TCP(40000, HTTP, SYN, .header = 4),
		    DATA(8900)),
		  MALFORMED)),
	CASE("jumbo: trailing bytes", BOTH, services,
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN), DATA(10), TRAIL(5000)),
		  P(TO(B1), TCP(40000, HTTP, SYN), DATA(10), TRAIL(5000)))),
	CASE("jumbo: a TTL of 1 is answered with 128 bytes", BOTH, services,
	     ANSWERED(P(ETH(C1, LB), IP(C1, VIP, .ttl = 1), TCP(40000, HTTP, SYN), DATA(8900)), TTL,
		      P(ANSWER, ICMP(TIME_EXCEEDED), IP(C1, VIP, .ttl = 1), TCP(40000, HTTP, SYN),
			DATA(8900), CUT(128)))),
	CASE("jumbo: too big is answered", BOTH, services,
	     ANSWERED(P(FROM(C1), UDP(40000, DNS), DATA(9001)), TOO_BIG,
		      P(ANSWER, ICMP(TOO_BIG, .value = 9000), IP(C1, VIP), UDP(40000, DNS),
			DATA(9001), CUT(128)))),
	CASE("jumbo: mode dsr", BOTH, dsr,
	     SENT(P(FROM(C1), TCP(40000, HTTP, ACK), DATA(8900)),
		  P(ETH(LB, B1), IP(C1, VIP), TCP(40000, HTTP, ACK), DATA(8900)))),
	CASE("jumbo: mode ipip", BOTH, ipip,
	     SENT(P(FROM(C1), TCP(40000, HTTP, ACK), DATA(8900)),
		  P(ETH(LB, B1), IP(TUNNEL, B1, .id = ZERO, .offset = 0x4000),
		    IP(C1, VIP, .ttl = 63), TCP(40000, HTTP, ACK), DATA(8900)))),
	CASE("jumbo: an error with a long quote", BOTH, services, TCP_FLOW,
	     SENT(P(ETH(ROUTER, LB), IP(ROUTER, VIP), ICMP(UNREACHABLE), IP(VIP, B1),
		    TCP(40000, HTTP, ACK), DATA(8800)),
		  P(ETH(LB, C1), IP(VIP, C1, .ttl = 63), ICMP(UNREACHABLE), IP(C1, VIP),
		    TCP(40000, HTTP, ACK), DATA(8800)))),
	CASE("jumbo: of no service", BOTH, services,
	     KEPT(P(ETH(C1, LB), IP(C1, LB), TCP(40000, HTTP, SYN), DATA(8900)), NO_SERVICE),
	     KEPT(P(ETH_TYPE(C1, LB, 0x88cc), DATA(8900)), NOT_IP)),
};

int main(int argc, char **argv)
{
	open_kernel(argc, argv);
	frags_only = true;
	RUN(cases);
	return finish_cases();
}
