// SPDX-License-Identifier: GPL-2.0
/*
 * Modes dsr (the frame to the backend's MAC) and ipip (the packet in a tunnel), slots in
 * transition, and which backend is picked. Only clients' packets pass the balancer:
 *
 * C1 ── LB (VIP) ── B1 … B7,    B1 … B7 ── C1
 */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xxhash.h>

#include "cases.h"

#define HTTP 80
#define DNS 53

/* Set-ups */

static void dsr(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_DSR, B1);
	SERVICE(VIP, DNS, IPPROTO_UDP, MODE_DSR, B1);
}

static void ipip(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_IPIP, B1);
	SERVICE(VIP, DNS, IPPROTO_UDP, MODE_IPIP, B1);
	set_tunnel_source(slot_hash(C1, 40000, HTTP));
}

static void udp_source(void)
{
	set_tunnel_source(slot_hash(C1, 40000, DNS));
}

/* The backend is of the other family. */
static void ipip_other_family(void)
{
	struct address other;

	ipip();
	family = 10 - family;
	other = address_of(B1);
	family = 10 - family;
	backend_of(1, B1)->address = other;
}

static void narrow(void)
{
	dsr();
	backend_of(1, B1)->mtu[0] = 1280;
	backend_of(2, B1)->mtu[0] = 1280;
}

static void wide_tunnel(void)
{
	ipip();
	backend_of(1, B1)->mtu[0] = 1500;
	backend_of(2, B1)->mtu[0] = 1500;
}

static void no_owner(void)
{
	set_owner(1, 0, 0);
}

static void not_resolved(void)
{
	memset(backend_of(1, B1)->hop[0].mac, 0, 6);
}

