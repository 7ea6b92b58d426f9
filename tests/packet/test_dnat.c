// SPDX-License-Identifier: GPL-2.0
/*
 * Mode dnat: clients' packets get the backend's address and port, answers those of the service.
 *
 *	C1 ── ROUTER ── LB (VIP) ── B1
 *
 * C1 -> VIP becomes C1 -> B1, and B1 -> C1 becomes VIP -> C1.
 *
 * Answers leave by `via`: C1's own MAC, but for the cases that say otherwise.
 */
#include <arpa/inet.h>
#include <string.h>

#include "cases.h"

#define HTTP 80
#define DNS 53
#define HTTP_OF_BACKEND 8080
#define DNS_OF_BACKEND 5353

/* Set-ups */

static void services(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_DNAT, B1);
	SERVICE(VIP, DNS, IPPROTO_UDP, MODE_DNAT, B1);
	set_via(1, C1);
	set_via(2, C1);
}

static void other_ports(void)
{
	services();
	set_port(1, B1, HTTP_OF_BACKEND);
	set_port(2, B1, DNS_OF_BACKEND);
}

static void any_port(void)
{
	SERVICE(VIP, ANY_PORT, IPPROTO_TCP, MODE_DNAT, B1);
	SERVICE(VIP, ANY_PORT, IPPROTO_UDP, MODE_DNAT, B1);
	set_via(1, C1);
	set_via(2, C1);
}

static void stateless(void)
{
	CHECK_EQUAL(count_flows(), 0);
	CHECK_EQUAL(count_fragments(), 0);
}

static void one_flow_counted(void)
{
	stateless();
	CHECK_EQUAL(case_gain.service[1].flows, 1);
	CHECK_EQUAL(case_gain.backend[backend_number(1, B1)].flows, 1);
}

/* The ways of packets, as they come and as they leave. */
#define IN ETH(C1, LB), IP(C1, VIP)
#define OUT ETH(LB, B1), IP(C1, B1, .ttl = 63)
#define REPLY_IN ETH(B1, LB), IP(B1, C1)
#define REPLY_OUT ETH(LB, C1), IP(VIP, C1, .ttl = 63)

static const struct test_case forward_cases[] = {
	CASE("dnat: a connection", BOTH, services,
	     SENT(P(IN, TCP(40000, HTTP, SYN)), P(OUT, TCP(40000, HTTP, SYN))),
	     SENT(P(REPLY_IN, TCP(HTTP, 40000, SYN | ACK)),
		  P(REPLY_OUT, TCP(HTTP, 40000, SYN | ACK))),
	     SENT(P(IN, TCP(40000, HTTP, ACK), DATA(1401)),
		  P(OUT, TCP(40000, HTTP, ACK), DATA(1401))),
	     SENT(P(REPLY_IN, TCP(HTTP, 40000, ACK), DATA(1400)),
		  P(REPLY_OUT, TCP(HTTP, 40000, ACK), DATA(1400))),
	     SENT(P(IN, TCP(40000, HTTP, FIN | ACK)), P(OUT, TCP(40000, HTTP, FIN | ACK))),
	     SENT(P(REPLY_IN, TCP(HTTP, 40000, RST)), P(REPLY_OUT, TCP(HTTP, 40000, RST))),
	     THEN(one_flow_counted)),
	CASE("dnat: a connection, other ports", BOTH, other_ports,
	     SENT(P(IN, TCP(40000, HTTP, SYN)), P(OUT, TCP(40000, HTTP_OF_BACKEND, SYN))),
	     SENT(P(REPLY_IN, TCP(HTTP_OF_BACKEND, 40000, SYN | ACK)),
		  P(REPLY_OUT, TCP(HTTP, 40000, SYN | ACK))),
	     SENT(P(IN, TCP(40000, HTTP, ACK), DATA(3)),
		  P(OUT, TCP(40000, HTTP_OF_BACKEND, ACK), DATA(3))),
	     SENT(P(REPLY_IN, TCP(HTTP_OF_BACKEND, 40000, ACK), DATA(77)),
		  P(REPLY_OUT, TCP(HTTP, 40000, ACK), DATA(77))),
	     THEN(one_flow_counted)),
	CASE("dnat: udp, with and without checksum", BOTH, services,
	     SENT(P(IN, UDP(40000, DNS), DATA(33)), P(OUT, UDP(40000, DNS), DATA(33))),
	     SENT(P(IN, UDP(40000, DNS, .no_sum = true), DATA(33)),
		  P(OUT, UDP(40000, DNS, .no_sum = true), DATA(33))),
	     SENT(P(REPLY_IN, UDP(DNS, 40000), DATA(34)), P(REPLY_OUT, UDP(DNS, 40000), DATA(34))),
	     SENT(P(REPLY_IN, UDP(DNS, 40000, .no_sum = true), DATA(34)),
		  P(REPLY_OUT, UDP(DNS, 40000, .no_sum = true), DATA(34))),
	     THEN(stateless)),
	CASE("dnat: udp, other ports", BOTH, other_ports,
	     SENT(P(IN, UDP(40000, DNS), DATA(1)), P(OUT, UDP(40000, DNS_OF_BACKEND), DATA(1))),
	     SENT(P(IN, UDP(40000, DNS, .no_sum = true), DATA(12)),
		  P(OUT, UDP(40000, DNS_OF_BACKEND, .no_sum = true), DATA(12))),
	     SENT(P(REPLY_IN, UDP(DNS_OF_BACKEND, 40000), DATA(12)),
		  P(REPLY_OUT, UDP(DNS, 40000), DATA(12))),
	     SENT(P(REPLY_IN, UDP(DNS_OF_BACKEND, 40000, .no_sum = true), DATA(2)),
		  P(REPLY_OUT, UDP(DNS, 40000, .no_sum = true), DATA(2)))),
};

static void other_side_too(void)
{
	services();
	SERVICE(VIP2, HTTP, IPPROTO_TCP, MODE_DNAT, B2);
	set_via(3, C1);
}

static void beside_nat(void)
{
	services();
	SERVICE(VIP, 443, IPPROTO_TCP, MODE_NAT, B1);
	SERVICE(VIP2, HTTP, IPPROTO_TCP, MODE_NAT, B1);
}

static void beside_nat_of_any_port(void)
{
	services();
	SERVICE(VIP, ANY_PORT, IPPROTO_TCP, MODE_NAT, B2);
}

static void specific_and_any_port(void)
{
	any_port();
	SERVICE(VIP2, 443, IPPROTO_TCP, MODE_DNAT, B1);
	set_via(3, ROUTER);
}

static void via_router(void)
{
	services();
	set_via(1, ROUTER);
	set_via(2, ROUTER);
}

static void via_is_not_resolved(void)
{
	memset(backend_of(1, C1)->hop[0].mac, 0, 6);
}

static void not_resolved(void)
{
	memset(backend_of(1, B1)->hop[0].mac, 0, 6);
}

