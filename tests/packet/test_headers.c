// SPDX-License-Identifier: GPL-2.0
/*
 * Headers, odd and broken: what passes, what is dropped and what is forwarded all the same.
 * A packet that does not show whose it is passes; one to a service that lies is dropped.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "cases.h"

#define HTTP 80
#define DNS 53
#define HOP_BY_HOP 0
#define ROUTING 43
#define FRAGMENTED 44
#define AUTHENTICATION 51
#define DESTINATION 60

static void services(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_NAT, B1);
	SERVICE(VIP, DNS, IPPROTO_UDP, MODE_NAT, B1);
}

static void any_port_services(void)
{
	SERVICE(VIP, ANY_PORT, IPPROTO_TCP, MODE_NAT, B1);
	SERVICE(VIP, ANY_PORT, IPPROTO_UDP, MODE_NAT, B1);
}

static void no_flow(void)
{
	CHECK_EQUAL(count_flows(), 0);
}

static void one_flow(void)
{
	CHECK_EQUAL(count_flows(), 1);
}

#define FROM_C1 IP(C1, VIP)
#define TO_B1 IP(VIP, B1, .ttl = 63)
#define BROKEN(...) KEPT(P(ETH(C1, LB), __VA_ARGS__), MALFORMED)
#define NOBODYS(...) KEPT(P(ETH(C1, LB), __VA_ARGS__), NO_SERVICE)

static const struct test_case layer2_cases[] = {
	CASE("ethernet: ARP for the VIP passes", V4, services,
	     KEPT(P(ETH(C1, ALL_NODES), ARP), NOT_IP), KEPT(P(ETH(C1, LB), ARP, PAD(60)), NOT_IP)),
	CASE("ethernet: another EtherType passes", BOTH, services,
	     KEPT(P(ETH_TYPE(C1, LB, 0x88cc), DATA(46)), NOT_IP),
	     KEPT(P(ETH_TYPE(C1, LB, 0x0026), DATA(46)), NOT_IP),
	     KEPT(P(ETH_TYPE(C1, LB, ZERO), DATA(46)), NOT_IP)),
	CASE("ethernet: IPv4 as IPv6, and the reverse, passes", BOTH, services,
	     KEPT(P(ETH_TYPE(C1, LB, 0x86dd), IP4(C1, VIP), TCP(40000, HTTP, SYN), DATA(40)),
		  NO_SERVICE),
	     KEPT(P(ETH_TYPE(C1, LB, 0x0800), IP6(C1, VIP), TCP(40000, HTTP, SYN)), NO_SERVICE)),
	CASE("ethernet: a frame to all, or to a group, is not for us", BOTH, services,
	     KEPT(P(ETH(C1, ALL_NODES), FROM_C1, TCP(40000, HTTP, SYN)), OTHER_HOST),
	     THEN(no_flow)),
	CASE("vlan: a tag is kept, both ways", BOTH, services,
	     SENT(P(ETH(C1, LB), VLAN(5), FROM_C1, TCP(40000, HTTP, SYN), DATA(3)),
		  P(ETH(LB, B1), VLAN(5), TO_B1, TCP(40000, HTTP, SYN), DATA(3))),
	     SENT(P(ETH(B1, LB), VLAN(5), IP(B1, VIP), TCP(HTTP, 40000, SYN | ACK)),
		  P(ETH(LB, C1), VLAN(5), IP(VIP, C1, .ttl = 63), TCP(HTTP, 40000, SYN | ACK)))),
	CASE("vlan: two tags are kept, priority and all", BOTH, services,
	     SENT(P(ETH(C1, LB), VLAN(0x6064, .protocol = 0x88a8), VLAN(0xffff), FROM_C1,
		    UDP(40000, DNS), DATA(3)),
		  P(ETH(LB, B1), VLAN(0x6064, .protocol = 0x88a8), VLAN(0xffff), TO_B1,
		    UDP(40000, DNS), DATA(3)))),
	CASE("vlan: two tags of 802.1Q are kept", BOTH, services,
	     SENT(P(ETH(C1, LB), VLAN(1), VLAN(2), FROM_C1, UDP(40000, DNS), DATA(3)),
		  P(ETH(LB, B1), VLAN(1), VLAN(2), TO_B1, UDP(40000, DNS), DATA(3)))),
	CASE("vlan: a priority tag (number 0) is kept", BOTH, services,
	     SENT(P(ETH(C1, LB), VLAN(0xe000), FROM_C1, UDP(40000, DNS), DATA(3)),
		  P(ETH(LB, B1), VLAN(0xe000), TO_B1, UDP(40000, DNS), DATA(3)))),
	CASE("vlan: three tags pass", BOTH, services,
	     KEPT(P(ETH(C1, LB), VLAN(1), VLAN(2), VLAN(3), FROM_C1, TCP(40000, HTTP, SYN)),
		  NOT_IP)),
	CASE("vlan: a padded frame", BOTH, services,
	     SENT(P(ETH(C1, LB), VLAN(5), FROM_C1, TCP(40000, HTTP, SYN), PAD(64)),
		  P(ETH(LB, B1), VLAN(5), TO_B1, TCP(40000, HTTP, SYN), PAD(64)))),
	CASE("vlan: something else in it passes", BOTH, services,
	     KEPT(P(ETH(C1, LB), VLAN(5), ARP), NOT_IP),
	     KEPT(P(ETH(C1, LB), VLAN(5), IP(C1, LB), TCP(40000, HTTP, SYN)), NO_SERVICE)),
	CASE("frame: padded to 60 bytes", BOTH, services,
	     SENT(P(ETH(C1, LB), FROM_C1, TCP(40000, HTTP, SYN), PAD(60)),
		  P(ETH(LB, B1), TO_B1, TCP(40000, HTTP, SYN), PAD(60))),
	     SENT(P(ETH(C1, LB), FROM_C1, UDP(40000, DNS), DATA(1), PAD(60)),
		  P(ETH(LB, B1), TO_B1, UDP(40000, DNS), DATA(1), PAD(60))),
	     SENT(P(ETH(B1, LB), IP(B1, VIP), UDP(DNS, 40000), DATA(2), PAD(60)),
		  P(ETH(LB, C1), IP(VIP, C1, .ttl = 63), UDP(DNS, 40000), DATA(2), PAD(60)))),
	CASE("frame: trailing bytes, odd and many", BOTH, services,
	     SENT(P(ETH(C1, LB), FROM_C1, TCP(40000, HTTP, SYN), DATA(7), TRAIL(1)),
		  P(ETH(LB, B1), TO_B1, TCP(40000, HTTP, SYN), DATA(7), TRAIL(1))),
	     SENT(P(ETH(C1, LB), FROM_C1, UDP(40000, DNS), DATA(7), TRAIL(999)),
		  P(ETH(LB, B1), TO_B1, UDP(40000, DNS), DATA(7), TRAIL(999)))),
};

static const struct test_case nobodys_cases[] = {
	CASE("other: ICMP echo to the VIP passes", BOTH, services,
	     NOBODYS(FROM_C1, ICMP(ECHO), DATA(56)), NOBODYS(FROM_C1, ICMP(ECHO), DATA(1)),
	     NOBODYS(FROM_C1, ICMP(ECHO_REPLY), DATA(56))),
	CASE("other: neighbour discovery passes", V6, services,
	     KEPT(P(ETH(C1, ALL_NODES), IP(C1, ALL_NODES, .ttl = 255), ICMP(SOLICITATION), DATA(24)),
		  NO_SERVICE),
	     NOBODYS(IP(C1, VIP, .ttl = 255), ICMP(SOLICITATION), DATA(24))),
	CASE("other: protocols to the VIP pass", BOTH, any_port_services,
	     NOBODYS(FROM_C1, OTHER(47, 60)), NOBODYS(FROM_C1, OTHER(50, 60)),
	     NOBODYS(FROM_C1, OTHER(132, 60)), NOBODYS(FROM_C1, OTHER(89, 60)),
	     NOBODYS(FROM_C1, OTHER(2, 8)), NOBODYS(FROM_C1, OTHER(255, 60))),
	CASE("other: tunnels to the VIP pass", BOTH, any_port_services,
	     NOBODYS(FROM_C1, IP4(C1, VIP), TCP(40000, HTTP, SYN)),
	     NOBODYS(FROM_C1, IP6(C1, VIP), TCP(40000, HTTP, SYN))),
	CASE("other: SSH to the balancer's own address passes", BOTH, any_port_services,
	     NOBODYS(IP(C1, LB), TCP(40000, 22, SYN)),
	     NOBODYS(IP(C1, LB), TCP(40000, 22, ACK), DATA(1460))),
	CASE("other: groups and broadcasts pass", BOTH, any_port_services,
	     KEPT(P(ETH(C1, ALL_NODES), IP(C1, ALL_NODES), UDP(5353, 5353), DATA(40)), NO_SERVICE)),
	CASE("other: a broken packet of no service passes", BOTH, services,
	     NOBODYS(IP(C1, LB), TCP(40000, HTTP, SYN, .header = 4)),
	     NOBODYS(IP(C1, LB), TCP(40000, HTTP, SYN, .header = 15)),
	     NOBODYS(IP(C1, LB, .length = 9999), TCP(40000, HTTP, SYN)),
	     NOBODYS(IP(C1, LB, .length = 1), TCP(40000, HTTP, SYN)),
	     NOBODYS(IP(C1, LB), UDP(40000, DNS, .length = 7)),
	     NOBODYS(IP(C1, VIP), TCP(40000, 81, SYN, .header = 4)),
	     NOBODYS(IP(C1, VIP, .length = 9999), TCP(40000, 81, SYN)),
	     NOBODYS(IP(C1, VIP, .ttl = 1), TCP(40000, 81, SYN)),
	     NOBODYS(IP(C1, VIP, .ttl = ZERO), UDP(40000, 81)), THEN(no_flow)),
	CASE("other: a bad header checksum, of no service, passes", V4, services,
	     NOBODYS(IP4(C1, LB, .add = 1), TCP(40000, HTTP, SYN)),
	     NOBODYS(IP4(C1, VIP, .add = 1), TCP(40000, 81, SYN))),
	CASE("other: a TTL of 1, of no service, passes", BOTH, services,
	     NOBODYS(IP(C1, LB, .ttl = 1), TCP(40000, HTTP, SYN)),
	     NOBODYS(IP(C1, LB, .ttl = ZERO), TCP(40000, HTTP, SYN))),
	CASE("mapped: an IPv6 packet to ::ffff:VIP is not one to the VIP", V4, services,
	     NOBODYS(IP6(C1, MAPPED_VIP), TCP(40000, HTTP, SYN)),
	     NOBODYS(IP6(MAPPED_C1, MAPPED_VIP), TCP(40000, HTTP, SYN)),
	     NOBODYS(IP6(MAPPED_C1, MAPPED_VIP), UDP(40000, DNS), DATA(9)), THEN(no_flow)),
	CASE("mapped: an IPv4 flow is not found by such a packet", V4, services,
	     SENT(P(ETH(C1, LB), IP4(C1, VIP), TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), IP4(VIP, B1, .ttl = 63), TCP(40000, HTTP, SYN))),
	     NOBODYS(IP6(MAPPED_C1, MAPPED_VIP), TCP(40000, HTTP, ACK))),
	CASE("mapped: a source of ::ffff:0:0/96 is malformed", V6, services,
	     BROKEN(IP6(MAPPED_C1, VIP), TCP(40000, HTTP, SYN)), THEN(no_flow)),
};

static const struct test_case lying_cases[] = {
	CASE("lie: IP version", BOTH, services,
	     NOBODYS(IP(C1, VIP, .version = 5), TCP(40000, HTTP, SYN), DATA(40)),
	     NOBODYS(IP(C1, VIP, .version = ZERO), TCP(40000, HTTP, SYN), DATA(40)),
	     NOBODYS(IP(C1, VIP, .version = 15), TCP(40000, HTTP, SYN), DATA(40)), THEN(no_flow)),
	CASE("lie: IPv4 header length under 20", V4, services,
	     NOBODYS(IP4(C1, VIP, .header = ZERO), TCP(40000, HTTP, SYN)),
	     NOBODYS(IP4(C1, VIP, .header = 4), TCP(40000, HTTP, SYN)), THEN(no_flow)),
	CASE("lie: IPv4 header longer than the frame", V4, services,
	     NOBODYS(IP4(C1, VIP, .header = 15), TCP(40000, HTTP, SYN)), THEN(no_flow)),
	CASE("lie: IPv4 header longer than the packet", V4, services,
	     NOBODYS(IP4(C1, VIP, .header = 15, .length = 50), TCP(40000, HTTP, SYN), DATA(60)),
	     THEN(no_flow)),
	CASE("lie: IP length beyond the frame", BOTH, services,
	     BROKEN(IP(C1, VIP, .length = 1500), TCP(40000, HTTP, SYN)),
	     BROKEN(IP(C1, VIP, .length = 0xffff), TCP(40000, HTTP, SYN)),
	     BROKEN(IP(C1, VIP, .length = 61), TCP(40000, HTTP, SYN)), THEN(no_flow)),
	CASE("lie: IPv4 length one byte beyond the frame", V4, services,
	     BROKEN(IP4(C1, VIP, .length = 41), TCP(40000, HTTP, SYN)), THEN(no_flow)),
	CASE("lie: IPv6 length one byte beyond the frame", V6, services,
	     BROKEN(IP6(C1, VIP, .length = 21), TCP(40000, HTTP, SYN)), THEN(no_flow)),
	CASE("lie: IPv4 length ends in the TCP header", V4, services,
	     BROKEN(IP4(C1, VIP, .length = 39), TCP(40000, HTTP, SYN)),
	     BROKEN(IP4(C1, VIP, .length = 24), TCP(40000, HTTP, SYN)), THEN(no_flow)),
	CASE("lie: IPv6 length ends in the TCP header", V6, services,
	     BROKEN(IP6(C1, VIP, .length = 19), TCP(40000, HTTP, SYN)),
	     BROKEN(IP6(C1, VIP, .length = 4), TCP(40000, HTTP, SYN)), THEN(no_flow)),
	CASE("lie: IPv4 length ends before the ports", V4, services,
	     NOBODYS(IP4(C1, VIP, .length = 23), TCP(40000, HTTP, SYN)),
	     NOBODYS(IP4(C1, VIP, .length = 20), TCP(40000, HTTP, SYN)),
	     NOBODYS(IP4(C1, VIP, .length = ZERO), TCP(40000, HTTP, SYN)), THEN(no_flow)),
	CASE("lie: IPv6 length ends before the ports", V6, services,
	     NOBODYS(IP6(C1, VIP, .length = 3), TCP(40000, HTTP, SYN)),
	     NOBODYS(IP6(C1, VIP, .length = ZERO), TCP(40000, HTTP, SYN)), THEN(no_flow)),
	CASE("lie: TCP header under 20 bytes", BOTH, services,
	     BROKEN(FROM_C1, TCP(40000, HTTP, SYN, .header = ZERO)),
	     BROKEN(FROM_C1, TCP(40000, HTTP, SYN, .header = 4)), THEN(no_flow)),
	CASE("lie: TCP header beyond the packet", BOTH, services,
	     BROKEN(FROM_C1, TCP(40000, HTTP, SYN, .header = 6)),
	     BROKEN(FROM_C1, TCP(40000, HTTP, SYN, .header = 15), DATA(39)),
	     BROKEN(FROM_C1, TCP(40000, HTTP, SYN, .header = 6), TRAIL(40)), THEN(no_flow)),
	CASE("lie: TCP header takes all of the packet is none", BOTH, services,
	     SENT(P(ETH(C1, LB), FROM_C1, TCP(40000, HTTP, SYN, .header = 15), DATA(40)),
		  P(ETH(LB, B1), TO_B1, TCP(40000, HTTP, SYN, .header = 15), DATA(40)))),
	CASE("lie: UDP length under 8", BOTH, services,
	     BROKEN(FROM_C1, UDP(40000, DNS, .length = 7)),
	     BROKEN(FROM_C1, UDP(40000, DNS, .length = ZERO), DATA(100)), THEN(no_flow)),
	CASE("lie: UDP length beyond the packet", BOTH, services,
	     BROKEN(FROM_C1, UDP(40000, DNS, .length = 9)),
	     BROKEN(FROM_C1, UDP(40000, DNS, .length = 0xffff), DATA(100)),
	     BROKEN(FROM_C1, UDP(40000, DNS, .length = 30), DATA(20), TRAIL(20)), THEN(no_flow)),
	CASE("lie: of a known flow, too", BOTH, services,
	     SENT(P(ETH(C1, LB), FROM_C1, TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), TO_B1, TCP(40000, HTTP, SYN))),
	     BROKEN(FROM_C1, TCP(40000, HTTP, ACK, .header = 4)),
	     BROKEN(IP(C1, VIP, .length = 3000), TCP(40000, HTTP, ACK)),
	     KEPT(P(ETH(B1, LB), IP(B1, VIP), TCP(HTTP, 40000, ACK, .header = 4)), MALFORMED),
	     KEPT(P(ETH(B1, LB), IP(B1, VIP, .length = 3000), TCP(HTTP, 40000, ACK)), MALFORMED)),
	CASE("lie: IPv4 header checksum", V4, services,
	     BROKEN(IP4(C1, VIP, .add = 1), TCP(40000, HTTP, SYN)),
	     BROKEN(IP4(C1, VIP, .add = 0x8000, .options = 12), UDP(40000, DNS), DATA(4)),
	     THEN(no_flow)),
	CASE("lie: IPv4 header checksum, of a known flow", V4, services,
	     SENT(P(ETH(C1, LB), FROM_C1, TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), TO_B1, TCP(40000, HTTP, SYN))),
	     BROKEN(IP4(C1, VIP, .add = 1), TCP(40000, HTTP, ACK)),
	     KEPT(P(ETH(B1, LB), IP4(B1, VIP, .add = 7), TCP(HTTP, 40000, ACK)), MALFORMED)),
	CASE("lie: UDP length shorter than the packet is none", BOTH, services,
	     SENT(P(ETH(C1, LB), FROM_C1, UDP(40000, DNS, .length = 12, .no_sum = true), DATA(20)),
		  P(ETH(LB, B1), TO_B1, UDP(40000, DNS, .length = 12, .no_sum = true), DATA(20)))),
};

static const struct test_case ttl_cases[] = {
	CASE("ttl: 2 is forwarded with 1", BOTH, services,
	     SENT(P(ETH(C1, LB), IP(C1, VIP, .ttl = 2), TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), IP(VIP, B1, .ttl = 1), TCP(40000, HTTP, SYN)))),
	CASE("ttl: 255 is forwarded with 254", BOTH, services,
	     SENT(P(ETH(C1, LB), IP(C1, VIP, .ttl = 255), TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), IP(VIP, B1, .ttl = 254), TCP(40000, HTTP, SYN)))),
	CASE("tos: DSCP and ECN, don't fragment and flow label are kept", BOTH, services,
	     SENT(P(ETH(C1, LB), IP(C1, VIP, .tos = 0xb9, .flow = 0xbeef5, .offset = 0x4000),
		    TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1),
		    IP(VIP, B1, .tos = 0xb9, .flow = 0xbeef5, .offset = 0x4000, .ttl = 63),
		    TCP(40000, HTTP, SYN)))),
	CASE("ip: a way that the sender has chosen (RFC 7126)", V4, services,
	     KEPT(P(ETH(C1, LB), IP(C1, VIP, .options = 8, .option = 131), TCP(40000, HTTP, SYN)),
		  SOURCE_ROUTE),
	     KEPT(P(ETH(C1, LB), IP(C1, VIP, .options = 40, .option = 137), UDP(40000, DNS)),
		  SOURCE_ROUTE),
	     NOBODYS(IP(C1, VIP, .options = 8, .option = 131), UDP(40000, 54)), THEN(no_flow)),
	CASE("ip: a way that is recorded only is no such", V4, services,
	     SENT(P(ETH(C1, LB), IP(C1, VIP, .options = 8, .option = 7), TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), IP(VIP, B1, .ttl = 63, .options = 8, .option = 7),
		    TCP(40000, HTTP, SYN)))),
	CASE("ip: the evil bit (RFC 3514) is kept", V4, services,
	     SENT(P(ETH(C1, LB), IP(C1, VIP, .offset = 0x8000), TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), IP(VIP, B1, .offset = 0x8000, .ttl = 63), TCP(40000, HTTP, SYN)))),
	CASE("ip: identification 0 and 0xffff", V4, services,
	     SENT(P(ETH(C1, LB), IP(C1, VIP, .id = ZERO), TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), IP(VIP, B1, .id = ZERO, .ttl = 63), TCP(40000, HTTP, SYN))),
	     SENT(P(ETH(C1, LB), IP(C1, VIP, .id = 0xffff), TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), IP(VIP, B1, .id = 0xffff, .ttl = 63), TCP(40000, HTTP, SYN)))),
};

#define OPTIONS(n) EXTENSION(DESTINATION, .options = n)

static const struct test_case extension_cases[] = {
	CASE("ipv6: hop-by-hop options", V6, services,
	     SENT(P(ETH(C1, LB), FROM_C1, EXTENSION(HOP_BY_HOP), TCP(40000, HTTP, SYN), DATA(3)),
		  P(ETH(LB, B1), TO_B1, EXTENSION(HOP_BY_HOP), TCP(40000, HTTP, SYN), DATA(3)))),
	CASE("ipv6: hop-by-hop options that are not first (RFC 8200, section 4)", V6, services,
	     BROKEN(FROM_C1, OPTIONS(0), EXTENSION(HOP_BY_HOP), TCP(40000, HTTP, SYN)),
	     BROKEN(FROM_C1, EXTENSION(HOP_BY_HOP), EXTENSION(HOP_BY_HOP), UDP(40000, DNS)),
	     THEN(no_flow)),
	CASE("ipv6: a UDP checksum of zero stays, in one flow (RFC 6936, section 5)", V6, services,
	     SENT(P(ETH(C1, LB), FROM_C1, UDP(40000, DNS, .no_sum = true), DATA(3)),
		  P(ETH(LB, B1), TO_B1, UDP(40000, DNS, .no_sum = true), DATA(3))),
	     SENT(P(ETH(C1, LB), FROM_C1, UDP(40000, DNS), DATA(3)),
		  P(ETH(LB, B1), TO_B1, UDP(40000, DNS), DATA(3))),
	     SENT(P(ETH(B1, LB), IP(B1, VIP), UDP(DNS, 40000, .no_sum = true), DATA(3)),
		  P(ETH(LB, C1), IP(VIP, C1, .ttl = 63), UDP(DNS, 40000, .no_sum = true), DATA(3))),
	     THEN(one_flow)),
	CASE("ipv6: destination options, of several lengths", V6, services,
	     SENT(P(ETH(C1, LB), FROM_C1, OPTIONS(0), UDP(40000, DNS), DATA(3)),
		  P(ETH(LB, B1), TO_B1, OPTIONS(0), UDP(40000, DNS), DATA(3))),
	     SENT(P(ETH(C1, LB), FROM_C1, OPTIONS(5), UDP(40000, DNS), DATA(3)),
		  P(ETH(LB, B1), TO_B1, OPTIONS(5), UDP(40000, DNS), DATA(3))),
	     SENT(P(ETH(C1, LB), FROM_C1, OPTIONS(60), UDP(40000, DNS), DATA(3)),
		  P(ETH(LB, B1), TO_B1, OPTIONS(60), UDP(40000, DNS), DATA(3)))),
	CASE("ipv6: a routing header with nothing left", V6, services,
	     SENT(P(ETH(C1, LB), FROM_C1, EXTENSION(ROUTING, .options = 2, .offset = 0x0400),
		    TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), TO_B1, EXTENSION(ROUTING, .options = 2, .offset = 0x0400),
		    TCP(40000, HTTP, SYN)))),
	CASE("ipv6: a routing header with segments left passes", V6, services,
	     NOBODYS(FROM_C1, EXTENSION(ROUTING, .options = 2, .offset = 0x0401),
		     TCP(40000, HTTP, SYN)),
	     THEN(no_flow)),
	CASE("ipv6: a fragment header of a whole packet", V6, services,
	     SENT(P(ETH(C1, LB), FROM_C1, EXTENSION(FRAGMENTED, .id = 77), UDP(40000, DNS), DATA(3)),
		  P(ETH(LB, B1), TO_B1, EXTENSION(FRAGMENTED, .id = 77), UDP(40000, DNS), DATA(3)))),
	CASE("ipv6: all of them in a row, both ways", V6, services,
	     SENT(P(ETH(C1, LB), FROM_C1, EXTENSION(HOP_BY_HOP), OPTIONS(1),
		    EXTENSION(ROUTING, .offset = 0x0400), EXTENSION(FRAGMENTED), OPTIONS(2),
		    TCP(40000, HTTP, SYN), DATA(77)),
		  P(ETH(LB, B1), TO_B1, EXTENSION(HOP_BY_HOP), OPTIONS(1),
		    EXTENSION(ROUTING, .offset = 0x0400), EXTENSION(FRAGMENTED), OPTIONS(2),
		    TCP(40000, HTTP, SYN), DATA(77))),
	     SENT(P(ETH(B1, LB), IP(B1, VIP), EXTENSION(HOP_BY_HOP), OPTIONS(3),
		    TCP(HTTP, 40000, SYN | ACK), DATA(76)),
		  P(ETH(LB, C1), IP(VIP, C1, .ttl = 63), EXTENSION(HOP_BY_HOP), OPTIONS(3),
		    TCP(HTTP, 40000, SYN | ACK), DATA(76)))),
	CASE("ipv6: six extension headers", V6, services,
	     SENT(P(ETH(C1, LB), FROM_C1, OPTIONS(0), OPTIONS(0), OPTIONS(0), OPTIONS(0),
		    OPTIONS(0), OPTIONS(0), TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), TO_B1, OPTIONS(0), OPTIONS(0), OPTIONS(0), OPTIONS(0), OPTIONS(0),
		    OPTIONS(0), TCP(40000, HTTP, SYN)))),
	CASE("ipv6: seven extension headers are too many", V6, services,
	     KEPT(P(ETH(C1, LB), FROM_C1, OPTIONS(0), OPTIONS(0), OPTIONS(0), OPTIONS(0),
		    OPTIONS(0), OPTIONS(0), OPTIONS(0), TCP(40000, HTTP, SYN)),
		  TOO_MANY_HEADERS),
	     THEN(no_flow)),
	CASE("ipv6: an extension header beyond the packet passes", V6, services,
	     NOBODYS(FROM_C1, EXTENSION(DESTINATION, .header = 200), TCP(40000, HTTP, SYN)),
	     NOBODYS(IP(C1, VIP, .length = 7), OPTIONS(0), TCP(40000, HTTP, SYN)),
	     NOBODYS(FROM_C1, EXTENSION(DESTINATION, .header = 2), TCP(40000, HTTP, SYN)),
	     THEN(no_flow)),
	CASE("ipv6: no next header, authentication, encryption pass", V6, any_port_services,
	     NOBODYS(FROM_C1, OTHER(59, 40)), NOBODYS(FROM_C1, OTHER(AUTHENTICATION, 40)),
	     NOBODYS(FROM_C1, OPTIONS(0), OTHER(50, 40))),
	CASE("ipv6: extension headers in IPv4 pass", V4, any_port_services,
	     NOBODYS(FROM_C1, OTHER(0, 60)), NOBODYS(FROM_C1, OTHER(43, 60)),
	     NOBODYS(FROM_C1, OTHER(44, 60)), NOBODYS(FROM_C1, OTHER(60, 60))),
	CASE("ipv6: a jumbogram passes", V6, services,
	     NOBODYS(IP(C1, VIP, .length = ZERO), EXTENSION(HOP_BY_HOP), UDP(40000, DNS))),
};

/* Loops */