static void other_device(void)
{
	backend_of(1, B1)->hop[0].ifindex = 7;
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

#define DIRECT(...) SENT(P(ETH(C1, LB), __VA_ARGS__), P(ETH(LB, B1), __VA_ARGS__))

/* An answer of the balancer. */
#define ANSWER ETH(LB, C1), IP(VIP, C1, .id = ZERO, .offset = 0x4000)

static const struct test_case dsr_cases[] = {
	CASE("dsr: only the MACs change", BOTH, dsr, DIRECT(IP(C1, VIP), TCP(40000, HTTP, SYN)),
	     DIRECT(IP(C1, VIP), TCP(40000, HTTP, ACK), DATA(1400)),
	     DIRECT(IP(C1, VIP), TCP(40000, HTTP, FIN | ACK)),
	     DIRECT(IP(C1, VIP), TCP(40000, HTTP, RST)), THEN(one_flow_counted)),
	CASE("dsr: udp, with and without checksum", BOTH, dsr,
	     DIRECT(IP(C1, VIP), UDP(40000, DNS), DATA(33)),
	     DIRECT(IP(C1, VIP), UDP(40000, DNS, .no_sum = true), DATA(33)), THEN(stateless)),
	CASE("dsr: a TTL of 1 stays", BOTH, dsr, DIRECT(IP(C1, VIP, .ttl = 1), UDP(40000, DNS))),
	CASE("dsr: any TCP packet of an unknown flow", BOTH, dsr,
	     DIRECT(IP(C1, VIP), TCP(40001, HTTP, ACK), DATA(7)),
	     DIRECT(IP(C1, VIP), TCP(40001, HTTP, 0)),
	     DIRECT(IP(C1, VIP), TCP(40001, HTTP, SYN | FIN)), THEN(stateless)),
	CASE("dsr: VLAN, padding, trailing bytes", BOTH, dsr,
	     SENT(P(ETH(C1, LB), VLAN(5), IP(C1, VIP), TCP(40000, HTTP, SYN), TRAIL(7)),
		  P(ETH(LB, B1), VLAN(5), IP(C1, VIP), TCP(40000, HTTP, SYN), TRAIL(7))),
	     DIRECT(IP(C1, VIP), UDP(40000, DNS), PAD(60))),
	CASE("dsr: IPv4 options", V4, dsr,
	     DIRECT(IP(C1, VIP, .options = 40), TCP(40000, HTTP, SYN))),
	CASE("dsr: extension headers", V6, dsr,
	     DIRECT(IP(C1, VIP), EXTENSION(0), EXTENSION(60), TCP(40000, HTTP, SYN))),
	CASE("dsr: checksums that are wrong are the backend's business", BOTH, dsr,
	     DIRECT(IP(C1, VIP), TCP(40000, HTTP, SYN, .add = 5))),
	CASE("dsr: headers that lie are dropped", BOTH, dsr,
	     KEPT(P(FROM(C1), TCP(40000, HTTP, SYN, .header = 4)), MALFORMED),
	     KEPT(P(ETH(C1, LB), IP(C1, VIP, .length = 999), TCP(40000, HTTP, SYN)), MALFORMED)),
	CASE("dsr: another device", BOTH, dsr, DO(other_device),
	     REDIRECTED_TO(P(FROM(C1), TCP(40000, HTTP, SYN)),
			   P(ETH(LB, B1), IP(C1, VIP), TCP(40000, HTTP, SYN)))),
	CASE("dsr: no backend", BOTH, dsr, DO(no_owner),
	     KEPT(P(FROM(C1), TCP(40000, HTTP, SYN)), NO_BACKEND),
	     KEPT(P(FROM(C1), TCP(40000, HTTP, ACK)), NO_BACKEND)),
	CASE("dsr: backend not resolved", BOTH, dsr, DO(not_resolved),
	     KEPT(P(FROM(C1), TCP(40000, HTTP, SYN)), NO_NEIGHBOUR)),
	CASE("dsr: not the service's packets pass", BOTH, dsr,
	     KEPT(P(FROM(C1), TCP(40000, 81, SYN)), NO_SERVICE),
	     KEPT(P(FROM(C1), UDP(40000, HTTP)), NO_SERVICE),
	     KEPT(P(FROM(C1), ICMP(ECHO), DATA(8)), NO_SERVICE)),
	CASE("dsr: an error about an answer goes to the flow's backend", BOTH, dsr,
	     DIRECT(IP(ROUTER, VIP), ICMP(TOO_BIG, .value = 1280), IP(VIP, C1),
		    TCP(HTTP, 40000, ACK), DATA(900), CUT(500)),
	     DIRECT(IP(C1, VIP), ICMP(UNREACHABLE), IP(VIP, C1), UDP(DNS, 40000), DATA(900),
		    CUT(61)),
	     THEN(stateless)),
	CASE("dsr: an error about nothing of the service's passes", BOTH, dsr,
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, VIP), ICMP(UNREACHABLE), IP(VIP, C1),
		    TCP(81, 40000, ACK)),
		  NO_FLOW),
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, VIP), ICMP(UNREACHABLE), IP(C1, VIP),
		    TCP(HTTP, 40000, ACK)),
		  NO_SERVICE)),
	CASE("dsr: an error that is too big is never answered with an error", BOTH, narrow,
	     KEPT(P(ETH(ROUTER, LB), IP(ROUTER, VIP), ICMP(UNREACHABLE), IP(VIP, C1),
		    TCP(HTTP, 40000, ACK), DATA(1400)),
		  TOO_BIG)),
	CASE("dsr: too big for the way to the backend is answered", BOTH, narrow,
	     DIRECT(IP(C1, VIP, .offset = 0x4000), UDP(40000, DNS), DATA(1232)),
	     ANSWERED(P(ETH(C1, LB), IP(C1, VIP, .offset = 0x4000), UDP(40000, DNS), DATA(1253)),
		      TOO_BIG,
		      P(ANSWER, ICMP(TOO_BIG, .value = 1280), IP(C1, VIP, .offset = 0x4000),
			UDP(40000, DNS), DATA(1253), CUT(128)))),
};

/* The outer header: of the backend's family. */
#define OUTER(...) IP(TUNNEL, B1, .id = ZERO, .offset = 0x4000, ##__VA_ARGS__)
#define OUTER4 IP4(TUNNEL, B1, .id = ZERO, .offset = 0x4000)
#define OUTER6 IP6(TUNNEL, B1)