static void no_owner(void)
{
	set_owner(1, 0, 0);
}

static void balancer_is_client(void)
{
	own_host(LB);
}

static void all_are_alike(void)
{
	memset(config()->known_bits, 0xff, sizeof(config()->known_bits));
}

/* As an older helper leaves it: bits of the host's addresses only. */
static void vips_are_not_known(void)
{
	config()->flags &= ~CONFIG_KNOWS_VIPS;
	memset(config()->known_bits, 0, sizeof(config()->known_bits));
	own_host(LB);
}

static void denied_client(void)
{
	deny(C1, family == 4 ? 32 : 128);
}

static void denied_backend(void)
{
	deny(B1, family == 4 ? 32 : 128);
}

#define OTHER_DEVICE 7

static void client_elsewhere(void)
{
	backend_of(1, C1)->hop[0].ifindex = OTHER_DEVICE;
	memcpy(backend_of(1, C1)->hop[0].own_mac, mac_of(LB), 6);
}

static void backend_elsewhere(void)
{
	backend_of(1, B1)->hop[0].ifindex = OTHER_DEVICE;
	memcpy(backend_of(1, B1)->hop[0].own_mac, mac_of(LB), 6);
}

static void own_servers(void)
{
	services();
	SERVICE(VIP2, DNS, IPPROTO_UDP, MODE_DNAT, B2);
	own_host(LB);
	own_backend(B2, DNS, IPPROTO_UDP);
}

static void knows_own_mac(void)
{
	know_way(backend_of(1, B1));
}

static void mode_is_off(void)
{
	config()->flags &= ~CONFIG_DNAT;
}

static const struct test_case header_cases[] = {
	CASE("dnat: VLAN, padding, trailing bytes", BOTH, services,
	     SENT(P(ETH(C1, LB), VLAN(5), IP(C1, VIP), TCP(40000, HTTP, SYN), TRAIL(7)),
		  P(ETH(LB, B1), VLAN(5), IP(C1, B1, .ttl = 63), TCP(40000, HTTP, SYN), TRAIL(7))),
	     SENT(P(IN, UDP(40000, DNS), PAD(60)), P(OUT, UDP(40000, DNS), PAD(60))),
	     SENT(P(ETH(B1, LB), VLAN(5), IP(B1, C1), TCP(HTTP, 40000, ACK), TRAIL(7)),
		  P(ETH(LB, C1), VLAN(5), IP(VIP, C1, .ttl = 63), TCP(HTTP, 40000, ACK), TRAIL(7))),
	     SENT(P(REPLY_IN, UDP(DNS, 40000), PAD(60)), P(REPLY_OUT, UDP(DNS, 40000), PAD(60)))),
	CASE("dnat: two VLAN tags", BOTH, services,
	     SENT(P(ETH(C1, LB), VLAN(5, .protocol = 0x88a8), VLAN(6), IP(C1, VIP),
		    TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), VLAN(5, .protocol = 0x88a8), VLAN(6), IP(C1, B1, .ttl = 63),
		    TCP(40000, HTTP, SYN))),
	     SENT(P(ETH(B1, LB), VLAN(5, .protocol = 0x88a8), VLAN(6), IP(B1, C1),
		    TCP(HTTP, 40000, ACK)),
		  P(ETH(LB, C1), VLAN(5, .protocol = 0x88a8), VLAN(6), IP(VIP, C1, .ttl = 63),
		    TCP(HTTP, 40000, ACK)))),
	CASE("dnat: IPv4 options, to the backend", V4, other_ports,
	     SENT(P(ETH(C1, LB), IP(C1, VIP, .options = 40), TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), IP(C1, B1, .options = 40, .ttl = 63),
		    TCP(40000, HTTP_OF_BACKEND, SYN))),
	     SENT(P(ETH(C1, LB), IP(C1, VIP, .options = 4), UDP(40000, DNS), DATA(7)),
		  P(ETH(LB, B1), IP(C1, B1, .options = 4, .ttl = 63), UDP(40000, DNS_OF_BACKEND),
		    DATA(7)))),
	CASE("dnat: IPv4 options, to the client", V4, other_ports,
	     SENT(P(ETH(B1, LB), IP(B1, C1, .options = 40), TCP(HTTP_OF_BACKEND, 40000, ACK)),
		  P(ETH(LB, C1), IP(VIP, C1, .options = 40, .ttl = 63), TCP(HTTP, 40000, ACK))),
	     SENT(P(ETH(B1, LB), IP(B1, C1, .options = 4), UDP(DNS_OF_BACKEND, 40000), DATA(7)),
		  P(ETH(LB, C1), IP(VIP, C1, .options = 4, .ttl = 63), UDP(DNS, 40000), DATA(7)))),
	CASE("dnat: extension headers, both ways", V6, other_ports,
	     SENT(P(IN, EXTENSION(0), EXTENSION(60), TCP(40000, HTTP, SYN)),
		  P(OUT, EXTENSION(0), EXTENSION(60), TCP(40000, HTTP_OF_BACKEND, SYN))),
	     SENT(P(REPLY_IN, EXTENSION(0), EXTENSION(60), TCP(HTTP_OF_BACKEND, 40000, ACK)),
		  P(REPLY_OUT, EXTENSION(0), EXTENSION(60), TCP(HTTP, 40000, ACK)))),
	CASE("dnat: TCP options", BOTH, other_ports,
	     SENT(P(IN, TCP(40000, HTTP, SYN, .options = 20)),
		  P(OUT, TCP(40000, HTTP_OF_BACKEND, SYN, .options = 20))),
	     SENT(P(REPLY_IN, TCP(HTTP_OF_BACKEND, 40000, SYN | ACK, .options = 40)),
		  P(REPLY_OUT, TCP(HTTP, 40000, SYN | ACK, .options = 40)))),
	CASE("dnat: class, flow label and id stay", BOTH, services,
	     SENT(P(ETH(C1, LB), IP(C1, VIP, .tos = 0xba, .flow = 12345, .id = 77),
		    TCP(40000, HTTP, ACK)),
		  P(ETH(LB, B1), IP(C1, B1, .tos = 0xba, .flow = 12345, .id = 77, .ttl = 63),
		    TCP(40000, HTTP, ACK))),
	     SENT(P(ETH(B1, LB), IP(B1, C1, .tos = 0xba, .flow = 12345, .id = 77),
		    TCP(HTTP, 40000, ACK)),
		  P(ETH(LB, C1), IP(VIP, C1, .tos = 0xba, .flow = 12345, .id = 77, .ttl = 63),
		    TCP(HTTP, 40000, ACK)))),
	CASE("dnat: checksums that are wrong stay wrong", BOTH, services,
	     SENT(P(IN, TCP(40000, HTTP, SYN, .add = 5)), P(OUT, TCP(40000, HTTP, SYN, .add = 5))),
	     SENT(P(REPLY_IN, TCP(HTTP, 40000, ACK, .add = 5)),
		  P(REPLY_OUT, TCP(HTTP, 40000, ACK, .add = 5)))),
	CASE("dnat: every flag of TCP", BOTH, other_ports,
	     SENT(P(IN, TCP(40000, HTTP, FIN | ACK)),
		  P(OUT, TCP(40000, HTTP_OF_BACKEND, FIN | ACK))),
	     SENT(P(IN, TCP(40000, HTTP, RST)), P(OUT, TCP(40000, HTTP_OF_BACKEND, RST))),
	     SENT(P(REPLY_IN, TCP(HTTP_OF_BACKEND, 40000, FIN | ACK)),
		  P(REPLY_OUT, TCP(HTTP, 40000, FIN | ACK))),
	     SENT(P(REPLY_IN, TCP(HTTP_OF_BACKEND, 40000, RST | ACK)),
		  P(REPLY_OUT, TCP(HTTP, 40000, RST | ACK))),
	     THEN(stateless)),
	CASE("dnat: the smallest datagrams", BOTH, other_ports,
	     SENT(P(IN, UDP(40000, DNS)), P(OUT, UDP(40000, DNS_OF_BACKEND))),
	     SENT(P(REPLY_IN, UDP(DNS_OF_BACKEND, 40000)), P(REPLY_OUT, UDP(DNS, 40000)))),
	CASE("dnat: the largest frames", BOTH, other_ports,
	     SENT(P(IN, UDP(40000, DNS), DATA(1452)),
		  P(OUT, UDP(40000, DNS_OF_BACKEND), DATA(1452))),
	     SENT(P(REPLY_IN, UDP(DNS_OF_BACKEND, 40000), DATA(1452)),
		  P(REPLY_OUT, UDP(DNS, 40000), DATA(1452)))),
	CASE("dnat: IPv4 options and a VLAN tag", V4, other_ports,
	     SENT(P(ETH(C1, LB), VLAN(5), IP(C1, VIP, .options = 12), TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), VLAN(5), IP(C1, B1, .options = 12, .ttl = 63),
		    TCP(40000, HTTP_OF_BACKEND, SYN))),
	     SENT(P(ETH(B1, LB), VLAN(5), IP(B1, C1, .options = 12),
		    TCP(HTTP_OF_BACKEND, 40000, ACK)),
		  P(ETH(LB, C1), VLAN(5), IP(VIP, C1, .options = 12, .ttl = 63),
		    TCP(HTTP, 40000, ACK)))),
	CASE("dnat: extension headers and UDP", V6, other_ports,
	     SENT(P(IN, EXTENSION(60), UDP(40000, DNS), DATA(9)),
		  P(OUT, EXTENSION(60), UDP(40000, DNS_OF_BACKEND), DATA(9))),
	     SENT(P(REPLY_IN, EXTENSION(60), UDP(DNS_OF_BACKEND, 40000), DATA(9)),
		  P(REPLY_OUT, EXTENSION(60), UDP(DNS, 40000), DATA(9)))),
	CASE("dnat: headers that lie are dropped, both ways", BOTH, services,
	     KEPT(P(IN, TCP(40000, HTTP, SYN, .header = 4)), MALFORMED),
	     KEPT(P(ETH(C1, LB), IP(C1, VIP, .length = 999), TCP(40000, HTTP, SYN)), MALFORMED),
	     KEPT(P(REPLY_IN, TCP(HTTP, 40000, ACK, .header = 4)), MALFORMED),
	     KEPT(P(ETH(B1, LB), IP(B1, C1, .length = 999), TCP(HTTP, 40000, ACK)), MALFORMED),
	     KEPT(P(REPLY_IN, UDP(DNS, 40000, .length = 7)), MALFORMED)),
};

