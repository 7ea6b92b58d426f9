// SPDX-License-Identifier: GPL-2.0
/*
 * Sources that no honest packet to a service has: addresses that are nobody's or everybody's, and
 * the packet's own destination.
 */
#include <netinet/in.h>
#include <string.h>

#include "cases.h"

#define HTTP 80
#define DNS 53

static void nat(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_NAT, B1);
	SERVICE(VIP, DNS, IPPROTO_UDP, MODE_NAT, B1);
}

static void direct(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_DSR, B1);
	SERVICE(VIP, DNS, IPPROTO_UDP, MODE_DSR, B1);
}

static void tunnelled(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_IPIP, B1);
	SERVICE(VIP, DNS, IPPROTO_UDP, MODE_IPIP, B1);
}

static void end(struct flow *flow)
{
	flow->cookie = 0;
}

static void no_flow(void)
{
	CHECK_EQUAL(count_flows(), 0);
}

#define BAD(host)                                                                                  \
	KEPT(P(ETH(C1, LB), IP(host, VIP), TCP(40000, HTTP, SYN)), BAD_SOURCE),                    \
		KEPT(P(ETH(C1, LB), IP(host, VIP), UDP(40000, DNS)), BAD_SOURCE)
#define BAD_ONES BAD(NOBODY), BAD(LOOPBACK), BAD(ALL_NODES), BAD(EVERYBODY), BAD(VIP)

/* Every first byte of an IPv4 source, every one of an IPv6 source. */
static void every_first_byte(void)
{
	for (int byte = 0; byte < 256 && passed_so_far(); byte++) {
		bool bad = byte == 0 || byte == 127 || byte >= 224;
		uint8_t ip4[4] = { byte, 1, 2, 3 };

		set_twin(C1, ip4, 0);
		if (bad)
			TAKE(KEPT(P(ETH(C1, LB), IP4(TWIN, VIP), UDP(40000, DNS)), BAD_SOURCE));
		else
			TAKE(SENT(P(ETH(C1, LB), IP4(TWIN, VIP), UDP(40000, DNS)),
				  P(ETH(LB, B1), IP4(TWIN, VIP), UDP(40000, DNS))));
	}
}

static const struct test_case cases[] = {
	CASE("source: nobody's or everybody's, nat", BOTH, nat, BAD_ONES, THEN(no_flow)),
	CASE("source: nobody's or everybody's, dsr", BOTH, direct, BAD_ONES),
	CASE("source: nobody's or everybody's, ipip", BOTH, tunnelled, BAD_ONES),
	CASE("source: every first byte", V4, direct, DO(every_first_byte)),
	CASE("source: of a fragment", BOTH, nat,
	     KEPT(P(ETH(C1, LB), IP(VIP, VIP), UDP(40000, DNS), DATA(3000), FRAGMENT(0, 1480)),
		  BAD_SOURCE),
	     THEN(no_flow)),
	CASE("source: of what is for no service passes to the host", BOTH, nat,
	     KEPT(P(ETH(C1, LB), IP(LOOPBACK, VIP), UDP(40000, 54)), NO_SERVICE),
	     KEPT(P(ETH(C1, LB), IP(LOOPBACK, LB), UDP(40000, DNS)), NO_SERVICE)),
	CASE("source: of an error about a flow", BOTH, nat,
	     SENT(P(FROM(C1), UDP(40000, DNS)), P(TO(B1), UDP(40000, DNS))),
	     KEPT(P(ETH(ROUTER, LB), IP(LOOPBACK, VIP), ICMP(UNREACHABLE), IP(VIP, B1),
		    UDP(40000, DNS), DATA(9)),
		  BAD_SOURCE),
	     KEPT(P(ETH(ROUTER, LB), IP(VIP, VIP), ICMP(UNREACHABLE), IP(VIP, B1), UDP(40000, DNS),
		    DATA(9)),
		  BAD_SOURCE)),
};

static void with_own(void)
{
	nat();
	SERVICE(VIP2, DNS, IPPROTO_UDP, MODE_NAT, B2);
	own_host(LB);
	own_backend(B1, HTTP, IPPROTO_TCP);
	own_backend(B1, DNS, IPPROTO_UDP);
	own_backend(B2, DNS, IPPROTO_UDP);
	own_backend(B3, ANY_PORT, IPPROTO_UDP);
}

#define TAKEN(host, port)                                                                          \
	SENT(P(ETH(ROUTER, LB), IP(host, VIP), UDP(port, DNS)), P(TO(B1), UDP(port, DNS)))
