// SPDX-License-Identifier: GPL-2.0
/* The deny list and limits; dry runs, that leave no trace; and the trace. */
#include <arpa/inet.h>
#include <string.h>

#include "cases.h"

#define HTTP 80
#define DNS 53

static void services(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_NAT, B1);
	SERVICE(VIP, DNS, IPPROTO_UDP, MODE_DSR, B1);
}

#define SYN_OF(client, port) P(FROM(client), TCP(port, HTTP, SYN))
#define NEW_FLOW(client, port) SENT(SYN_OF(client, port), P(TO(B1), TCP(port, HTTP, SYN)))
#define ASK_OF(client, port) P(FROM(client), UDP(port, DNS), DATA(9))
#define DIRECT(client, port)                                                                       \
	SENT(ASK_OF(client, port), P(ETH(LB, B1), IP(client, VIP), UDP(port, DNS), DATA(9)))

/* Deny list */

static void deny_c1(void)
{
	services();
	deny(C1, family == 4 ? 32 : 128);
}

static void deny_net(void)
{
	services();
	deny(C1, family == 4 ? 24 : 64);
}

static void deny_nothing_of_c1(void)
{
	services();
	deny(C1, family == 4 ? 32 : 128);
	config()->flags &= ~CONFIG_DENY;
}

static void deny_everybody(void)
{
	services();
	deny(NOBODY, 0);
}

static void deny_backend(void)
{
	services();
	deny(B1, family == 4 ? 32 : 128);
}

static void denied_now(void)
{
	deny(C1, family == 4 ? 32 : 128);
}

static void end_flow(struct flow *flow)
{
	flow->cookie = 0;
}

static void flows_end(void)
{
	CHECK_EQUAL(for_each_flow(end_flow), 1);
}

static const struct test_case deny_cases[] = {
	CASE("deny: a denied source gets nothing, its neighbour everything", BOTH, deny_c1,
	     KEPT(SYN_OF(C1, 40000), DENIED), KEPT(ASK_OF(C1, 40000), DENIED), NEW_FLOW(C2, 40000),
	     DIRECT(C2, 40000)),
	CASE("deny: a prefix", V4, deny_net, KEPT(SYN_OF(C1, 40000), DENIED),
	     KEPT(SYN_OF(C2, 40000), DENIED), NEW_FLOW(C3, 40000)),
	CASE("deny: a prefix", V6, deny_net, KEPT(SYN_OF(C1, 40000), DENIED),
	     KEPT(SYN_OF(C3, 40000), DENIED), NEW_FLOW(C2, 40000)),
	CASE("deny: everybody of a family", BOTH, deny_everybody, KEPT(SYN_OF(C1, 40000), DENIED),
	     KEPT(SYN_OF(C2, 40000), DENIED)),
	CASE("deny: only where a service is", BOTH, deny_c1,
	     KEPT(P(FROM(C1), TCP(40000, 22, SYN)), NO_SERVICE),
	     KEPT(P(ETH(C1, LB), IP(C1, LB), TCP(40000, HTTP, SYN)), NO_SERVICE),
	     KEPT(P(FROM(C1), ICMP(ECHO), DATA(4)), NO_SERVICE)),
	CASE("deny: a known NAT flow is ended by the helper, not by its packets", BOTH, services,
	     NEW_FLOW(C1, 40000), DO(denied_now), NEW_FLOW(C1, 40000), DO(flows_end),
	     KEPT(P(FROM(C1), TCP(40000, HTTP, ACK)), DENIED)),
	CASE("deny: not a backend's answers", BOTH, deny_backend, NEW_FLOW(C1, 40000),
	     SENT(P(BACK(B1), TCP(HTTP, 40000, SYN | ACK)),
		  P(HOME(C1), TCP(HTTP, 40000, SYN | ACK)))),
	CASE("deny: not looked at without the flag", BOTH, deny_nothing_of_c1, NEW_FLOW(C1, 40000)),
};

/* Limits. One packet a second: no test is so slow that one more conforms. */

static void five_packets(int service)
{
	limit_of(service)->pps = 1;
	limit_of(service)->burst = 5;
}

static void limited(void)
{
	services();
	five_packets(1);
	five_packets(2);
}