static const struct test_case sender_cases[] = {
	CASE("dnat: each service's answers get its VIP", BOTH, other_side_too,
	     SENT(P(ETH(B2, LB), IP(B2, C1), TCP(HTTP, 40000, ACK)),
		  P(ETH(LB, C1), IP(VIP2, C1, .ttl = 63), TCP(HTTP, 40000, ACK))),
	     SENT(P(REPLY_IN, TCP(HTTP, 40000, ACK)), P(REPLY_OUT, TCP(HTTP, 40000, ACK)))),
	CASE("dnat: what a backend sends from another port passes", BOTH, services,
	     KEPT(P(REPLY_IN, TCP(40000, HTTP, SYN)), NO_SERVICE),
	     KEPT(P(REPLY_IN, TCP(81, 40000, ACK)), NO_SERVICE),
	     KEPT(P(REPLY_IN, UDP(HTTP, 40000)), NO_SERVICE),
	     KEPT(P(REPLY_IN, TCP(DNS, 40000, ACK)), NO_SERVICE)),
	CASE("dnat: what a backend sends by another protocol passes", BOTH, services,
	     KEPT(P(REPLY_IN, ICMP(ECHO), DATA(8)), NO_SERVICE),
	     KEPT(P(REPLY_IN, ICMP(ECHO_REPLY), DATA(56)), NO_SERVICE),
	     KEPT(P(REPLY_IN, OTHER(132, 40)), NO_SERVICE),
	     KEPT(P(REPLY_IN, OTHER(47, 40)), NO_SERVICE)),
	CASE("dnat: what others send from that port passes", BOTH, services,
	     KEPT(P(ETH(B2, LB), IP(B2, C1), TCP(HTTP, 40000, ACK)), NO_SERVICE),
	     KEPT(P(ETH(STRANGER, LB), IP(STRANGER, C1), UDP(DNS, 40000)), NO_SERVICE)),
	CASE("dnat: a backend without its port any more", BOTH, other_ports,
	     SENT(P(REPLY_IN, TCP(HTTP_OF_BACKEND, 40000, ACK)),
		  P(REPLY_OUT, TCP(HTTP, 40000, ACK)))),
	CASE("dnat: answers to the balancer itself pass", BOTH, services, DO(balancer_is_client),
	     KEPT(P(ETH(B1, LB), IP(B1, LB), TCP(HTTP, 40000, SYN | ACK)), NO_SERVICE),
	     KEPT(P(ETH(B1, LB), IP(B1, LB), UDP(DNS, 40000), DATA(9)), NO_SERVICE),
	     SENT(P(REPLY_IN, TCP(HTTP, 40000, ACK)), P(REPLY_OUT, TCP(HTTP, 40000, ACK)))),
	CASE("dnat: where no address is told apart from VIPs and the host's", BOTH, services,
	     DO(balancer_is_client), DO(all_are_alike),
	     SENT(P(IN, TCP(40000, HTTP, SYN)), P(OUT, TCP(40000, HTTP, SYN))),
	     SENT(P(REPLY_IN, TCP(HTTP, 40000, ACK)), P(REPLY_OUT, TCP(HTTP, 40000, ACK))),
	     KEPT(P(ETH(B1, LB), IP(B1, LB), TCP(HTTP, 40000, SYN | ACK)), NO_SERVICE)),
	CASE("dnat: where VIPs are not known as such", BOTH, services, DO(vips_are_not_known),
	     SENT(P(IN, TCP(40000, HTTP, SYN)), P(OUT, TCP(40000, HTTP, SYN))),
	     SENT(P(REPLY_IN, TCP(HTTP, 40000, ACK)), P(REPLY_OUT, TCP(HTTP, 40000, ACK)))),
	CASE("dnat: an error for the balancer itself passes", BOTH, services,
	     DO(balancer_is_client),
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, LB), ICMP(UNREACHABLE), IP(LB, B1),
		    TCP(40000, HTTP, SYN)),
		  NO_SERVICE)),
	CASE("dnat: any port, both ways", BOTH, any_port,
	     SENT(P(IN, TCP(40000, 4433, SYN)), P(OUT, TCP(40000, 4433, SYN))),
	     SENT(P(REPLY_IN, TCP(4433, 40000, ACK)), P(REPLY_OUT, TCP(4433, 40000, ACK))),
	     SENT(P(IN, UDP(40000, 7), DATA(5)), P(OUT, UDP(40000, 7), DATA(5))),
	     SENT(P(REPLY_IN, UDP(7, 40000), DATA(5)), P(REPLY_OUT, UDP(7, 40000), DATA(5)))),
	CASE("dnat: the more specific service has the answer", BOTH, specific_and_any_port,
	     SENT(P(REPLY_IN, TCP(443, 40000, ACK)),
		  P(ETH(LB, ROUTER), IP(VIP2, C1, .ttl = 63), TCP(443, 40000, ACK))),
	     SENT(P(REPLY_IN, TCP(444, 40000, ACK)), P(REPLY_OUT, TCP(444, 40000, ACK)))),
	CASE("dnat: a backend that is a client of the VIP", BOTH, other_side_too,
	     SENT(P(ETH(B2, LB), IP(B2, VIP), TCP(HTTP, HTTP, SYN)),
		  P(ETH(LB, B1), IP(B2, B1, .ttl = 63), TCP(HTTP, HTTP, SYN))),
	     SENT(P(ETH(B2, LB), IP(B2, VIP), TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), IP(B2, B1, .ttl = 63), TCP(40000, HTTP, SYN)))),
	CASE("dnat: a backend of mode nat beside", BOTH, beside_nat,
	     SENT(P(FROM(C1), TCP(40000, 443, SYN)), P(TO(B1), TCP(40000, 443, SYN))),
	     SENT(P(BACK(B1), TCP(443, 40000, SYN | ACK)), P(HOME(C1), TCP(443, 40000, SYN | ACK))),
	     SENT(P(IN, TCP(40000, HTTP, SYN)), P(OUT, TCP(40000, HTTP, SYN))),
	     SENT(P(REPLY_IN, TCP(HTTP, 40000, ACK)), P(REPLY_OUT, TCP(HTTP, 40000, ACK))),
	     SENT(P(ETH(C1, LB), IP(C1, VIP2), TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), IP(VIP2, B1, .ttl = 63), TCP(40000, HTTP, SYN))),
	     SENT(P(ETH(B1, LB), IP(B1, VIP2), TCP(HTTP, 40000, SYN | ACK)),
		  P(ETH(LB, C1), IP(VIP2, C1, .ttl = 63), TCP(HTTP, 40000, SYN | ACK)))),
	CASE("dnat: any port in mode nat beside", BOTH, beside_nat_of_any_port,
	     SENT(P(IN, TCP(40000, HTTP, SYN)), P(OUT, TCP(40000, HTTP, SYN))),
	     SENT(P(REPLY_IN, TCP(HTTP, 40000, ACK)), P(REPLY_OUT, TCP(HTTP, 40000, ACK))),
	     SENT(P(FROM(C1), TCP(40000, 8081, SYN)), P(TO(B2), TCP(40000, 8081, SYN))),
	     SENT(P(BACK(B2), TCP(8081, 40000, SYN | ACK)),
		  P(HOME(C1), TCP(8081, 40000, SYN | ACK)))),
	CASE("dnat: without such a service answers pass", BOTH, services, DO(mode_is_off),
	     KEPT(P(REPLY_IN, TCP(HTTP, 40000, ACK)), NO_SERVICE),
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, C1), ICMP(UNREACHABLE), IP(C1, B1),
		    TCP(40000, HTTP, ACK)),
		  NO_SERVICE)),
	CASE("dnat: any port, fragments of a query and an answer", BOTH, any_port,
	     SENT(P(IN, UDP(40000, 7), DATA(3001), FRAGMENT(0, 1480)),
		  P(OUT, UDP(40000, 7), DATA(3001), FRAGMENT(0, 1480))),
	     SENT(P(IN, UDP(40000, 7), DATA(3001), FRAGMENT(1480, 1480)),
		  P(OUT, UDP(40000, 7), DATA(3001), FRAGMENT(1480, 1480))),
	     SENT(P(REPLY_IN, UDP(7, 40000), DATA(3001), FRAGMENT(0, 1480)),
		  P(REPLY_OUT, UDP(7, 40000), DATA(3001), FRAGMENT(0, 1480))),
	     SENT(P(REPLY_IN, UDP(7, 40000), DATA(3001), FRAGMENT(1480, 1480)),
		  P(REPLY_OUT, UDP(7, 40000), DATA(3001), FRAGMENT(1480, 1480)))),
	CASE("dnat: any port, errors both ways", BOTH, any_port,
	     SENT(P(ETH(ROUTER, LB), IP(ROUTER, C1), ICMP(UNREACHABLE), IP(C1, B1),
		    TCP(40000, 4433, ACK)),
		  P(REPLY_OUT, ICMP(UNREACHABLE), IP(C1, VIP), TCP(40000, 4433, ACK))),
	     SENT(P(ETH(ROUTER, LB), IP(ROUTER, VIP), ICMP(UNREACHABLE), IP(VIP, C1),
		    TCP(4433, 40000, ACK)),
		  P(ETH(LB, B1), IP(ROUTER, B1, .ttl = 63), ICMP(UNREACHABLE), IP(B1, C1),
		    TCP(4433, 40000, ACK)))),
	CASE("dnat: a client by the backend's own address gets answers of the VIP", BOTH, services,
	     KEPT(P(ETH(C1, LB), IP(C1, B1), TCP(40000, HTTP, SYN)), NO_SERVICE),
	     SENT(P(REPLY_IN, TCP(HTTP, 40000, SYN | ACK)),
		  P(REPLY_OUT, TCP(HTTP, 40000, SYN | ACK)))),
	CASE("dnat: clients of one port each", BOTH, services,
	     SENT(P(ETH(C1, LB), IP(C1, VIP), TCP(40000, HTTP, SYN)),
		  P(OUT, TCP(40000, HTTP, SYN))),
	     SENT(P(ETH(C2, LB), IP(C2, VIP), TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), IP(C2, B1, .ttl = 63), TCP(40000, HTTP, SYN))),
	     SENT(P(ETH(B1, LB), IP(B1, C2), TCP(HTTP, 40000, SYN | ACK)),
		  P(ETH(LB, C1), IP(VIP, C2, .ttl = 63), TCP(HTTP, 40000, SYN | ACK)))),
	CASE("dnat: not the service's packets pass", BOTH, services,
	     KEPT(P(IN, TCP(40000, 81, SYN)), NO_SERVICE), KEPT(P(IN, UDP(40000, 81)), NO_SERVICE),
	     KEPT(P(IN, ICMP(ECHO), DATA(8)), NO_SERVICE)),
};