static const struct test_case ipip_cases[] = {
	CASE("ipip: tcp in the tunnel", BOTH, ipip,
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN, .options = 20)),
		  P(ETH(LB, B1), OUTER(), IP(C1, VIP, .ttl = 63),
		    TCP(40000, HTTP, SYN, .options = 20))),
	     SENT(P(FROM(C1), TCP(40000, HTTP, ACK), DATA(1001)),
		  P(ETH(LB, B1), OUTER(), IP(C1, VIP, .ttl = 63), TCP(40000, HTTP, ACK),
		    DATA(1001))),
	     THEN(one_flow_counted)),
	CASE("ipip: udp in the tunnel", BOTH, ipip, DO(udp_source),
	     SENT(P(FROM(C1), UDP(40000, DNS), DATA(3)),
		  P(ETH(LB, B1), OUTER(), IP(C1, VIP, .ttl = 63), UDP(40000, DNS), DATA(3))),
	     SENT(P(FROM(C1), UDP(40000, DNS, .no_sum = true), DATA(3)),
		  P(ETH(LB, B1), OUTER(), IP(C1, VIP, .ttl = 63), UDP(40000, DNS, .no_sum = true),
		    DATA(3))),
	     THEN(stateless)),
	CASE("ipip: IPv4 in IPv6", V4, ipip_other_family,
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), OUTER6, IP(C1, VIP, .ttl = 63), TCP(40000, HTTP, SYN)))),
	CASE("ipip: IPv6 in IPv4", V6, ipip_other_family,
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), OUTER4, IP(C1, VIP, .ttl = 63), TCP(40000, HTTP, SYN)))),
	CASE("ipip: in one VLAN and in two", BOTH, ipip,
	     SENT(P(ETH(C1, LB), VLAN(5), IP(C1, VIP), TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), VLAN(5), OUTER(), IP(C1, VIP, .ttl = 63), TCP(40000, HTTP, SYN))),
	     SENT(P(ETH(C1, LB), VLAN(5, .protocol = 0x88a8), VLAN(6), IP(C1, VIP),
		    TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), VLAN(5, .protocol = 0x88a8), VLAN(6), OUTER(),
		    IP(C1, VIP, .ttl = 63), TCP(40000, HTTP, SYN)))),
	CASE("ipip: the EtherType in a VLAN is the outer packet's", V4, ipip_other_family,
	     SENT(P(ETH(C1, LB), VLAN(5), IP(C1, VIP), TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), VLAN(5), OUTER6, IP(C1, VIP, .ttl = 63), TCP(40000, HTTP, SYN)))),
	CASE("ipip: DSCP and ECN are copied", BOTH, ipip,
	     SENT(P(ETH(C1, LB), IP(C1, VIP, .tos = 0xba), TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), OUTER(.tos = 0xba), IP(C1, VIP, .tos = 0xba, .ttl = 63),
		    TCP(40000, HTTP, SYN)))),
	CASE("ipip: IPv4 options inside", V4, ipip,
	     SENT(P(ETH(C1, LB), IP(C1, VIP, .options = 20), TCP(40000, HTTP, SYN)),
		  P(ETH(LB, B1), OUTER(), IP(C1, VIP, .options = 20, .ttl = 63),
		    TCP(40000, HTTP, SYN)))),
	CASE("ipip: a padded frame keeps its padding behind the packet", BOTH, ipip,
	     SENT(P(FROM(C1), TCP(40000, HTTP, SYN), TRAIL(6)),
		  P(ETH(LB, B1), OUTER(), IP(C1, VIP, .ttl = 63), TCP(40000, HTTP, SYN), TRAIL(6)))),
	CASE("ipip: a TTL of 1 is answered", BOTH, ipip,
	     ANSWERED(P(ETH(C1, LB), IP(C1, VIP, .ttl = 1), TCP(40000, HTTP, SYN)), TTL,
		      P(ANSWER, ICMP(TIME_EXCEEDED), IP(C1, VIP, .ttl = 1), TCP(40000, HTTP, SYN)))),
	CASE("ipip: an error about an answer goes to the flow's backend", BOTH, ipip,
	     SENT(P(ETH(ROUTER, LB), IP(ROUTER, VIP), ICMP(TOO_BIG, .value = 1280), IP(VIP, C1),
		    TCP(HTTP, 40000, ACK), DATA(900), CUT(500)),
		  P(ETH(LB, B1), OUTER(), IP(ROUTER, VIP, .ttl = 63), ICMP(TOO_BIG, .value = 1280),
		    IP(VIP, C1), TCP(HTTP, 40000, ACK), DATA(900), CUT(500))),
	     THEN(stateless)),
	CASE("ipip: another device", BOTH, ipip, DO(other_device),
	     REDIRECTED_TO(P(FROM(C1), TCP(40000, HTTP, SYN)),
			   P(ETH(LB, B1), OUTER(), IP(C1, VIP, .ttl = 63), TCP(40000, HTTP, SYN)))),
	CASE("ipip: headers that lie are dropped", BOTH, ipip,
	     KEPT(P(FROM(C1), TCP(40000, HTTP, SYN, .header = 4)), MALFORMED),
	     KEPT(P(ETH(C1, LB), IP(C1, VIP, .length = 999), TCP(40000, HTTP, SYN)), MALFORMED)),
	CASE("ipip: too big for the tunnel over IPv4 is answered", V4, wide_tunnel,
	     SENT(P(ETH(C1, LB), IP(C1, VIP, .offset = 0x4000), TCP(40000, HTTP, ACK), DATA(1440)),
		  P(ETH(LB, B1), OUTER(), IP(C1, VIP, .ttl = 63, .offset = 0x4000),
		    TCP(40000, HTTP, ACK), DATA(1440))),
	     ANSWERED(P(ETH(C1, LB), IP(C1, VIP, .offset = 0x4000), TCP(40000, HTTP, ACK),
			DATA(1441)),
		      TOO_BIG,
		      P(ANSWER, ICMP(TOO_BIG, .value = 1480), IP(C1, VIP, .offset = 0x4000),
			TCP(40000, HTTP, ACK), DATA(1441), CUT(128)))),
	CASE("ipip: too big for the tunnel over IPv6 is answered", V6, wide_tunnel,
	     SENT(P(FROM(C1), TCP(40000, HTTP, ACK), DATA(1400)),
		  P(ETH(LB, B1), OUTER(), IP(C1, VIP, .ttl = 63), TCP(40000, HTTP, ACK),
		    DATA(1400))),
	     ANSWERED(P(FROM(C1), TCP(40000, HTTP, ACK), DATA(1401)), TOO_BIG,
		      P(ANSWER, ICMP(TOO_BIG, .value = 1460), IP(C1, VIP), TCP(40000, HTTP, ACK),
			DATA(1401), CUT(128)))),
};