static void three_flows(void)
{
	services();
	limit_of(1)->flows = 3;
	limit_of(2)->flows = 3;
}

static void dsr_three_flows(void)
{
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_DSR, B1);
	limit_of(1)->flows = 3;
}

static void three_flows_each(void)
{
	three_flows();
	limit_of(1)->flags = LIMIT_PER_SOURCE;
}

static void three_conns(void)
{
	services();
	limit_of(1)->conns = 3;
}

/* Of the service one a second, of a source two at a time. */
static void one_flow_and_two_conns(void)
{
	services();
	limit_of(1)->flows = 1;
	limit_of(1)->conns = 2;
}

static void a_second_later(void)
{
	limit_of(1)->next_flow = 0;
}

/* A census that has found one flow of C1; those of C2 are not written. */
static void one_of_c1(void)
{
	struct source_key key = { .source = address_of(C1), .service = 1 };
	struct source source = { .flows = 1, .census = config()->census + 1 };

	if (family == 6)
		key.source.word[2] = key.source.word[3] = 0;
	map_update(MAP_SOURCES, &key, &source);
	config()->census++;
}

static void no_source(void)
{
	CHECK_EQUAL(count_sources(), 0);
}

#define DIRECT_SYN(port) SENT(SYN_OF(C1, port), P(ETH(LB, B1), IP(C1, VIP), TCP(port, HTTP, SYN)))