#define REFUSED(host, port) KEPT(P(ETH(ROUTER, LB), IP(host, VIP), UDP(port, DNS)), BAD_SOURCE)

static void flush(void)
{
	for_each_flow(end);
	CHECK_EQUAL(count_flows(), 0);
}

static const struct test_case own_cases[] = {
	CASE("own: no flow begins from the host or another VIP", BOTH, with_own, REFUSED(LB, 40000),
	     REFUSED(VIP2, 40000), REFUSED(VIP2, DNS),
	     KEPT(P(ETH(ROUTER, LB), IP(LB, VIP), TCP(40000, HTTP, SYN)), BAD_SOURCE),
	     THEN(no_flow)),
	CASE("own: none from where a backend serves, of any service", BOTH, with_own,
	     REFUSED(B1, DNS), REFUSED(B2, DNS), REFUSED(B3, 40000),
	     KEPT(P(ETH(ROUTER, LB), IP(B1, VIP), TCP(HTTP, HTTP, SYN)), BAD_SOURCE),
	     THEN(no_flow)),
	CASE("own: a backend may be a client, from its other ports", BOTH, with_own,
	     TAKEN(B1, 40000), TAKEN(B2, 40001), TAKEN(B1, HTTP),
	     SENT(P(ETH(ROUTER, LB), IP(B3, VIP), TCP(40000, HTTP, SYN)),
		  P(TO(B1), TCP(40000, HTTP, SYN)))),
	CASE("own: peers that have the service's port on both sides", BOTH, with_own,
	     SENT(P(FROM(C1), UDP(DNS, DNS)), P(TO(B1), UDP(CHOSEN(0), DNS))),
	     SENT(P(BACK(B1), UDP(DNS, CHOSEN(0))), P(HOME(C1), UDP(DNS, DNS)))),
	CASE("own: a flow that was flushed stays dead", BOTH, with_own,
	     SENT(P(FROM(C1), UDP(40000, DNS)), P(TO(B1), UDP(40000, DNS))),
	     SENT(P(BACK(B1), UDP(DNS, 40000)), P(HOME(C1), UDP(DNS, 40000))), DO(flush),
	     KEPT(P(BACK(B1), UDP(DNS, 40000)), NO_SERVICE), THEN(no_flow)),
};

/* Two arms: the backend is on another device than the clients. */
static void two_arms(void)
{
	struct backend *backend;

	direct();
	backend = backend_of(1, B1);
	backend->hop[0].ifindex = 77;
	memcpy(backend->hop[0].own_mac, mac_of(STRANGER), 6);
}

static void two_arms_known(void)
{
	two_arms();
	own_mac(IFINDEX_LO, LB);
	own_mac(IFINDEX_LO, ROUTER); /* of a macvlan, as keepalived makes one */
	own_mac(IFINDEX_LO, NOBODY);
}

static void other_device_known(void)
{
	two_arms();
	own_mac(77, STRANGER);
	own_mac(77, NOBODY);
}

#define FRAME_TO(mac) P(ETH(C1, mac), IP(C1, VIP), TCP(40000, HTTP, ACK))
#define ACROSS_BY(mac)                                                                             \
	REDIRECTED_TO(FRAME_TO(mac), P(ETH(STRANGER, B1), IP(C1, VIP), TCP(40000, HTTP, ACK)))

static const struct test_case mac_cases[] = {
	CASE("mac: two arms, for the device's own and its macvlan's", BOTH, two_arms_known,
	     ACROSS_BY(LB), ACROSS_BY(LB), ACROSS_BY(ROUTER), ACROSS_BY(LB)),
	CASE("mac: two arms, for another host", BOTH, two_arms_known, ACROSS_BY(LB),
	     KEPT(FRAME_TO(C2), OTHER_HOST), KEPT(FRAME_TO(NOBODY), OTHER_HOST),
	     KEPT(FRAME_TO(ALL_NODES), OTHER_HOST), KEPT(FRAME_TO(STRANGER), OTHER_HOST)),
	CASE("mac: two arms, where the device's are not known", BOTH, other_device_known,
	     ACROSS_BY(LB), ACROSS_BY(C2), KEPT(FRAME_TO(NOBODY), OTHER_HOST)),
	CASE("mac: two arms, where nothing is known", BOTH, two_arms, ACROSS_BY(LB), ACROSS_BY(C2),
	     KEPT(FRAME_TO(NOBODY), OTHER_HOST), KEPT(FRAME_TO(ALL_NODES), OTHER_HOST)),
};

int main(int argc, char **argv)
{
	open_kernel(argc, argv);
	RUN(cases);
	RUN(own_cases);
	RUN(mac_cases);
	return finish_cases();
}