/* Slots in transition: from B1 to B2. */

#define DIRECT_TO(backend, ...) SENT(P(ETH(C1, LB), __VA_ARGS__), P(ETH(LB, backend), __VA_ARGS__))
#define TCP_TO(backend, port, flags) DIRECT_TO(backend, IP(C1, VIP), TCP(port, HTTP, flags))
#define UDP_TO(backend, port) DIRECT_TO(backend, IP(C1, VIP), UDP(port, DNS), DATA(9))

static void service_changed(struct service *service)
{
	service->changed = tick_now();
}

static void moving(int service)
{
	set_owner(service, 0, backend_number(service, B2));
	set_former(service, 0, backend_number(service, B1), tick_now());
	change_service(service, service_changed);
}

static void in_transition(void)
{
	dsr();
	moving(1);
	moving(2);
}

static void settles(struct service *service)
{
	service->settle = 60;
	service->changed = tick_now();
}

static void in_settling(void)
{
	in_transition();
	change_service(1, settles);
	change_service(2, settles);
}

static void to_b3(void)
{
	set_owner(1, 0, backend_number(1, B3));
}

static void back_to_b1(void)
{
	set_owner(1, 0, backend_number(1, B1));
}

static void after_899s(void)
{
	age_slots(899);
}

static void after_901s(void)
{
	age_slots(901);
}

/* Ages at which a count of milliseconds in 32 bits looked like the future, and wrapped. */
#define DAY 86400

static void after_27_days(void)
{
	age_slots(27 * DAY);
}

static void after_51_days(void)
{
	age_slots(51 * DAY);
}

static void after_9_years(void)
{
	age_slots(9 * 365 * DAY);
}

/* As if a later version had written the table of services. */
static void mode_of_tomorrow(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODES, B1);
	SERVICE(VIP, DNS, IPPROTO_UDP, MODES, B1);
}

static int user_fd; /* of the program's socket; 0: there is none */

/* To a program. A socket that is closed leaves its place. */
static void user(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_USER, B1);
	SERVICE(VIP, DNS, IPPROTO_UDP, MODE_USER, B1);
	if (user_fd)
		close(user_fd);
	user_fd = 0;
}

