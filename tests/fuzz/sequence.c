// SPDX-License-Identifier: GPL-2.0
/*
 * See sequence.h. The first byte of a step says what it is: a packet made from a template, an
 * answer to what was sent last, an ICMP error about it, raw bytes; or an event. Then come the
 * changes to it.
 */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balancer.h"
#include "frame.h"
#include "invariants.h"
#include "sequence.h"

#define HTTP 80
#define DNS 53
#define USER 4242
#define MAX_PLAYED 2048 /* bytes of a frame */
#define MAX_STEPS 64
#define FLOOD 12 /* flows that begin at once: a bucket has 8 */
#define COMPARED 4 /* one packet in so many takes both paths */
#define MAX_TRIES 4

unsigned long packets_played, packets_sent, paths_compared;

struct packet {
	uint8_t bytes[MAX_FRAME];
	size_t length;
};

static struct packet last_sent; /* what answers and errors are about */

/* The world: in both families VIP has mode nat, VIP2 dsr and user, VIP3 ipip; the latter two also
 * dnat; and POOL is a source. */

static int services;
static int tunnels[2]; /* a service in mode ipip of each family */
static int unknown_modes; /* services whose mode there is none of */

static void a_small_mtu(int service)
{
	backend_of(service, B1)->mtu[0] = 1280;
}

static void in_transition(int service)
{
	set_former(service, 0, backend_number(service, B3), tick_now());
	set_former(service, 1, backend_number(service, B1), tick_now());
}

static void set_up_family(void)
{
	int http = SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_NAT, B1, B2);
	int dns = SERVICE(VIP, DNS, IPPROTO_UDP, MODE_NAT, B1, B2);
	int direct = SERVICE(VIP2, ANY_PORT, IPPROTO_TCP, MODE_DSR, B1, B2);
	int direct_dns = SERVICE(VIP2, DNS, IPPROTO_UDP, MODE_DSR, B1, B2);
	int tunnel = SERVICE(VIP3, HTTP, IPPROTO_TCP, MODE_IPIP, B1, B2);
	int tunnel_dns = SERVICE(VIP3, ANY_PORT, IPPROTO_UDP, MODE_IPIP, B1, B2);
	int hidden = SERVICE(VIP3, 8080, IPPROTO_TCP, MODE_DNAT, B4, B5);
	int hidden_dns = SERVICE(VIP2, 1234, IPPROTO_UDP, MODE_DNAT, B4, B5);
	int user = SERVICE(VIP2, USER, IPPROTO_UDP, MODE_USER, B1, B2);

	know_way(backend_of(user, B1));
	know_way(backend_of(user, B2));
	for (int service = http; service <= tunnel_dns; service++) {
		know_way(backend_of(service, B1));
		know_way(backend_of(service, B2));
	}
	for (int service = hidden; service <= hidden_dns; service++) {
		know_way(backend_of(service, B4));
		know_way(backend_of(service, B5));
		in_transition(service);
	}
	set_port(hidden, B4, HTTP);
	set_via(hidden, C1);
	know_way(backend_of(hidden, C1));
	a_small_mtu(hidden);
	own_host(LB);
	backend_of(dns, B1)->port = htons(5353);
	backend_of(http, B1)->hop[1] = backend_of(http, B2)->hop[0];
	backend_of(http, B2)->hop[0].ifindex = IFINDEX_LO + 1;
	a_small_mtu(http);
	a_small_mtu(direct);
	a_small_mtu(tunnel);
	in_transition(direct);
	in_transition(direct_dns);
	in_transition(tunnel);
	tunnels[family == 6] = tunnel_dns;
	services = user;
	deny(C2, family == 4 ? 32 : 128);
	add_source(POOL, family);
	use_source(0);
}

/* A tunnel to the other family. */
static void cross_tunnels(void)
{
	struct backend *six = backend_of(tunnels[1], B2);
	struct backend *four;
	struct address address = six->address;

	family = 10 - family;
	four = backend_of(tunnels[0], B2);
	six->address = four->address;
	four->address = address;
	family = 10 - family;
}