#define ANSWER_TO(host) ETH(LB, host), IP(VIP, host, .id = ZERO, .offset = 0x4000)

static void narrow(void)
{
	services();
	for (int i = 1; i <= 2; i++) {
		backend_of(i, B1)->mtu[0] = 1280;
		backend_of(i, C1)->mtu[0] = 1280;
	}
}

static const struct test_case way_cases[] = {
	CASE("dnat: answers go to the next hop", BOTH, via_router,
	     SENT(P(REPLY_IN, TCP(HTTP, 40000, ACK)),
		  P(ETH(LB, ROUTER), IP(VIP, C1, .ttl = 63), TCP(HTTP, 40000, ACK))),
	     SENT(P(REPLY_IN, UDP(DNS, 40000), DATA(2)),
		  P(ETH(LB, ROUTER), IP(VIP, C1, .ttl = 63), UDP(DNS, 40000), DATA(2)))),
	CASE("dnat: a next hop that is not resolved", BOTH, services, DO(via_is_not_resolved),
	     KEPT(P(REPLY_IN, TCP(HTTP, 40000, ACK)), NO_NEIGHBOUR)),
	CASE("dnat: a backend that is not resolved", BOTH, services, DO(not_resolved),
	     KEPT(P(IN, TCP(40000, HTTP, SYN)), NO_NEIGHBOUR)),
	CASE("dnat: no backend", BOTH, services, DO(no_owner),
	     KEPT(P(IN, TCP(40000, HTTP, SYN)), NO_BACKEND),
	     KEPT(P(IN, TCP(40000, HTTP, ACK)), NO_BACKEND)),
	CASE("dnat: two arms", BOTH, services, DO(client_elsewhere),
	     REDIRECTED_TO(P(REPLY_IN, TCP(HTTP, 40000, ACK)), P(REPLY_OUT, TCP(HTTP, 40000, ACK))),
	     DO(backend_elsewhere),
	     REDIRECTED_TO(P(IN, TCP(40000, HTTP, ACK)), P(OUT, TCP(40000, HTTP, ACK)))),
	CASE("dnat: an answer for another host passes", BOTH, services, DO(knows_own_mac),
	     KEPT(P(ETH(B1, ROUTER), IP(B1, C1), TCP(HTTP, 40000, ACK)), OTHER_HOST),
	     KEPT(P(ETH(B1, ALL_NODES), IP(B1, C1), TCP(HTTP, 40000, ACK)), OTHER_HOST)),
	CASE("dnat: a datagram of a server that is our own", BOTH, own_servers,
	     KEPT(P(ETH(ROUTER, LB), IP(VIP2, VIP), UDP(DNS, DNS)), BAD_SOURCE),
	     KEPT(P(ETH(ROUTER, LB), IP(LB, VIP), UDP(DNS, DNS)), BAD_SOURCE),
	     KEPT(P(ETH(B2, LB), IP(B2, VIP), UDP(DNS, DNS)), BAD_SOURCE),
	     SENT(P(ETH(C1, LB), IP(C1, VIP), UDP(DNS, DNS)), P(OUT, UDP(DNS, DNS))),
	     SENT(P(ETH(B2, LB), IP(B2, VIP), UDP(40000, DNS)),
		  P(ETH(LB, B1), IP(B2, B1, .ttl = 63), UDP(40000, DNS)))),
	CASE("dnat: a denied client", BOTH, services, DO(denied_client),
	     KEPT(P(IN, TCP(40000, HTTP, SYN)), DENIED), KEPT(P(IN, TCP(40000, HTTP, ACK)), DENIED),
	     SENT(P(REPLY_IN, TCP(HTTP, 40000, ACK)), P(REPLY_OUT, TCP(HTTP, 40000, ACK)))),
	CASE("dnat: deny is of clients, not of backends", BOTH, services, DO(denied_backend),
	     SENT(P(REPLY_IN, TCP(HTTP, 40000, ACK)), P(REPLY_OUT, TCP(HTTP, 40000, ACK)))),
	CASE("dnat: a TTL of 1 from the client is answered", BOTH, services,
	     ANSWERED(P(ETH(C1, LB), IP(C1, VIP, .ttl = 1), TCP(40000, HTTP, SYN)), TTL,
		      P(ANSWER_TO(C1), ICMP(TIME_EXCEEDED), IP(C1, VIP, .ttl = 1),
			TCP(40000, HTTP, SYN)))),
	CASE("dnat: a TTL of 1 from the backend is answered", BOTH, services,
	     ANSWERED(P(ETH(B1, LB), IP(B1, C1, .ttl = 1), TCP(HTTP, 40000, ACK)), TTL,
		      P(ANSWER_TO(B1), ICMP(TIME_EXCEEDED), IP(B1, C1, .ttl = 1),
			TCP(HTTP, 40000, ACK)))),
	CASE("dnat: a TTL of 2 is the last hop but one", BOTH, services,
	     SENT(P(ETH(C1, LB), IP(C1, VIP, .ttl = 2), TCP(40000, HTTP, ACK)),
		  P(ETH(LB, B1), IP(C1, B1, .ttl = 1), TCP(40000, HTTP, ACK))),
	     SENT(P(ETH(B1, LB), IP(B1, C1, .ttl = 2), TCP(HTTP, 40000, ACK)),
		  P(ETH(LB, C1), IP(VIP, C1, .ttl = 1), TCP(HTTP, 40000, ACK)))),
	CASE("dnat: too big for the way to the backend is answered", BOTH, narrow,
	     SENT(P(ETH(C1, LB), IP(C1, VIP, .offset = 0x4000), UDP(40000, DNS), DATA(1232)),
		  P(ETH(LB, B1), IP(C1, B1, .offset = 0x4000, .ttl = 63), UDP(40000, DNS),
		    DATA(1232))),
	     ANSWERED(P(ETH(C1, LB), IP(C1, VIP, .offset = 0x4000), UDP(40000, DNS), DATA(1253)),
		      TOO_BIG,
		      P(ANSWER_TO(C1), ICMP(TOO_BIG, .value = 1280), IP(C1, VIP, .offset = 0x4000),
			UDP(40000, DNS), DATA(1253), CUT(128)))),
	CASE("dnat: too big for the way to the client is answered", BOTH, narrow,
	     SENT(P(ETH(B1, LB), IP(B1, C1, .offset = 0x4000), UDP(DNS, 40000), DATA(1232)),
		  P(ETH(LB, C1), IP(VIP, C1, .offset = 0x4000, .ttl = 63), UDP(DNS, 40000),
		    DATA(1232))),
	     ANSWERED(P(ETH(B1, LB), IP(B1, C1, .offset = 0x4000), UDP(DNS, 40000), DATA(1253)),
		      TOO_BIG,
		      P(ANSWER_TO(B1), ICMP(TOO_BIG, .value = 1280), IP(B1, C1, .offset = 0x4000),
			UDP(DNS, 40000), DATA(1253), CUT(128)))),
};