/* One that has a socket in the place of this device and queue. */
static void user_socket(void)
{
	const uint32_t place = IFINDEX_LO * USER_QUEUES;

	user();
	user_fd = socket(AF_XDP, SOCK_RAW, 0);
	map_update(MAP_SOCKETS, &place, &user_fd);
}

/* On a host whose address and MACs are known. */
static void user_of_host(void)
{
	user_socket();
	own_host(LB);
	own_mac(IFINDEX_LO, LB);
	own_mac(IFINDEX_LO, NOBODY);
	config()->knows_macs = 1;
}

static void user_denied(void)
{
	user_socket();
	deny(C1, 24);
}

static void dry_mode_of_tomorrow(void)
{
	uint8_t frame[MAX_FRAME];
	size_t length = build(P(ETH(C1, LB), IP(C1, VIP), TCP(40000, HTTP, SYN)), frame, NULL, 0);
	struct outcome outcome;

	CHECK_EQUAL(dry_run(frame, length, &outcome).verdict, VERDICT_INTERNAL);
}

static void after_59s(void)
{
	age_slots(59);
}

static void after_61s(void)
{
	age_slots(61);
}

static void long_changed(struct service *service)
{
	service->changed = tick_now() - TICKS_OF(301);
}

static void udp_is_past(void)
{
	change_service(2, long_changed);
}

static void b1_goes_down(void)
{
	backend_of(1, B1)->generation++;
	set_former(1, 0, 0, 0);
}

static void b2_goes_down(void)
{
	backend_of(1, B2)->generation++;
	set_owner(1, 0, backend_number(1, B3));
}

static void one_remembered(void)
{
	CHECK_EQUAL(count_flows(), 1);
}

/* ACKs that anybody may send keep the former backend needed, but the slot moved a day ago. */
static void a_day_of_acks(void)
{
	transition_at(1, 0)->began = unit_of(tick_now() - TICKS_OF(DAY));
}

static void unlimited(struct service *service)
{
	service->settle = SETTLE_UNLIMITED;
}

static void never_settles(void)
{
	in_transition();
	change_service(1, unlimited);
}

/* All records of the bucket that C1's flow from port 40000 would be in are of living flows. */
static void fill_bucket(void)
{
	uint32_t hash = hash_of_flow(C1, 40000, HTTP);
	struct flow *flow = map_memory(MAP_FLOWS);

	flow += (hash >> FLOW_WAY_BITS & (FLOW_BUCKETS - 1)) * FLOW_WAYS;
	/* The bucket is not empty, so that the next case clears it. */
	((struct flow_bucket *)map_memory(MAP_BUCKETS))[hash >> FLOW_WAY_BITS & (FLOW_BUCKETS - 1)]
		.half[0]
		.tag[0] = 1;
	for (int i = 0; i < FLOW_WAYS; i++)
		flow[i] = (struct flow){
			.cookie = 1,
			.seen = tick_now(),
			.client = { .peer = address_of(C3), .protocol = IPPROTO_TCP },
			.backend = backend_number(1, B1),
			.generation = backend_of(1, B1)->generation,
			.state = FLOW_ESTABLISHED,
		};
}

/* All records there are. */
static void fill_table(void)
{
	struct flow *flow = map_memory(MAP_FLOWS), *full;
	struct flow_bucket *buckets = map_memory(MAP_BUCKETS);

	fill_bucket();
	full = &flow[(hash_of_flow(C1, 40000, HTTP) & (FLOWS - 1)) / FLOW_WAYS * FLOW_WAYS];
	for (int i = 0; i < FLOWS; i++) {
		flow[i] = *full;
		buckets[i / FLOW_WAYS].half[0].tag[0] = 1;
	}
}

static void nine_alive(void)
{
	CHECK_EQUAL(count_flows(), FLOW_WAYS + 1);
}