void set_up_world(void)
{
	last_sent.length = 0;
	unknown_modes = 0;
	taken_path = PATH_PLAIN;
	program = PROGRAM_XDP;
	reset_balancer();
	family = 4;
	set_up_family();
	family = 6;
	set_up_family();
	cross_tunnels();
	config()->flags = CONFIG_DNAT;
}

/* Templates */

#define CLIENT(client, vip) ETH(client, LB), IP(client, vip)

static const struct layer *const templates[] = {
	P(CLIENT(C1, VIP), TCP(40000, HTTP, SYN, .options = 20)),
	P(CLIENT(C1, VIP), TCP(40000, HTTP, ACK), DATA(7)),
	P(CLIENT(C2, VIP), TCP(40000, HTTP, SYN), PAD(60)),
	P(CLIENT(C1, VIP), TCP(40000, HTTP, FIN | ACK)),
	P(CLIENT(C1, VIP), UDP(40000, DNS), DATA(5), PAD(60)),
	P(CLIENT(C1, VIP), UDP(40000, DNS, .no_sum = true), DATA(5)),
	P(CLIENT(C1, VIP2), TCP(40000, HTTP, SYN)),
	P(CLIENT(C1, VIP2), TCP(40000, 8080, ACK), DATA(3)),
	P(CLIENT(C1, VIP2), UDP(40000, DNS), DATA(5)),
	P(CLIENT(C1, VIP3), TCP(40000, HTTP, SYN)),
	P(CLIENT(C1, VIP3), UDP(40000, 1234), DATA(33)),
	P(ETH(C1, LB), VLAN(5), IP(C1, VIP), TCP(40000, HTTP, SYN)),
	P(ETH(C1, LB), VLAN(5, .protocol = 0x88a8), VLAN(6), IP(C1, VIP3), TCP(40000, HTTP, SYN)),
	P(ETH(C1, LB), IP(C1, VIP, .options = 8), UDP(40000, DNS), DATA(5)),
	P(ETH(C1, LB), IP(C1, VIP, .ttl = 1), UDP(40000, DNS), DATA(15)),
	P(ETH(C1, LB), IP(C1, VIP3, .ttl = 1), UDP(40000, DNS), DATA(200)),
	P(CLIENT(C1, VIP), UDP(40000, DNS), DATA(1500)),
	P(CLIENT(C1, VIP2), TCP(40000, HTTP, ACK), DATA(1400)),
	P(CLIENT(C1, VIP3), UDP(40000, 1234), DATA(1472)),
	P(CLIENT(C1, VIP), UDP(40000, DNS), DATA(600), FRAGMENT(0, 256)),
	P(CLIENT(C1, VIP), UDP(40000, DNS), DATA(600), FRAGMENT(256, 256)),
	P(CLIENT(C1, VIP2), UDP(40000, DNS), DATA(600), FRAGMENT(0, 256)),
	P(CLIENT(C1, VIP2), UDP(40000, DNS), DATA(600), FRAGMENT(256, 256)),
	P(ETH(C1, LB), IP6(C1, VIP), EXTENSION(0), EXTENSION(60, .options = 1),
	  EXTENSION(43, .offset = 0x0400), TCP(40000, HTTP, SYN)),
	P(ETH(C1, LB), IP6(C1, VIP), EXTENSION(60), EXTENSION(60), EXTENSION(60), EXTENSION(60),
	  EXTENSION(60), EXTENSION(60), EXTENSION(60), UDP(40000, DNS)),
	P(ETH(B1, LB), IP(B1, VIP), TCP(HTTP, 40000, SYN | ACK)),
	P(ETH(B1, LB), IP(B1, VIP), UDP(5353, 40000), DATA(9)),
	P(ETH(ROUTER, LB), IP(ROUTER, VIP2), ICMP(TOO_BIG, .value = 1280), IP(VIP2, C1),
	  TCP(HTTP, 40000, ACK), DATA(9)),
	P(ETH(ROUTER, LB), IP(ROUTER, VIP3), ICMP(UNREACHABLE), IP(VIP3, C1), UDP(1234, 40000),
	  DATA(9)),
	P(CLIENT(C1, VIP), ICMP(ECHO), DATA(9)),
	P(CLIENT(C1, VIP3), TCP(40000, 8080, SYN)),
	P(CLIENT(C1, VIP2), UDP(40000, 1234), DATA(9)),
	P(ETH(B4, LB), IP(B4, C1), TCP(HTTP, 40000, ACK), DATA(3)),
	P(ETH(B5, LB), IP(B5, C1), UDP(1234, 40000), DATA(5), PAD(60)),
	P(ETH(B5, LB), IP(B5, C1), UDP(1234, 40000, .no_sum = true), DATA(5)),
	P(ETH(B5, LB), IP(B5, C1, .ttl = 1), UDP(1234, 40000), DATA(5)),
	P(ETH(B4, LB), VLAN(5), IP(B4, C1), TCP(HTTP, 40000, ACK), DATA(1400)),
	P(ETH(B4, LB), IP(B4, LB), TCP(HTTP, 40000, ACK)),
	P(ETH(B5, LB), IP(B5, C1), UDP(1234, 40000), DATA(600), FRAGMENT(0, 256)),
	P(ETH(B5, LB), IP(B5, C1), UDP(1234, 40000), DATA(600), FRAGMENT(256, 256)),
	P(ETH(ROUTER, LB), IP(ROUTER, C1), ICMP(TOO_BIG, .value = 1280), IP(C1, B4),
	  TCP(40000, HTTP, ACK), DATA(9)),
	P(ETH(ROUTER, LB), IP(ROUTER, VIP2), ICMP(UNREACHABLE), IP(VIP2, C1), UDP(1234, 40000),
	  DATA(9)),
	P(CLIENT(C1, LB), TCP(40000, 22, SYN)),
	P(ETH(B1, LB), IP(B1, POOL), TCP(HTTP, 40000, SYN | ACK)),
	P(ETH(C1, LB), IP6(MAPPED_C1, MAPPED_VIP), TCP(40000, HTTP, SYN)),
	P(ETH(C1, ALL_NODES), ARP),
	P(ETH(C1, LB), IP(C1, ALL_NODES), UDP(5353, 5353), DATA(20)),
	P(CLIENT(C1, VIP2), UDP(40000, USER), DATA(5)),
};
#define TEMPLATES (sizeof(templates) / sizeof(*templates))