/* Errors. What each side sent, and what a router between the balancer and the other side saw. */
#define CLIENT_SENT IP(C1, VIP, .ttl = 9), TCP(40000, HTTP, ACK), DATA(1000)
#define BACKEND_GOT IP(C1, B1, .ttl = 9), TCP(40000, HTTP_OF_BACKEND, ACK), DATA(1000)
#define BACKEND_SENT IP(B1, C1, .ttl = 9), TCP(HTTP_OF_BACKEND, 40000, ACK), DATA(1000)
#define CLIENT_GOT IP(VIP, C1, .ttl = 9), TCP(HTTP, 40000, ACK), DATA(1000)
#define CLIENT_ASKED IP(C1, VIP, .ttl = 9), UDP(40000, DNS), DATA(501)
#define BACKEND_HEARD IP(C1, B1, .ttl = 9), UDP(40000, DNS_OF_BACKEND), DATA(501)
#define BACKEND_ANSWERED IP(B1, C1, .ttl = 9), UDP(DNS_OF_BACKEND, 40000), DATA(501)
#define CLIENT_HEARD IP(VIP, C1, .ttl = 9), UDP(DNS, 40000), DATA(501)

/* An error that a client gets comes from the VIP: who is behind it is not to be seen. */
static const struct test_case error_cases[] = {
	CASE("dnat: too big, of a router on the backend's side", BOTH, other_ports,
	     SENT(P(ETH(ROUTER, LB), IP(ROUTER, C1), ICMP(TOO_BIG, .value = 1280), BACKEND_GOT,
		    CUT(548)),
		  P(REPLY_OUT, ICMP(TOO_BIG, .value = 1280), CLIENT_SENT, CUT(548))),
	     THEN(stateless)),
	CASE("dnat: too big, of a router on the client's side", BOTH, other_ports,
	     SENT(P(ETH(ROUTER, LB), IP(ROUTER, VIP), ICMP(TOO_BIG, .value = 1280), CLIENT_GOT,
		    CUT(548)),
		  P(ETH(LB, B1), IP(ROUTER, B1, .ttl = 63), ICMP(TOO_BIG, .value = 1280),
		    BACKEND_SENT, CUT(548))),
	     THEN(stateless)),
	CASE("dnat: unreachable, both ways", BOTH, other_ports,
	     SENT(P(ETH(ROUTER, LB), IP(ROUTER, C1), ICMP(UNREACHABLE), BACKEND_GOT, CUT(128)),
		  P(REPLY_OUT, ICMP(UNREACHABLE), CLIENT_SENT, CUT(128))),
	     SENT(P(ETH(ROUTER, LB), IP(ROUTER, VIP), ICMP(UNREACHABLE), CLIENT_GOT, CUT(128)),
		  P(ETH(LB, B1), IP(ROUTER, B1, .ttl = 63), ICMP(UNREACHABLE), BACKEND_SENT,
		    CUT(128)))),
	CASE("dnat: time exceeded, both ways", BOTH, other_ports,
	     SENT(P(ETH(ROUTER, LB), IP(ROUTER, C1), ICMP(TIME_EXCEEDED), BACKEND_GOT, CUT(128)),
		  P(REPLY_OUT, ICMP(TIME_EXCEEDED), CLIENT_SENT, CUT(128))),
	     SENT(P(ETH(ROUTER, LB), IP(ROUTER, VIP), ICMP(TIME_EXCEEDED), CLIENT_GOT, CUT(128)),
		  P(ETH(LB, B1), IP(ROUTER, B1, .ttl = 63), ICMP(TIME_EXCEEDED), BACKEND_SENT,
		    CUT(128)))),
	CASE("dnat: parameter problem, both ways", BOTH, other_ports,
	     SENT(P(ETH(ROUTER, LB), IP(ROUTER, C1), ICMP(PARAMETER_PROBLEM), BACKEND_GOT, CUT(99)),
		  P(REPLY_OUT, ICMP(PARAMETER_PROBLEM), CLIENT_SENT, CUT(99))),
	     SENT(P(ETH(ROUTER, LB), IP(ROUTER, VIP), ICMP(PARAMETER_PROBLEM), CLIENT_GOT, CUT(99)),
		  P(ETH(LB, B1), IP(ROUTER, B1, .ttl = 63), ICMP(PARAMETER_PROBLEM), BACKEND_SENT,
		    CUT(99)))),
	CASE("dnat: errors from the ends themselves", BOTH, other_ports,
	     SENT(P(ETH(B1, LB), IP(B1, C1), ICMP(UNREACHABLE), BACKEND_HEARD, CUT(300)),
		  P(REPLY_OUT, ICMP(UNREACHABLE), CLIENT_ASKED, CUT(300))),
	     SENT(P(ETH(C1, LB), IP(C1, VIP), ICMP(UNREACHABLE), CLIENT_HEARD, CUT(301)),
		  P(ETH(LB, B1), IP(C1, B1, .ttl = 63), ICMP(UNREACHABLE), BACKEND_ANSWERED,
		    CUT(301)))),
	CASE("dnat: the whole packet is quoted", BOTH, other_ports,
	     SENT(P(ETH(B1, LB), IP(B1, C1), ICMP(UNREACHABLE), BACKEND_HEARD),
		  P(REPLY_OUT, ICMP(UNREACHABLE), CLIENT_ASKED)),
	     SENT(P(ETH(C1, LB), IP(C1, VIP), ICMP(UNREACHABLE), CLIENT_HEARD),
		  P(ETH(LB, B1), IP(C1, B1, .ttl = 63), ICMP(UNREACHABLE), BACKEND_ANSWERED))),
	CASE("dnat: a quoted UDP checksum of zero", BOTH, other_ports,
	     SENT(P(ETH(B1, LB), IP(B1, C1), ICMP(UNREACHABLE), IP(C1, B1),
		    UDP(40000, DNS_OF_BACKEND, .no_sum = true), DATA(5)),
		  P(REPLY_OUT, ICMP(UNREACHABLE), IP(C1, VIP), UDP(40000, DNS, .no_sum = true),
		    DATA(5))),
	     SENT(P(ETH(C1, LB), IP(C1, VIP), ICMP(UNREACHABLE), IP(VIP, C1),
		    UDP(DNS, 40000, .no_sum = true), DATA(5)),
		  P(ETH(LB, B1), IP(C1, B1, .ttl = 63), ICMP(UNREACHABLE), IP(B1, C1),
		    UDP(DNS_OF_BACKEND, 40000, .no_sum = true), DATA(5)))),
	CASE("dnat: quoted IPv4 options, and options of the error", V4, other_ports,
	     SENT(P(ETH(ROUTER, LB), IP(ROUTER, C1, .options = 40), ICMP(TIME_EXCEEDED),
		    IP(C1, B1, .options = 24), TCP(40000, HTTP_OF_BACKEND, ACK), DATA(30)),
		  P(ETH(LB, C1), IP(VIP, C1, .ttl = 63, .options = 40), ICMP(TIME_EXCEEDED),
		    IP(C1, VIP, .options = 24), TCP(40000, HTTP, ACK), DATA(30))),
	     SENT(P(ETH(ROUTER, LB), IP(ROUTER, VIP, .options = 8), ICMP(TIME_EXCEEDED),
		    IP(VIP, C1, .options = 24), TCP(HTTP, 40000, ACK), DATA(30)),
		  P(ETH(LB, B1), IP(ROUTER, B1, .ttl = 63, .options = 8), ICMP(TIME_EXCEEDED),
		    IP(B1, C1, .options = 24), TCP(HTTP_OF_BACKEND, 40000, ACK), DATA(30)))),
	CASE("dnat: quoted extension headers", V6, other_ports,
	     SENT(P(ETH(ROUTER, LB), IP(ROUTER, C1), ICMP(TOO_BIG, .value = 1280), IP(C1, B1),
		    EXTENSION(60, .options = 1), TCP(40000, HTTP_OF_BACKEND, ACK), DATA(700),
		    CUT(300)),
		  P(REPLY_OUT, ICMP(TOO_BIG, .value = 1280), IP(C1, VIP),
		    EXTENSION(60, .options = 1), TCP(40000, HTTP, ACK), DATA(700), CUT(300)))),
	CASE("dnat: a quote that ends with the ports", V4, other_ports,
	     SENT(P(ETH(ROUTER, LB), IP(ROUTER, C1), ICMP(TIME_EXCEEDED), BACKEND_GOT, CUT(28)),
		  P(REPLY_OUT, ICMP(TIME_EXCEEDED), CLIENT_SENT, CUT(28))),
	     SENT(P(ETH(ROUTER, LB), IP(ROUTER, VIP), ICMP(TIME_EXCEEDED), CLIENT_GOT, CUT(28)),
		  P(ETH(LB, B1), IP(ROUTER, B1, .ttl = 63), ICMP(TIME_EXCEEDED), BACKEND_SENT,
		    CUT(28)))),
	CASE("dnat: a quoted first fragment", BOTH, other_ports,
	     SENT(P(ETH(ROUTER, LB), IP(ROUTER, C1), ICMP(TIME_EXCEEDED), IP(C1, B1),
		    UDP(40000, DNS_OF_BACKEND), DATA(3000), FRAGMENT(0, 600)),
		  P(REPLY_OUT, ICMP(TIME_EXCEEDED), IP(C1, VIP), UDP(40000, DNS), DATA(3000),
		    FRAGMENT(0, 600)))),
	CASE("dnat: an error in a VLAN", BOTH, services,
	     SENT(P(ETH(ROUTER, LB), VLAN(5), IP(ROUTER, C1), ICMP(UNREACHABLE), IP(C1, B1),
		    TCP(40000, HTTP, ACK)),
		  P(ETH(LB, C1), VLAN(5), IP(VIP, C1, .ttl = 63), ICMP(UNREACHABLE), IP(C1, VIP),
		    TCP(40000, HTTP, ACK)))),
	CASE("dnat: an error about what is no backend's passes", BOTH, services,
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, C1), ICMP(UNREACHABLE), IP(C1, B2),
		    TCP(40000, HTTP, ACK)),
		  NO_SERVICE),
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, C1), ICMP(UNREACHABLE), IP(C1, B1),
		    TCP(40000, 81, ACK)),
		  NO_SERVICE),
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, C1), ICMP(UNREACHABLE), IP(C2, B1),
		    TCP(40000, HTTP, ACK)),
		  NO_SERVICE)),
	CASE("dnat: an error about UDP, of routers on both sides", BOTH, other_ports,
	     SENT(P(ETH(ROUTER, LB), IP(ROUTER, C1), ICMP(TIME_EXCEEDED), BACKEND_HEARD, CUT(200)),
		  P(REPLY_OUT, ICMP(TIME_EXCEEDED), CLIENT_ASKED, CUT(200))),
	     SENT(P(ETH(ROUTER, LB), IP(ROUTER, VIP), ICMP(TIME_EXCEEDED), CLIENT_HEARD, CUT(200)),
		  P(ETH(LB, B1), IP(ROUTER, B1, .ttl = 63), ICMP(TIME_EXCEEDED), BACKEND_ANSWERED,
		    CUT(200)))),
	CASE("dnat: an error by the next hop", BOTH, via_router,
	     SENT(P(ETH(B1, LB), IP(B1, C1), ICMP(UNREACHABLE), IP(C1, B1), TCP(40000, HTTP, ACK)),
		  P(ETH(LB, ROUTER), IP(VIP, C1, .ttl = 63), ICMP(UNREACHABLE), IP(C1, VIP),
		    TCP(40000, HTTP, ACK)))),
	CASE("dnat: a quoted first fragment of an answer", BOTH, other_ports,
	     SENT(P(ETH(ROUTER, LB), IP(ROUTER, VIP), ICMP(TIME_EXCEEDED), IP(VIP, C1),
		    UDP(DNS, 40000), DATA(3000), FRAGMENT(0, 600)),
		  P(ETH(LB, B1), IP(ROUTER, B1, .ttl = 63), ICMP(TIME_EXCEEDED), IP(B1, C1),
		    UDP(DNS_OF_BACKEND, 40000), DATA(3000), FRAGMENT(0, 600)))),
	CASE("dnat: an error is never answered with an error", BOTH, narrow,
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, C1), ICMP(UNREACHABLE), IP(C1, B1),
		    TCP(40000, HTTP, ACK), DATA(1400)),
		  TOO_BIG),
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, C1, .ttl = 1), ICMP(UNREACHABLE), IP(C1, B1),
		    TCP(40000, HTTP, ACK)),
		  TTL)),
};