static const struct test_case transition_cases[] = {
	CASE("transition: lasts a day at most, whatever is sent", BOTH, in_transition,
	     TCP_TO(B1, 40000, ACK), DO(a_day_of_acks), TCP_TO(B2, 40000, ACK)),
	CASE("transition: settle 0 has no such limit", BOTH, never_settles, TCP_TO(B1, 40000, ACK),
	     DO(a_day_of_acks), TCP_TO(B1, 40000, ACK), DO(after_899s), TCP_TO(B1, 40000, ACK),
	     DO(after_899s), TCP_TO(B1, 40000, ACK), DO(after_901s), TCP_TO(B2, 40000, ACK)),
	HEAVY_CASE("transition: a SYN without room goes where its ACK will", BOTH, in_transition,
		   DO(fill_table), TCP_TO(B1, 40000, SYN), TCP_TO(B1, 40000, ACK)),
	CASE("transition: a SYN whose bucket is full is remembered in another", BOTH, in_transition,
	     DO(fill_bucket), TCP_TO(B2, 40000, SYN), TCP_TO(B2, 40000, ACK),
	     TCP_TO(B1, 40001, ACK), TCP_TO(B2, 40000, PSH | ACK), TCP_TO(B2, 40000, SYN),
	     DO(to_b3), TCP_TO(B2, 40000, ACK), THEN(nine_alive)),
	CASE("transition: a TCP packet of no SYN stays with the former backend", BOTH,
	     in_transition, TCP_TO(B1, 40000, ACK), TCP_TO(B1, 40001, PSH | ACK),
	     TCP_TO(B1, 40002, FIN | ACK), TCP_TO(B1, 40003, RST), THEN(stateless)),
	CASE("transition: a SYN goes to the owner, and is remembered", BOTH, in_transition,
	     TCP_TO(B2, 40000, SYN), TCP_TO(B2, 40000, ACK), TCP_TO(B2, 40000, FIN | ACK),
	     TCP_TO(B1, 40001, ACK), THEN(one_remembered)),
	CASE("transition: a remembered flow stays when the slot moves on", BOTH, in_transition,
	     TCP_TO(B2, 40000, SYN), DO(to_b3), TCP_TO(B2, 40000, ACK), TCP_TO(B3, 40001, SYN),
	     TCP_TO(B3, 40001, ACK), TCP_TO(B1, 40002, ACK)),
	CASE("transition: there and back again", BOTH, in_transition, TCP_TO(B2, 40000, SYN),
	     DO(back_to_b1), TCP_TO(B2, 40000, ACK), TCP_TO(B1, 40001, SYN), TCP_TO(B1, 40001, ACK),
	     TCP_TO(B1, 40002, ACK)),
	CASE("transition: lasts while packets need the former backend", BOTH, in_transition,
	     DO(after_899s), TCP_TO(B1, 40000, ACK), DO(after_899s), TCP_TO(B1, 40000, ACK)),
	CASE("transition: ends when none has for 15 minutes", BOTH, in_transition, DO(after_901s),
	     TCP_TO(B2, 40000, ACK)),
	CASE("mode: one that the program does not know is internal", BOTH, mode_of_tomorrow,
	     KEPT(P(ETH(C1, LB), IP(C1, VIP), TCP(40000, HTTP, SYN)), INTERNAL),
	     KEPT(P(ETH(C1, LB), IP(C1, VIP), TCP(40000, HTTP, ACK)), INTERNAL),
	     KEPT(P(ETH(C1, LB), IP(C1, VIP), UDP(40000, DNS), DATA(9)), INTERNAL),
	     KEPT(P(ETH(C1, LB), VLAN(5), IP(C1, VIP), UDP(40000, DNS), DATA(9)), INTERNAL),
	     DO(dry_mode_of_tomorrow)),
	CASE("user: to the program's socket, as it came", BOTH, user_socket,
	     KEPT(P(ETH(C1, LB), IP(C1, VIP), UDP(40000, DNS), DATA(9)), TO_SOCKET),
	     KEPT(P(ETH(C1, LB), VLAN(5), IP(C1, VIP), UDP(40000, DNS), DATA(9)), TO_SOCKET),
	     KEPT(P(ETH(C1, LB), IP(C1, VIP, .ttl = 1), UDP(40000, DNS), DATA(9)), TO_SOCKET),
	     KEPT(P(ETH(C1, LB), IP(C1, VIP), TCP(40000, HTTP, SYN)), TO_SOCKET),
	     KEPT(P(ETH(C1, LB), IP(C1, VIP), TCP(40000, HTTP, ACK), DATA(100)), TO_SOCKET),
	     KEPT(P(ETH(C1, LB), IP(C1, VIP), TCP(40000, HTTP + 1, SYN)), NO_SERVICE)),
	CASE("user: all fragments of a datagram", BOTH, user_socket,
	     KEPT(P(ETH(C1, LB), IP(C1, VIP), UDP(40000, DNS), DATA(600), FRAGMENT(256, 256)),
		  FRAGMENT_EARLY),
	     KEPT(P(ETH(C1, LB), IP(C1, VIP), UDP(40000, DNS), DATA(600), FRAGMENT(0, 256)),
		  TO_SOCKET),
	     KEPT(P(ETH(C1, LB), IP(C1, VIP), UDP(40000, DNS), DATA(600), FRAGMENT(256, 256)),
		  TO_SOCKET)),
	CASE("user: to the host where there is no socket", BOTH, user,
	     KEPT(P(ETH(C1, LB), IP(C1, VIP), UDP(40000, DNS), DATA(9)), NO_SOCKET),
	     KEPT(P(ETH(C1, LB), IP(C1, VIP), TCP(40000, HTTP, ACK), DATA(100)), NO_SOCKET)),
	CASE("user: a frame for another host, or for a group", BOTH, user_of_host,
	     KEPT(P(ETH(C1, STRANGER), IP(C1, VIP), UDP(40000, DNS)), OTHER_HOST),
	     KEPT(P(ETH(C1, ALL_NODES), IP(C1, VIP), UDP(40000, DNS)), OTHER_HOST),
	     KEPT(P(ETH(C1, LB), IP(C1, VIP), UDP(40000, DNS)), TO_SOCKET)),
	CASE("user: a datagram of a server that is our own", BOTH, user_of_host,
	     KEPT(P(ETH(C1, LB), IP(LB, VIP), UDP(DNS, DNS)), BAD_SOURCE),
	     KEPT(P(ETH(C1, LB), IP(C1, VIP), UDP(DNS, DNS)), TO_SOCKET)),
	CASE("user: a denied source gets nowhere", BOTH, user_denied,
	     KEPT(P(ETH(C1, LB), IP(C1, VIP), UDP(40000, DNS), DATA(9)), DENIED)),
	CASE("transition: is over after 27 days", BOTH, in_transition, DO(after_27_days),
	     TCP_TO(B2, 40000, ACK), TCP_TO(B2, 40001, ACK | RST)),
	CASE("transition: is over after 51 days", BOTH, in_transition, DO(after_51_days),
	     TCP_TO(B2, 40000, ACK)),
	CASE("transition: is over after 9 years", BOTH, in_transition, DO(after_9_years),
	     TCP_TO(B2, 40000, ACK)),
	CASE("transition: after it no flow is remembered", BOTH, in_transition, DO(after_901s),
	     TCP_TO(B2, 40000, SYN), THEN(stateless)),
	CASE("transition: a time that was set, not yet over", BOTH, in_settling, DO(after_59s),
	     TCP_TO(B1, 40000, ACK)),
	CASE("transition: a time that was set ends it, packets or not", BOTH, in_settling,
	     DO(after_59s), TCP_TO(B1, 40000, ACK), DO(after_61s), TCP_TO(B2, 40000, ACK)),
	CASE("transition: a former backend that goes down is given up", BOTH, in_transition,
	     TCP_TO(B1, 40000, ACK), DO(b1_goes_down), TCP_TO(B2, 40000, ACK)),
	CASE("transition: a remembered flow's backend that goes down is given up", BOTH,
	     in_transition, TCP_TO(B2, 40000, SYN), DO(b2_goes_down), TCP_TO(B3, 40000, SYN),
	     TCP_TO(B3, 40000, ACK)),
	CASE("transition: a SYN sent again stays with its backend", BOTH, in_transition,
	     TCP_TO(B2, 40000, SYN), DO(to_b3), TCP_TO(B2, 40000, SYN)),
	CASE("transition: a SYN after RST is a new flow", BOTH, in_transition,
	     TCP_TO(B2, 40000, SYN), TCP_TO(B2, 40000, RST), DO(to_b3), TCP_TO(B3, 40000, SYN),
	     TCP_TO(B3, 40000, ACK)),
	CASE("transition: udp stays with the former backend while an older flow may live", BOTH,
	     in_transition, UDP_TO(B1, 40000), UDP_TO(B1, 40000), UDP_TO(B1, 40001)),
	CASE("transition: udp of later goes to the owner", BOTH, in_transition, UDP_TO(B1, 40000),
	     DO(udp_is_past), UDP_TO(B2, 40001), UDP_TO(B1, 40000)),
	CASE("transition: an error about an answer follows the flow", BOTH, in_transition,
	     TCP_TO(B2, 40000, SYN),
	     DIRECT_TO(B2, IP(ROUTER, VIP), ICMP(TOO_BIG, .value = 1280), IP(VIP, C1),
		       TCP(HTTP, 40000, ACK), DATA(60)),
	     DIRECT_TO(B1, IP(ROUTER, VIP), ICMP(TOO_BIG, .value = 1280), IP(VIP, C1),
		       TCP(HTTP, 40001, ACK), DATA(60)),
	     THEN(one_remembered)),
};