/* The bytes, as far as they go: zeros follow. */
struct input {
	const uint8_t *bytes;
	size_t left;
};

static int take_byte(struct input *input)
{
	if (!input->left)
		return 0;
	input->left--;
	return *input->bytes++;
}

static int take_word(struct input *input)
{
	int high = take_byte(input);

	return high << 8 | take_byte(input);
}

static void from_template(struct packet *packet, int which)
{
	family = which & 1 ? 6 : 4;
	packet->length = build(templates[(which >> 1) % TEMPLATES], packet->bytes, NULL, 0);
}

static void swap(uint8_t *a, uint8_t *b, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		uint8_t byte = a[i];

		a[i] = b[i];
		b[i] = byte;
	}
}

/* The receiver acknowledges what it got: a SYN by a SYN-ACK, with numbers that match. */
static void acknowledge(uint8_t *tcp)
{
	uint8_t ack[4];
	int i = 3;

	memcpy(ack, tcp + 8, 4);
	memcpy(tcp + 8, tcp + 4, 4);
	memcpy(tcp + 4, ack, 4);
	while (i >= 0 && !++tcp[8 + i])
		i--;
	tcp[13] = tcp[13] == SYN ? SYN | ACK : ACK;
}

/* What the receiver of the last packet would answer. */
static void answer_last(struct packet *packet)
{
	struct view view;

	*packet = last_sent;
	view = view_frame(packet->bytes, packet->length);
	swap(packet->bytes, packet->bytes + 6, 6);
	if (!view.family)
		return;
	swap(packet->bytes + view.l3 + (view.family == 4 ? 12 : 8),
	     packet->bytes + view.l3 + (view.family == 4 ? 16 : 24), address_length(&view));
	if (!is_transport(&view))
		return;
	swap(packet->bytes + view.l4, packet->bytes + view.l4 + 2, 2);
	if (view.protocol == IPPROTO_TCP && view.l4 + 20 <= view.end)
		acknowledge(packet->bytes + view.l4);
}