static void every_ip_option_length(void)
{
	for (int options = 0; options <= 40 && passed_so_far(); options += 4) {
		TAKE(SENT(P(ETH(C1, LB), IP4(C1, VIP, .options = options), TCP(40000, HTTP, SYN),
			    DATA(9)),
			  P(ETH(LB, B1), IP4(VIP, B1, .options = options, .ttl = 63),
			    TCP(40000, HTTP, SYN), DATA(9))));
		TAKE(SENT(P(ETH(B1, LB), IP4(B1, VIP, .options = options),
			    TCP(HTTP, 40000, SYN | ACK), DATA(8)),
			  P(ETH(LB, C1), IP4(VIP, C1, .options = options, .ttl = 63),
			    TCP(HTTP, 40000, SYN | ACK), DATA(8))));
		TAKE(SENT(P(ETH(C1, LB), IP4(C1, VIP, .options = options), UDP(40000, DNS),
			    DATA(7)),
			  P(ETH(LB, B1), IP4(VIP, B1, .options = options, .ttl = 63),
			    UDP(40000, DNS), DATA(7))));
	}
}

static void every_tcp_option_length(void)
{
	for (int options = 0; options <= 40 && passed_so_far(); options += 4)
		TAKE(SENT(P(ETH(C1, LB), FROM_C1, TCP(40000, HTTP, SYN, .options = options)),
			  P(ETH(LB, B1), TO_B1, TCP(40000, HTTP, SYN, .options = options))));
}