/* Which backend is picked: the owner of slot (hash * slots) >> 32. */

#define ALL_SEVEN B1, B2, B3, B4, B5, B6, B7

static void seven_nat(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_NAT, ALL_SEVEN);
}

static void seven_dsr(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_DSR, ALL_SEVEN);
}

static void by_source(struct service *service)
{
	service->hash = HASH_SOURCE;
}

static void seven_by_source(void)
{
	seven_dsr();
	change_service(1, by_source);
}

static void seven_nat_by_source(void)
{
	seven_nat();
	change_service(1, by_source);
}

static enum host owner_by_hash(uint32_t hash)
{
	return B1 + ((uint64_t)hash * 7 >> 32);
}

static void picks_by_flow(void)
{
	for (int port = 1024; port < 2048 && passed_so_far(); port += stride()) {
		enum host backend = owner_by_hash(slot_hash(C1, port, HTTP));

		TAKE(TCP_TO(backend, port, SYN));
	}
}

static void nat_picks_by_flow(void)
{
	for (int port = 1024; port < 2048 && passed_so_far(); port += stride()) {
		enum host backend = owner_by_hash(slot_hash(C1, port, HTTP));

		TAKE(SENT(P(FROM(C1), TCP(port, HTTP, SYN)), P(TO(backend), TCP(port, HTTP, SYN))));
	}
}