/* An ICMP error about the last packet, to its sender. */
static void error_about_last(struct packet *packet, int message)
{
	struct view view = view_frame(last_sent.bytes, last_sent.length);
	size_t quoted = view.end - view.l3;

	if (!view.family || quoted > 1500) {
		packet->length = 0;
		return;
	}
	family = view.family;
	packet->length = build(P(ETH(ROUTER, LB), IP(ROUTER, VIP), ICMP(message % 4, .value = 1280),
				 BYTES(last_sent.bytes + view.l3, quoted)),
			       packet->bytes, NULL, 0);
	memcpy(packet->bytes + 14 + (family == 4 ? 16 : 24), source_of(last_sent.bytes, &view),
	       address_length(&view));
}

static void from_input(struct packet *packet, struct input *input)
{
	packet->length = take_byte(input);
	for (size_t i = 0; i < packet->length; i++)
		packet->bytes[i] = take_byte(input);
}

/* A field that matters, and what it becomes. */
static void change_field(struct packet *packet, int field, int value)
{
	static const int ports[] = { HTTP, DNS, 8080, 5353, 40000, 40001, 1234, 0 };
	struct view view = view_frame(packet->bytes, packet->length);
	uint8_t *ip = packet->bytes + view.l3;

	if (!view.family)
		return;
	switch (field) {
	case 0: /* the length */
		put16(ip + (view.family == 4 ? 2 : 4), value);
		break;
	case 1: /* IPv4: fragment; IPv6: next header */
		put16(ip + 6, value);
		break;
	case 2: /* hops */
		ip[view.family == 4 ? 8 : 7] = value;
		break;
	case 3: /* client */
		ip[view.family == 4 ? 15 : 23] = value & 15;
		break;
	case 4: /* source port */
		if (is_transport(&view))
			put16(ip + view.l4 - view.l3, ports[value & 7] + (value >> 3 & 31));
		break;
	case 5: /* destination port */
		if (is_transport(&view))
			put16(ip + view.l4 - view.l3 + 2, ports[value & 7]);
		break;
	case 6: /* TCP flags */
		if (view.protocol == IPPROTO_TCP && view.l4 + 20 <= view.end)
			packet->bytes[view.l4 + 13] = value;
		break;
	case 7: /* IPv4: options */
		ip[0] = 0x40 | (value & 15);
		break;
	}
}

static void change_packet(struct packet *packet, struct input *input)
{
	int kind = take_byte(input);
	int value = take_word(input);

	if (kind < 128) {
		change_field(packet, kind & 7, value);
	} else if (kind < 192 && packet->length) {
		packet->bytes[(value >> 8 | (kind & 3) << 8) % packet->length] = value;
	} else if (kind < 224 && packet->length) {
		packet->length = value % (packet->length + 1);
	} else {
		size_t more = value & 255;

		memset(packet->bytes + packet->length, kind, more);
		packet->length += more;
	}
}

/* Events */

static void turn_clock(int how)
{
	static const int seconds[] = { 1, 29, 59, 61, 119, 121, 299, 901 };

	age_flows(seconds[how & 7]);
	age_fragments(seconds[how & 7]);
	if (how & 8)
		age_slots(seconds[how & 7]);
}

static void change_flags(struct service *service)
{
	service->hash ^= HASH_SOURCE;
	service->settle ^= 60;
}

/* As if the table of services were of a later version. */
static void change_mode(struct service *service)
{
	service->mode ^= 8;
	unknown_modes += service->mode & 8 ? 1 : -1;
}