static void every_protocol(void)
{
	for (int protocol = 1; protocol < 256 && passed_so_far(); protocol++) {
		bool extension = family == 6 && (protocol == ROUTING || protocol == FRAGMENTED ||
						 protocol == DESTINATION);
		bool icmp = protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;

		if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || extension || icmp)
			continue;
		TAKE(NOBODYS(FROM_C1, OTHER(protocol, 64)));
	}
}

static void every_ethertype(void)
{
	for (int type = 1; type < 0x10000 && passed_so_far(); type += 3 * stride()) {
		if (type == 0x0800 || type == 0x86dd || type == 0x8100 || type == 0x88a8)
			continue;
		TAKE(KEPT(P(ETH_TYPE(C1, LB, type), FROM_C1, TCP(40000, HTTP, SYN)), NOT_IP));
	}
}

static const struct test_case loop_cases[] = {
	CASE("ipv4: options of every length", V4, services, DO(every_ip_option_length)),
	CASE("tcp: options of every length", BOTH, services, DO(every_tcp_option_length)),
	CASE("other: every other protocol passes", BOTH, any_port_services, DO(every_protocol)),
	CASE("ethernet: every third other EtherType passes", V4, services, DO(every_ethertype)),
};

/*
 * Every header cut off at every offset: a packet of which so many bytes are there does not show a
 * port, and passes; from there on it is the service's, and malformed.
 */