static const struct test_case limit_cases[] = {
	CASE("limit: a burst of packets, then none", BOTH, limited, DIRECT(C1, 1), DIRECT(C1, 2),
	     DIRECT(C1, 3), DIRECT(C1, 4), DIRECT(C1, 5), KEPT(ASK_OF(C1, 6), RATE_LIMITED),
	     KEPT(ASK_OF(C1, 1), RATE_LIMITED)),
	CASE("limit: packets of known flows count", BOTH, limited, NEW_FLOW(C1, 1), NEW_FLOW(C1, 1),
	     NEW_FLOW(C1, 1), NEW_FLOW(C1, 1), NEW_FLOW(C1, 1), KEPT(SYN_OF(C1, 1), RATE_LIMITED)),
	CASE("limit: a backend's answers do not", BOTH, limited, NEW_FLOW(C1, 1), NEW_FLOW(C1, 1),
	     NEW_FLOW(C1, 1), NEW_FLOW(C1, 1), NEW_FLOW(C1, 1),
	     SENT(P(BACK(B1), TCP(HTTP, 1, SYN | ACK)), P(HOME(C1), TCP(HTTP, 1, SYN | ACK))),
	     SENT(P(BACK(B1), TCP(HTTP, 1, SYN | ACK)), P(HOME(C1), TCP(HTTP, 1, SYN | ACK)))),
	CASE("limit: of another source is its own", BOTH, limited, DIRECT(C1, 1), DIRECT(C1, 2),
	     DIRECT(C1, 3), DIRECT(C1, 4), DIRECT(C1, 5), KEPT(ASK_OF(C1, 6), RATE_LIMITED),
	     DIRECT(C2, 6)),
	CASE("limit: of another service is its own", BOTH, limited, DIRECT(C1, 1), DIRECT(C1, 2),
	     DIRECT(C1, 3), DIRECT(C1, 4), DIRECT(C1, 5), KEPT(ASK_OF(C1, 6), RATE_LIMITED),
	     NEW_FLOW(C1, 6)),
	CASE("limit: a /64 of IPv6 is one source", V6, limited, DIRECT(C1, 1), DIRECT(C3, 2),
	     DIRECT(C1, 3), DIRECT(C3, 4), DIRECT(C1, 5), KEPT(ASK_OF(C3, 6), RATE_LIMITED),
	     DIRECT(C2, 6)),
	CASE("limit: packets of no service do not count", BOTH, limited,
	     KEPT(P(FROM(C1), TCP(1, 22, SYN)), NO_SERVICE), THEN(no_source)),
	CASE("limit: new flows of a service", BOTH, three_flows, NEW_FLOW(C1, 1), NEW_FLOW(C2, 2),
	     NEW_FLOW(C1, 3), KEPT(SYN_OF(C2, 4), FLOW_LIMITED), KEPT(SYN_OF(C1, 5), FLOW_LIMITED)),
	CASE("limit: new flows, packets of known ones do not count", BOTH, three_flows,
	     NEW_FLOW(C1, 1), NEW_FLOW(C1, 1), NEW_FLOW(C1, 1), NEW_FLOW(C1, 1), NEW_FLOW(C1, 2),
	     NEW_FLOW(C1, 3), KEPT(SYN_OF(C1, 4), FLOW_LIMITED), NEW_FLOW(C1, 3)),
	CASE("limit: new flows of each source", BOTH, three_flows_each, NEW_FLOW(C1, 1),
	     NEW_FLOW(C1, 2), NEW_FLOW(C1, 3), KEPT(SYN_OF(C1, 4), FLOW_LIMITED), NEW_FLOW(C2, 5),
	     NEW_FLOW(C2, 6), NEW_FLOW(C2, 7), KEPT(SYN_OF(C2, 8), FLOW_LIMITED), NEW_FLOW(C1, 1)),
	CASE("limit: flows of a source at a time", BOTH, three_conns, NEW_FLOW(C1, 1),
	     NEW_FLOW(C1, 2), NEW_FLOW(C1, 3), KEPT(SYN_OF(C1, 4), FLOW_LIMITED), NEW_FLOW(C2, 5),
	     NEW_FLOW(C1, 3)),
	CASE("limit: flows of a source, after a census", BOTH, three_conns, NEW_FLOW(C1, 1),
	     NEW_FLOW(C1, 2), NEW_FLOW(C1, 3), NEW_FLOW(C2, 5), NEW_FLOW(C2, 6), NEW_FLOW(C2, 7),
	     DO(one_of_c1), NEW_FLOW(C1, 8), NEW_FLOW(C1, 9), KEPT(SYN_OF(C1, 10), FLOW_LIMITED),
	     NEW_FLOW(C2, 11), NEW_FLOW(C2, 12), NEW_FLOW(C2, 13),
	     KEPT(SYN_OF(C2, 14), FLOW_LIMITED)),
	CASE("limit: a flow that the service's limit refuses takes no share", BOTH,
	     one_flow_and_two_conns, NEW_FLOW(C1, 1), KEPT(SYN_OF(C1, 2), FLOW_LIMITED),
	     KEPT(SYN_OF(C1, 2), FLOW_LIMITED), DO(a_second_later), NEW_FLOW(C1, 2),
	     DO(a_second_later), KEPT(SYN_OF(C1, 3), FLOW_LIMITED)),
	CASE("limit: flows of a source, of a /64", V6, three_conns, NEW_FLOW(C1, 1),
	     NEW_FLOW(C3, 2), NEW_FLOW(C1, 3), KEPT(SYN_OF(C3, 4), FLOW_LIMITED)),
	CASE("limit: new flows, mode dsr", BOTH, dsr_three_flows, DIRECT_SYN(1), DIRECT_SYN(2),
	     DIRECT_SYN(3), KEPT(SYN_OF(C1, 4), FLOW_LIMITED)),
};

/* Dry runs */

static struct counters before_dry_run;

static struct decision decide(const struct layer *packet)
{
	static uint8_t frame[MAX_FRAME];
	static struct counters after;
	static struct outcome outcome;
	size_t length = build(packet, frame, NULL, 0);
	struct decision decision;

	read_counters(&before_dry_run);
	decision = dry_run(frame, length, &outcome);
	read_counters(&after);
	CHECK(!memcmp(&before_dry_run, &after, sizeof(after)));
	CHECK(outcome.length == length && !memcmp(outcome.frame, frame, length));
	return decision;
}

static void expect(struct decision decision, enum verdict verdict, enum choice choice, int service,
		   enum host backend)
{
	check(decision.verdict == verdict, "decided %s, not %s", verdict_name(decision.verdict),
	      verdict_name(verdict));
	CHECK_EQUAL(decision.choice, choice);
	CHECK_EQUAL(decision.service, service);
	CHECK_EQUAL(decision.backend, backend == NOBODY ? 0 : backend_number(service, backend));
}

static void dry_new_flow(void)
{
	expect(decide(SYN_OF(C1, 40000)), VERDICT_FORWARDED, CHOICE_TABLE, 1, B1);
	CHECK_EQUAL(count_flows(), 0);
}