static void change_world(int event, int value)
{
	int service = 1 + value % services;
	int slot = value >> 4 & 1;

	family = service <= services / 2 ? 4 : 6;
	switch (event & 15) {
	case 0:
		if (value % 16 == 0) /* seldom: the real table is large */
			turn_clock(value / 16);
		break;
	case 1:
		backend_of(service, B1)->generation++;
		break;
	case 2:
		set_owner(service, slot, backend_number(service, B1 + (value >> 5 & 3)));
		break;
	case 3:
		set_former(service, slot,
			   value & 64 ? backend_number(service, B1 + (value >> 5 & 3)) : 0,
			   tick_now());
		break;
	case 4:
		config()->flags ^= value & (CONFIG_DENY | CONFIG_TRACE);
		break;
	case 5:
		limit_of(service)->pps = value >= 192 ? 1000 : 0;
		limit_of(service)->flows = value >= 224 ? 2 : 0;
		break;
	case 6:
		backend_of(service, B1)->mtu[0] = value & 16 ? 600 : value & 32 ? KNOWN_MTU : 0;
		break;
	case 7:
		program = value & 16 ? PROGRAM_FRAGS : PROGRAM_XDP;
		break;
	case 8:
		set_owner(service, slot, value >= 192 ? 0 : backend_number(service, B1));
		break;
	case 9:
		memcpy(backend_of(service, B1)->hop[0].mac, mac_of(value >= 192 ? NOBODY : B1), 6);
		break;
	case 10:
		change_service(service, change_flags);
		break;
	case 11:
		backend_of(service, B1)->flags ^= BACKEND_HOP;
		break;
	case 13:
		use_source(value & 16 ? family : 0);
		break;
	case 12:
		if (value >= 192 || unknown_modes)
			change_service(service, change_mode);
		break;
	}
}

/* Playing */

static void print_frame(const char *name, const uint8_t *bytes, size_t length)
{
	printf("%s, %zu bytes:", name, length);
	for (size_t i = 0; i < length; i++)
		printf("%s%02x", i % 16 ? " " : "\n  ", bytes[i]);
	printf("\n");
}

static void report(const struct trial *trial, const char *broken)
{
	printf("FAIL invariant broken: %s (action %d)\n", broken, trial->action);
	print_frame("in", trial->in, trial->in_length);
	print_frame("out", trial->out, trial->out_length);
	fflush(stdout);
	abort();
}

static bool same_outcome(const struct outcome *a, const struct outcome *b)
{
	return a->action == b->action && a->length == b->length &&
	       !memcmp(a->frame, b->frame, a->length);
}

/* What limits have counted so far is forgotten, so that they decide the same again. */
static void reset_limits(void)
{
	struct limit *limits = map_memory(MAP_LIMITS);

	for (int service = 0; service <= services; service++)
		limits[service].next_flow = 0;
	if (count_sources())
		map_clear(MAP_SOURCES);
}

/* Runs the packet once more, on the slow path alone, or on the fast one if it is fit for that. */
static void run_again(const struct packet *packet, enum path path, struct outcome *outcome)
{
	reset_limits();
	taken_path = path;
	config()->flags &= ~CONFIG_NO_FAST_PATH;
	if (path == PATH_SLOW)
		config()->flags |= CONFIG_NO_FAST_PATH;
	run_packet(packet->bytes, packet->length, outcome);
	packets_played++;
}

/*
 * A packet that the slow path does the same with twice, gets the same from the fast path in between:
 * forwarded, answered, passed, dropped or aborted. What a port drawn at random decides may differ
 * once, but not each time.
 */
static void compare_paths(const struct packet *packet)
{
	static struct outcome before, between, after;
	__u32 flags = config()->flags;
	int tries = 0;

	do {
		run_again(packet, PATH_SLOW, &before);
		run_again(packet, PATH_WARM, &between);
		run_again(packet, PATH_SLOW, &after);
		config()->flags = flags;
		taken_path = PATH_PLAIN;
		if (!same_outcome(&before, &after))
			return;
	} while (!same_outcome(&before, &between) && ++tries < MAX_TRIES);
	paths_compared++;
	if (tries == MAX_TRIES) {
		print_frame("the slow path", before.frame, before.length);
		report(&(struct trial){ packet->bytes, packet->length, between.frame,
					between.length, between.action, false },
		       "the fast path does something else");
	}
}