/* Fragments: [first, first + IN_FIRST) of a query or an answer of 4,000 bytes. */
#define IN_FIRST 1480
#define QUERY(first)                                                                               \
	SENT(P(IN, UDP(40000, DNS), DATA(4001), FRAGMENT(first, IN_FIRST)),                        \
	     P(OUT, UDP(40000, DNS_OF_BACKEND), DATA(4001), FRAGMENT(first, IN_FIRST)))
#define REPLY(first)                                                                               \
	SENT(P(REPLY_IN, UDP(DNS_OF_BACKEND, 40000), DATA(4001), FRAGMENT(first, IN_FIRST)),       \
	     P(REPLY_OUT, UDP(DNS, 40000), DATA(4001), FRAGMENT(first, IN_FIRST)))
#define LATER_REPLY_TO(client)                                                                     \
	P(ETH(B1, LB), IP(B1, client), UDP(DNS_OF_BACKEND, 40000), DATA(4001),                     \
	  FRAGMENT(IN_FIRST, IN_FIRST))

static void two_fragmented(void)
{
	CHECK_EQUAL(count_flows(), 0);
	CHECK_EQUAL(count_fragments(), 2);
}

static void forget_fragments(void)
{
	CHECK_EQUAL(count_fragments(), 1);
	age_fragments(31);
}