static void dry_known_flow(void)
{
	expect(decide(SYN_OF(C1, 40000)), VERDICT_FORWARDED, CHOICE_FLOW, 1, B1);
	expect(decide(P(FROM(C1), TCP(40000, HTTP, ACK))), VERDICT_FORWARDED, CHOICE_FLOW, 1, B1);
	expect(decide(P(FROM(C1), TCP(40000, HTTP, RST))), VERDICT_FORWARDED, CHOICE_FLOW, 1, B1);
	CHECK_EQUAL(count_flows(), 1);
}

static void dry_closed_flow(void)
{
	expect(decide(SYN_OF(C1, 40000)), VERDICT_FORWARDED, CHOICE_TABLE, 1, B1);
	CHECK_EQUAL(count_flows(), 1);
}

static void dry_dsr(void)
{
	expect(decide(ASK_OF(C1, 40000)), VERDICT_FORWARDED, CHOICE_TABLE, 2, B1);
	CHECK_EQUAL(count_flows(), 0);
}

static void dry_nobodys(void)
{
	expect(decide(P(FROM(C1), TCP(40000, 22, SYN))), VERDICT_NO_SERVICE, CHOICE_NONE, 0,
	       NOBODY);
	expect(decide(P(ETH(C1, LB), ARP)), VERDICT_NOT_IP, CHOICE_NONE, 0, NOBODY);
}

static void dry_unknown(void)
{
	expect(decide(P(FROM(C1), TCP(40000, HTTP, ACK))), VERDICT_NO_FLOW, CHOICE_NONE, 1, NOBODY);
}

static void dry_denied(void)
{
	expect(decide(SYN_OF(C1, 40000)), VERDICT_DENIED, CHOICE_NONE, 1, NOBODY);
}

static void dry_limited(void)
{
	for (int i = 0; i < 20; i++) {
		expect(decide(ASK_OF(C1, 40000)), VERDICT_FORWARDED, CHOICE_TABLE, 2, B1);
		CHECK_EQUAL(count_sources(), 0);
	}
}

static void dry_flow_limited(void)
{
	for (int i = 0; i < 20; i++)
		expect(decide(SYN_OF(C1, 40000)), VERDICT_FORWARDED, CHOICE_TABLE, 1, B1);
	CHECK_EQUAL(limit_of(1)->next_flow, 0);
}

static void dry_no_backend(void)
{
	set_owner(1, 0, 0);
	expect(decide(SYN_OF(C1, 40000)), VERDICT_NO_BACKEND, CHOICE_NONE, 1, NOBODY);
}

static void in_transition(struct service *service)
{
	service->changed = tick_now() - 7;
}

static void moving(void)
{
	services();
	set_owner(2, 0, backend_number(2, B2));
	set_former(2, 0, backend_number(2, B1), tick_now() - 7);
	change_service(2, in_transition);
}

static void dry_former(void)
{
	uint32_t seen = transition_at(2, 0)->seen;

	expect(decide(ASK_OF(C1, 40000)), VERDICT_FORWARDED, CHOICE_FORMER, 2, B1);
	CHECK_EQUAL(transition_at(2, 0)->seen, seen);
	CHECK_EQUAL(count_flows(), 0);
}

static void dry_fragment(void)
{
	expect(decide(P(FROM(C1), UDP(40000, DNS), DATA(3000), FRAGMENT(0, 1480))),
	       VERDICT_FORWARDED, CHOICE_TABLE, 2, B1);
	CHECK_EQUAL(count_fragments(), 0);
}

static const struct test_case dry_cases[] = {
	CASE("dry run: a new flow", BOTH, services, DO(dry_new_flow)),
	CASE("dry run: a known flow", BOTH, services, NEW_FLOW(C1, 40000), DO(dry_known_flow)),
	CASE("dry run: a closed flow, begun anew", BOTH, services, NEW_FLOW(C1, 40000),
	     SENT(P(BACK(B1), TCP(HTTP, 40000, RST)), P(HOME(C1), TCP(HTTP, 40000, RST))),
	     DO(dry_closed_flow)),
	CASE("dry run: mode dsr", BOTH, services, DO(dry_dsr)),
	CASE("dry run: no service, not IP", BOTH, services, DO(dry_nobodys)),
	CASE("dry run: an unknown flow", BOTH, services, DO(dry_unknown)),
	CASE("dry run: denied", BOTH, deny_c1, DO(dry_denied)),
	CASE("dry run: counts for no rate limit", BOTH, limited, DO(dry_limited)),
	CASE("dry run: counts for no limit of flows", BOTH, three_flows, DO(dry_flow_limited)),
	CASE("dry run: no backend", BOTH, services, DO(dry_no_backend)),
	CASE("dry run: a slot in transition", BOTH, moving, DO(dry_former)),
	CASE("dry run: a first fragment", BOTH, services, DO(dry_fragment)),
};