static void cut_everywhere(const struct layer *packet, size_t not_ip, size_t ports)
{
	static uint8_t frame[MAX_FRAME];
	size_t whole = build(packet, frame, NULL, 0);

	for (size_t length = 14; length < whole && passed_so_far(); length++) {
		struct step step = { .in = P(BYTES(frame, length)), .verdict = VERDICT_MALFORMED };

		if (length < not_ip)
			step.verdict = VERDICT_NOT_IP;
		else if (length < ports)
			step.verdict = VERDICT_NO_SERVICE;
		take(&step);
		check(passed_so_far(), "cut to %zu of %zu bytes", length, whole);
	}
}

static size_t header(void)
{
	return family == 4 ? 20 : 40;
}

static void cut_tcp(void)
{
	cut_everywhere(P(ETH(C1, LB), FROM_C1, TCP(40000, HTTP, SYN, .options = 20), DATA(9)), 0,
		       14 + header() + 4);
}

static void cut_udp(void)
{
	cut_everywhere(P(ETH(C1, LB), FROM_C1, UDP(40000, DNS), DATA(9)), 0, 14 + header() + 4);
}

static void cut_options(void)
{
	cut_everywhere(P(ETH(C1, LB), IP4(C1, VIP, .options = 40), TCP(40000, HTTP, SYN)), 0,
		       14 + 60 + 4);
}