static const struct test_case fragment_cases[] = {
	CASE("dnat: fragments of a query", BOTH, other_ports, QUERY(0), QUERY(1480), QUERY(2960)),
	CASE("dnat: fragments of an answer", BOTH, other_ports, REPLY(0), REPLY(1480), REPLY(2960)),
	CASE("dnat: fragments of both at a time", BOTH, other_ports, QUERY(0), REPLY(0),
	     QUERY(1480), REPLY(1480), THEN(two_fragmented)),
	CASE("dnat: a fragment before the first one", BOTH, other_ports,
	     KEPT(P(IN, UDP(40000, DNS), DATA(4001), FRAGMENT(1480, IN_FIRST)), FRAGMENT_EARLY),
	     KEPT(LATER_REPLY_TO(C1), NO_SERVICE)),
	CASE("dnat: a fragment to another client", BOTH, other_ports, REPLY(0),
	     KEPT(LATER_REPLY_TO(C2), NO_SERVICE), REPLY(1480)),
	CASE("dnat: a fragment that comes late", BOTH, other_ports, REPLY(0), DO(forget_fragments),
	     KEPT(LATER_REPLY_TO(C1), NO_SERVICE)),
	CASE("dnat: fragments out of order, both ways", BOTH, other_ports, QUERY(0), QUERY(2960),
	     QUERY(1480), REPLY(0), REPLY(2960), REPLY(1480), THEN(two_fragmented)),
	CASE("dnat: fragments of what is no answer", BOTH, other_ports,
	     KEPT(P(REPLY_IN, UDP(99, 40000), DATA(4001), FRAGMENT(0, IN_FIRST)), NO_SERVICE),
	     KEPT(P(REPLY_IN, UDP(99, 40000), DATA(4001), FRAGMENT(1480, IN_FIRST)), NO_SERVICE),
	     THEN(stateless)),
	CASE("dnat: fragments of TCP", BOTH, other_ports,
	     SENT(P(IN, TCP(40000, HTTP, ACK), DATA(4001), FRAGMENT(0, IN_FIRST)),
		  P(OUT, TCP(40000, HTTP_OF_BACKEND, ACK), DATA(4001), FRAGMENT(0, IN_FIRST))),
	     SENT(P(IN, TCP(40000, HTTP, ACK), DATA(4001), FRAGMENT(1480, IN_FIRST)),
		  P(OUT, TCP(40000, HTTP_OF_BACKEND, ACK), DATA(4001), FRAGMENT(1480, IN_FIRST))),
	     SENT(P(REPLY_IN, TCP(HTTP_OF_BACKEND, 40000, ACK), DATA(4001), FRAGMENT(0, IN_FIRST)),
		  P(REPLY_OUT, TCP(HTTP, 40000, ACK), DATA(4001), FRAGMENT(0, IN_FIRST))),
	     SENT(P(REPLY_IN, TCP(HTTP_OF_BACKEND, 40000, ACK), DATA(4001),
		    FRAGMENT(1480, IN_FIRST)),
		  P(REPLY_OUT, TCP(HTTP, 40000, ACK), DATA(4001), FRAGMENT(1480, IN_FIRST)))),
};