/* Trace */

static void traced(void)
{
	services();
	config()->flags |= CONFIG_TRACE;
}

static void traced_c1(void)
{
	traced();
	config()->trace.peer = address_of(C1);
}

static void traced_port(void)
{
	traced();
	config()->trace.vip_port = htons(HTTP);
	config()->trace.protocol = IPPROTO_TCP;
}

static const struct event *next(void)
{
	static const struct event none;
	const struct event *event = next_event();

	CHECK(event);
	return event ? event : &none;
}

static void no_event(void)
{
	CHECK(!next_event());
}

static void event_of_new_flow(void)
{
	const struct event *event = next();
	struct address vip = address_of(VIP), client = address_of(C1);

	CHECK_EQUAL(event->verdict, VERDICT_FORWARDED);
	CHECK_EQUAL(event->choice, CHOICE_TABLE);
	CHECK_EQUAL(event->service, 1);
	CHECK_EQUAL(event->backend, backend_number(1, B1));
	CHECK_EQUAL(event->from_backend, 0);
	CHECK_EQUAL(event->length, family == 4 ? 54 : 74);
	CHECK_EQUAL(event->ifindex, IFINDEX_LO);
	CHECK_EQUAL(ntohs(event->tuple.peer_port), 40000);
	CHECK_EQUAL(ntohs(event->tuple.vip_port), HTTP);
	CHECK(!memcmp(&event->vip, &vip, sizeof(vip)));
	CHECK(!memcmp(&event->tuple.peer, &client, sizeof(client)));
	no_event();
}

static void event_of_answer(void)
{
	const struct event *event;

	next();
	event = next();
	CHECK_EQUAL(event->choice, CHOICE_FLOW);
	CHECK_EQUAL(event->from_backend, 1);
	no_event();
}

static void event_denied(void)
{
	CHECK_EQUAL(next()->verdict, VERDICT_DENIED);
	no_event();
}

#define SYN_ACK_BACK                                                                               \
	SENT(P(BACK(B1), TCP(HTTP, 40000, SYN | ACK)), P(HOME(C1), TCP(HTTP, 40000, SYN | ACK)))

static const struct test_case trace_cases[] = {
	CASE("trace: a new flow", BOTH, traced, NEW_FLOW(C1, 40000), THEN(event_of_new_flow)),
	CASE("trace: an answer", BOTH, traced, NEW_FLOW(C1, 40000), SYN_ACK_BACK,
	     THEN(event_of_answer)),
	CASE("trace: an answer, by the client's address", BOTH, traced_c1, NEW_FLOW(C1, 40000),
	     SYN_ACK_BACK, THEN(event_of_answer)),
	CASE("trace: an answer, by the service's port", BOTH, traced_port, NEW_FLOW(C1, 40000),
	     SYN_ACK_BACK, THEN(event_of_answer)),
	CASE("trace: a drop", BOTH, traced, DO(denied_now), KEPT(SYN_OF(C1, 40000), DENIED),
	     THEN(event_denied)),
	CASE("trace: not what the filter excludes", BOTH, traced_c1, NEW_FLOW(C2, 40000),
	     THEN(no_event)),
	CASE("trace: not another port", BOTH, traced_port, DIRECT(C1, 40000), THEN(no_event)),
	CASE("trace: nothing when it is off", BOTH, services, NEW_FLOW(C1, 40000), THEN(no_event)),
};

int main(int argc, char **argv)
{
	open_kernel(argc, argv);
	RUN(deny_cases);
	RUN(limit_cases);
	RUN(dry_cases);
	RUN(trace_cases);
	return finish_cases();
}