static void cut_vlan(void)
{
	cut_everywhere(P(ETH(C1, LB), VLAN(7), FROM_C1, TCP(40000, HTTP, SYN)), 18,
		       18 + header() + 4);
}

static void cut_qinq(void)
{
	cut_everywhere(P(ETH(C1, LB), VLAN(7, .protocol = 0x88a8), VLAN(8), FROM_C1,
			 UDP(40000, DNS)),
		       22, 22 + header() + 4);
}

static void cut_extensions(void)
{
	cut_everywhere(P(ETH(C1, LB), FROM_C1, EXTENSION(HOP_BY_HOP), OPTIONS(2),
			 EXTENSION(ROUTING, .offset = 0x0400), EXTENSION(FRAGMENTED),
			 TCP(40000, HTTP, SYN), DATA(5)),
		       0, 14 + 40 + 8 + 24 + 8 + 8 + 4);
}

/* Cut in the same way, but with headers that say so: the packet is as short as its frame. */
static void short_packets(void)
{
	for (int length = 0; length < 40 && passed_so_far(); length++) {
		int payload = family == 4 ? length + 20 : length;
		int verdict = length < 4 ? VERDICT_NO_SERVICE : VERDICT_MALFORMED;
		struct step step = { P(ETH(C1, LB), IP(C1, VIP, .length = payload ? payload : ZERO),
				       TCP(40000, HTTP, SYN, .header = 10), DATA(40),
				       SNAP(14 + (int)header() + length)),
				     verdict, NULL, NULL };

		take(&step);
		check(passed_so_far(), "%d bytes of TCP", length);
	}
}