static enum host owner_by_source(enum host client)
{
	struct address address = address_of(client);

	return owner_by_hash(XXH32(&address, sizeof(address), 0));
}

static void picks_by_source(void)
{
	for (int port = 1024; port < 1100 && passed_so_far(); port++)
		for (enum host client = C1; client <= C3 && passed_so_far(); client++) {
			enum host backend = owner_by_source(client);

			TAKE(SENT(P(FROM(client), TCP(port, HTTP, SYN)),
				  P(ETH(LB, backend), IP(client, VIP), TCP(port, HTTP, SYN))));
		}
}

static void nat_picks_by_source(void)
{
	for (int port = 1024; port < 1100 && passed_so_far(); port++) {
		enum host backend = owner_by_source(C2);

		TAKE(SENT(P(FROM(C2), TCP(port, HTTP, SYN)), P(TO(backend), TCP(port, HTTP, SYN))));
	}
}

/* The outer source differs by flow: so a backend's NIC spreads them. */
static void outer_sources(void)
{
	for (int port = 1024; port < 1100 && passed_so_far(); port++) {
		set_tunnel_source(slot_hash(C1, port, HTTP));
		TAKE(SENT(P(FROM(C1), TCP(port, HTTP, SYN)),
			  P(ETH(LB, B1), OUTER(), IP(C1, VIP, .ttl = 63), TCP(port, HTTP, SYN))));
	}
}

static const struct test_case pick_cases[] = {
	CASE("pick: by XXH32 of the flow, dsr", BOTH, seven_dsr, DO(picks_by_flow),
	     THEN(stateless)),
	CASE("pick: by XXH32 of the flow, nat", BOTH, seven_nat, DO(nat_picks_by_flow)),
	CASE("pick: by XXH32 of the source, dsr", BOTH, seven_by_source, DO(picks_by_source),
	     THEN(stateless)),
	CASE("pick: by XXH32 of the source, nat", BOTH, seven_nat_by_source,
	     DO(nat_picks_by_source)),
	CASE("ipip: the outer source is of the flow", BOTH, ipip, DO(outer_sources),
	     THEN(stateless)),
};

int main(int argc, char **argv)
{
	open_kernel(argc, argv);
	RUN(dsr_cases);
	RUN(ipip_cases);
	RUN(transition_cases);
	RUN(pick_cases);
	return finish_cases();
}