/* Slots in transition: from B1 to B2. */
static void service_changed(struct service *service)
{
	service->changed = tick_now();
}

static void in_transition(void)
{
	services();
	SERVICE(VIP2, HTTP, IPPROTO_TCP, MODE_DNAT, B2);
	set_via(3, C1);
	set_owner(1, 0, backend_number(3, B2));
	set_former(1, 0, backend_number(1, B1), tick_now());
	change_service(1, service_changed);
}

static void after_901s(void)
{
	age_slots(901);
}

static void one_remembered(void)
{
	CHECK_EQUAL(count_flows(), 1);
}

#define TCP_TO(backend, port, flags)                                                               \
	SENT(P(IN, TCP(port, HTTP, flags)),                                                        \
	     P(ETH(LB, backend), IP(C1, backend, .ttl = 63), TCP(port, HTTP, flags)))

static const struct test_case transition_cases[] = {
	CASE("dnat: in transition, an unknown flow stays with the former owner", BOTH,
	     in_transition, TCP_TO(B1, 40000, ACK), TCP_TO(B1, 40001, FIN | ACK),
	     TCP_TO(B1, 40002, RST), THEN(stateless)),
	CASE("dnat: in transition, a new flow goes to the owner, and is remembered", BOTH,
	     in_transition, TCP_TO(B2, 40000, SYN), TCP_TO(B2, 40000, ACK), TCP_TO(B1, 40001, ACK),
	     THEN(one_remembered)),
	CASE("dnat: in transition, an error about an answer follows the flow", BOTH, in_transition,
	     TCP_TO(B2, 40000, SYN),
	     SENT(P(ETH(ROUTER, LB), IP(ROUTER, VIP), ICMP(UNREACHABLE), IP(VIP, C1),
		    TCP(HTTP, 40000, ACK)),
		  P(ETH(LB, B2), IP(ROUTER, B2, .ttl = 63), ICMP(UNREACHABLE), IP(B2, C1),
		    TCP(HTTP, 40000, ACK)))),
	CASE("dnat: in transition, answers of both are the VIP's", BOTH, in_transition,
	     TCP_TO(B2, 40000, SYN),
	     SENT(P(REPLY_IN, TCP(HTTP, 40001, ACK)), P(REPLY_OUT, TCP(HTTP, 40001, ACK)))),
	CASE("dnat: the transition ends", BOTH, in_transition, DO(after_901s),
	     TCP_TO(B2, 40000, ACK), THEN(stateless)),
};

int main(int argc, char **argv)
{
	open_kernel(argc, argv);
	RUN(forward_cases);
	RUN(header_cases);
	RUN(sender_cases);
	RUN(way_cases);
	RUN(error_cases);
	RUN(fragment_cases);
	RUN(transition_cases);
	return finish_cases();
}