static void short_datagrams(void)
{
	for (int length = 0; length < 8 && passed_so_far(); length++) {
		int payload = family == 4 ? length + 20 : length;
		int verdict = length < 4 ? VERDICT_NO_SERVICE : VERDICT_MALFORMED;
		struct step step = { P(ETH(C1, LB), IP(C1, VIP, .length = payload ? payload : ZERO),
				       UDP(40000, DNS), SNAP(14 + (int)header() + length)),
				     verdict, NULL, NULL };

		take(&step);
		check(passed_so_far(), "%d bytes of UDP", length);
	}
}

static void cut_of_no_service(void)
{
	static uint8_t frame[MAX_FRAME];
	size_t whole = build(P(ETH(C1, LB), IP(C1, LB), TCP(40000, HTTP, SYN), DATA(4)), frame,
			     NULL, 0);

	for (size_t length = 14; length < whole && passed_so_far(); length++)
		TAKE(KEPT(P(BYTES(frame, length)), NO_SERVICE));
}

static const struct test_case cut_cases[] = {
	CASE("cut: TCP with options and data, at every offset", BOTH, services, DO(cut_tcp)),
	CASE("cut: UDP, at every offset", BOTH, services, DO(cut_udp)),
	CASE("cut: IPv4 options, at every offset", V4, services, DO(cut_options)),
	CASE("cut: VLAN tag, at every offset", BOTH, services, DO(cut_vlan)),
	CASE("cut: two VLAN tags, at every offset", BOTH, services, DO(cut_qinq)),
	CASE("cut: IPv6 extension headers, at every offset", V6, services, DO(cut_extensions)),
	CASE("cut: short TCP packets of every length", BOTH, services, DO(short_packets)),
	CASE("cut: short UDP packets of every length", BOTH, services, DO(short_datagrams)),
	CASE("cut: a packet of no service, at every offset", BOTH, services, DO(cut_of_no_service)),
};

int main(int argc, char **argv)
{
	open_kernel(argc, argv);
	RUN(layer2_cases);
	RUN(nobodys_cases);
	RUN(lying_cases);
	RUN(ttl_cases);
	RUN(extension_cases);
	RUN(loop_cases);
	RUN(cut_cases);
	return finish_cases();
}