static void try_packet(struct packet *packet)
{
	static struct outcome outcome;
	struct trial trial = { .in = packet->bytes, .out = outcome.frame };
	const char *broken;

	while (packet->length < MIN_FRAME)
		packet->bytes[packet->length++] = 0;
	if (packet->length > MAX_PLAYED)
		packet->length = MAX_PLAYED;
	run_packet(packet->bytes, packet->length, &outcome);
	trial.in_length = packet->length;
	trial.out_length = outcome.length;
	trial.action = outcome.action;
	trial.may_abort = unknown_modes;
	packets_played++;
	broken = broken_invariant(&trial);
	if (broken)
		report(&trial, broken);
	if (outcome.action == XDP_TX || outcome.action == XDP_REDIRECT) {
		packets_sent++;
		last_sent.length = outcome.length;
		memcpy(last_sent.bytes, outcome.frame, outcome.length);
	}
	if (packets_played % COMPARED == 0)
		compare_paths(packet);
}

/* A dry run leaves the frame as it is, and drops it. */
static void try_dry(struct packet *packet)
{
	static struct outcome outcome;

	while (packet->length < MIN_FRAME)
		packet->bytes[packet->length++] = 0;
	if (packet->length > MAX_PLAYED)
		packet->length = MAX_PLAYED;
	dry_run(packet->bytes, packet->length, &outcome);
	if (outcome.action != XDP_DROP || outcome.length != packet->length ||
	    memcmp(outcome.frame, packet->bytes, packet->length))
		report(&(struct trial){ packet->bytes, packet->length, outcome.frame,
					outcome.length, outcome.action },
		       "a dry run changed the packet");
}

/* New flows, from one client port after the other. */
static void flood(int which, int count)
{
	static struct packet packet;

	for (int i = 0; i < count; i++) {
		from_template(&packet, which);
		change_field(&packet, 4, i * 8); /* source port */
		repair(packet.bytes, packet.length);
		try_packet(&packet);
	}
}

/*
 * One step: bits 0 to 2 of the first byte say how many changes, bit 3 whether sums are made right.
 */
static void play_step(struct input *input)
{
	static const int changes[] = { 0, 0, 0, 1, 1, 2, 3, 7 };
	static struct packet packet;
	int how = take_byte(input);
	int kind = how >> 4;

	if (kind >= 14 && (how & 15) == 15) {
		flood(take_byte(input) & 31, FLOOD);
		return;
	}
	if (kind >= 14) {
		change_world(how, take_byte(input));
		return;
	}
	if (kind < 8)
		from_template(&packet, take_byte(input));
	else if (kind < 11)
		answer_last(&packet);
	else if (kind < 13)
		error_about_last(&packet, take_byte(input));
	else
		from_input(&packet, input);
	for (int i = 0; i < changes[how & 7]; i++)
		change_packet(&packet, input);
	if (how & 8 || kind == 8 ||
	    kind == 9) /* an answer's sums, too: flags and numbers changed */
		repair(packet.bytes, packet.length);
	if (kind == 0)
		try_dry(&packet);
	else
		try_packet(&packet);
}

void play(const uint8_t *bytes, size_t size)
{
	struct input input = { bytes, size };

	for (int i = 0; i < MAX_STEPS && input.left; i++)
		play_step(&input);
}

void check_counters(void)
{
	static uint64_t counted_before;
	static unsigned long played_before;
	struct service_stats stats;
	struct backend_stats sent;
	uint64_t counted = 0;

	for (int service = 0; service <= services; service++) {
		read_sums(MAP_SVC_STATS, service, (uint64_t *)&stats, sizeof(stats));
		for (int verdict = 0; verdict < VERDICTS; verdict++)
			counted += stats.verdict[verdict].packets;
		counted -= stats.verdict[VERDICT_REDIRECTED].packets;
	}
	/* What is forwarded or redirected, by backends of this world and of earlier ones. */
	for (int backend = 0; backend < TEST_BACKENDS; backend++) {
		read_sums(MAP_BE_STATS, backend, (uint64_t *)&sent, sizeof(sent));
		counted += sent.total.packets;
	}
	if (counted - counted_before != packets_played - played_before) {
		printf("FAIL counters: %lu packets counted, not %lu\n",
		       (unsigned long)(counted - counted_before), packets_played - played_before);
		fflush(stdout);
		abort();
	}
	counted_before = counted;
	played_before = packets_played;
}
