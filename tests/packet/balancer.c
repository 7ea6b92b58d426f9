// SPDX-License-Identifier: GPL-2.0
/* See balancer.h. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <xxhash.h>

#include "balancer.h"

#define FIRST_GENERATION 7

enum program program;
int ingress = IFINDEX_LO;
long counters_moved;

/* What has been set up; numbers start at 1. */
static struct {
	enum host host;
	int family;
	bool stateless;
} vips[TEST_SERVICES];

static struct {
	struct service_key key;
	struct service value;
} services[TEST_SERVICES];

static struct {
	enum host host;
	int family;
} backend_hosts[TEST_BACKENDS];

static int vip_count, service_count, backend_count;
enum path taken_path;

/* So that tests know which flows meet in a bucket. */
static const __u64 known_secret[HASH_FACTORS] = { 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F,
						  0xD6E8FEB86659FD93 };

static struct flow_bucket *buckets(void)
{
	return map_memory(MAP_BUCKETS);
}

static struct flow *flows_of(int bucket)
{
	return (struct flow *)map_memory(MAP_FLOWS) + bucket * FLOW_WAYS;
}

static struct backend *backends(void)
{
	return map_memory(MAP_BACKENDS);
}

struct config *config(void)
{
	return map_memory(MAP_CONFIG);
}

static void limited(struct service *service)
{
	service->flags |= SERVICE_LIMITED;
}

struct limit *limit_of(int service)
{
	change_service(service, limited);
	return (struct limit *)map_memory(MAP_LIMITS) + service;
}

static uint16_t *word_of_owner(int service, uint32_t slot)
{
	return &((struct slots *)table_memory(service))[slot / SLOTS_PER_WORD]
			.backend[slot % SLOTS_PER_WORD];
}

void set_owner(int service, uint32_t slot, int backend)
{
	uint16_t *word = word_of_owner(service, slot);

	*word = (*word & SLOT_MOVING) | backend;
}

struct transition *transition_at(int service, uint32_t slot)
{
	uint32_t slots = services[service].value.slots;

	return (struct transition *)table_memory(service) +
	       (slots + SLOTS_PER_WORD - 1) / SLOTS_PER_WORD + slot;
}

void set_former(int service, uint32_t slot, int backend, uint32_t seen)
{
	uint16_t *word = word_of_owner(service, slot);

	*word = backend ? *word | SLOT_MOVING : *word & ~SLOT_MOVING;
	transition_at(service, slot)->former = backend;
	transition_at(service, slot)->began = unit_of(seen);
	transition_at(service, slot)->seen = seen;
}

/* What a bucket that was never used leads to was neither. */
static void clear_flows(void)
{
	static const struct flow_bucket unused;

	for (int i = 0; i < FLOW_BUCKETS; i++) {
		if (!memcmp(&buckets()[i], &unused, sizeof(unused)))
			continue;
		memset(&buckets()[i], 0, sizeof(unused));
		memset(flows_of(i), 0, sizeof(struct flow) * FLOW_WAYS);
	}
}

void reset_balancer(void)
{
	map_clear(MAP_VIPS);
	map_clear(MAP_SERVICES);
	map_clear(MAP_FRAGMENTS);
	map_clear(MAP_SOURCES);
	map_clear(MAP_DENY);
	map_clear(MAP_OWN);
	map_clear(MAP_REALS);
	clear_flows();
	memset(config(), 0, sizeof(struct config));
	config()->flags = (taken_path == PATH_SLOW ? CONFIG_NO_FAST_PATH : 0) | CONFIG_KNOWS_VIPS;
	memcpy(config()->secret, known_secret, sizeof(known_secret));
	memset(backends(), 0, sizeof(struct backend) * TEST_BACKENDS);
	memset(map_memory(MAP_PORTS), 0, sizeof(struct port_hints) * PORT_HINTS);
	memset(map_memory(MAP_DIRECT), 0, sizeof(struct direct) * TEST_BACKENDS);
	memset(map_memory(MAP_REPLIES), 0, sizeof(struct answer) * TEST_SERVICES);
	memset(map_memory(MAP_POOL), 0, sizeof(struct pool));
	memset(map_memory(MAP_LIVE), 0, sizeof(struct live) * TEST_BACKENDS);
	memset(map_memory(MAP_LEAST), 0, sizeof(struct least) * TEST_SERVICES);
	memset(map_memory(MAP_LIMITS), 0, sizeof(struct limit) * TEST_SERVICES);
	for (int i = 1; i <= TEST_TABLES; i++)
		memset(table_memory(i), 0, sizeof(struct slots) * MAX_TEST_WORDS);
	while (next_event())
		;
	vip_count = service_count = backend_count = 0;
	counters_moved++;
	memset(chosen, 0, sizeof(chosen));
	ingress = IFINDEX_LO;
}

/* Setting up */

struct address address_of(enum host host)
{
	struct address address = {};

	if (family == 6) {
		memcpy(&address, ip6_of(host), 16);
	} else {
		address.word[2] = htonl(0xffff);
		memcpy(&address.word[3], ip4_of(host), 4);
	}
	return address;
}

uint32_t slot_hash(enum host peer, int peer_port, int vip_port)
{
	struct {
		struct address peer;
		uint16_t peer_port, vip_port;
	} key = { address_of(peer), htons(peer_port), htons(vip_port) };

	return XXH32(&key, sizeof(key), 0);
}

static uint32_t ports_word(int source, int destination)
{
	return htons(source) | (uint32_t)htons(destination) << 16;
}

uint32_t hash_of_flow(enum host peer, int peer_port, int vip_port)
{
	struct address address = address_of(peer);
	__u64 half[2];

	memcpy(half, &address, sizeof(half));
	return flow_hash(config(), half, ports_word(peer_port, vip_port));
}

/* What an odd factor undoes: each step doubles the bits that are right (Newton). */
static uint64_t inverse_of(uint64_t factor)
{
	uint64_t inverse = factor;

	for (int bits = 3; bits < 64; bits *= 2)
		inverse *= 2 - factor * inverse;
	return inverse;
}

/*
 * Of IPv6 the address makes up for what the ports differ by. IPv4 has no such twin by construction;
 * one in two billion addresses is: the caller has tried them.
 */
void make_twin(enum host peer, int peer_port, int vip_port, int twin_port, const char *twin_ip4)
{
	const __u64 *secret = config()->secret;
	__u64 half[2];
	uint8_t ip4[4];

	memcpy(half, ip6_of(peer), sizeof(half));
	half[0] = mix_word(half[0], secret[0]);
	half[1] = mix_word(half[0] + half[1], secret[1]) + ports_word(peer_port, vip_port) -
		  ports_word(twin_port, vip_port);
	half[1] = (half[1] ^ half[1] >> 32) * inverse_of(secret[1]) - half[0];
	if (inet_pton(AF_INET, twin_ip4, ip4) != 1)
		broken("%s is no address", twin_ip4);
	set_twin(peer, ip4, half[1]);
}

/*
 * After a change of VIPs or services: a new number, so that the program forgets what it kept of
 * them. On the plain path it keeps none, as while the helper changes something.
 */
static void forget_kept(void)
{
	static uint32_t generation = GENERATION_CHANGING;

	config()->generation = taken_path == PATH_PLAIN ? GENERATION_CHANGING : ++generation;
}

/* Before the address is a VIP or the host's. */
static void know_address(const struct address *address)
{
	uint64_t half[2];
	uint32_t bit;

	memcpy(half, address, sizeof(half));
	bit = known_bit(half[0], half[1]);
	config()->known_bits[bit / 64] |= 1ULL << bit % 64;
}

/* The VIP's number; the first use of an address gives it one. */
static int vip_number(enum host host, enum mode mode)
{
	struct address address = address_of(host);
	struct vip vip = {};
	int number = 1;

	while (number <= vip_count && !(vips[number].host == host && vips[number].family == family))
		number++;
	if (number > vip_count) {
		vip_count++;
		vips[number].host = host;
		vips[number].family = family;
		vips[number].stateless = true;
	}
	if (mode == MODE_NAT)
		vips[number].stateless = false;
	((struct address *)map_memory(MAP_ADDRESSES))[number] = address;
	vip.number = number;
	vip.flags = vips[number].stateless ? VIP_STATELESS : 0;
	know_address(&address);
	map_update(MAP_VIPS, &address, &vip);
	return number;
}

void know_way(struct backend *backend)
{
	memcpy(backend->hop[0].own_mac, mac_of(LB), 6);
	backend->hop[0].ifindex = IFINDEX_LO;
	backend->mtu[0] = backend->mtu[1] = KNOWN_MTU;
}

static int add_backend(int service, enum host host)
{
	struct backend *backend = &backends()[++backend_count];

	if (backend_count >= TEST_BACKENDS)
		broken("too many backends");
	counters_moved++;
	backend_hosts[backend_count].host = host;
	backend_hosts[backend_count].family = family;
	backend->address = address_of(host);
	backend->generation = FIRST_GENERATION;
	backend->service = service;
	memcpy(backend->hop[0].mac, mac_of(host), 6);
	if (taken_path == PATH_WARM)
		know_way(backend);
	return backend_count;
}

int backend_number(int service, enum host host)
{
	for (int i = 1; i <= backend_count; i++)
		if (backends()[i].service == service && backend_hosts[i].host == host &&
		    backend_hosts[i].family == family)
			return i;
	return add_backend(service, host);
}

struct backend *backend_of(int service, enum host host)
{
	return &backends()[backend_number(service, host)];
}

/* Mode dnat: makes what the backend sends from this port be known. */
static void know_answers(int service, int number, __be16 port)
{
	const struct backend *backend = &backends()[number];
	struct real_key key = {
		.address = backend->address,
		.port = port,
		.protocol = services[service].key.protocol,
	};
	uint32_t value = number;

	map_update(MAP_REALS, &key, &value);
	config()->flags |= CONFIG_DNAT;
	forget_kept();
}

static struct answer *answer_of(int service)
{
	return (struct answer *)map_memory(MAP_REPLIES) + service;
}

static void know_service(int service, enum host vip)
{
	const struct service_key *key = &services[service].key;

	*answer_of(service) = (struct answer){
		.vip = address_of(vip),
		.port = key->port,
		.vip_number = key->vip,
	};
	for (int i = 1; i <= backend_count; i++)
		if (backends()[i].service == service)
			know_answers(service, i, key->port);
}

void set_port(int service, enum host host, int port)
{
	backend_of(service, host)->port = htons(port);
	know_answers(service, backend_number(service, host), htons(port));
}

void set_via(int service, enum host host)
{
	answer_of(service)->via = backend_number(service, host);
}

int add_service(enum host vip, int port, int protocol, enum mode mode, const enum host *owners)
{
	int number = ++service_count;
	struct service_key key = {
		.vip = vip_number(vip, mode),
		.port = htons(port),
		.protocol = protocol,
	};
	struct service service = { .number = number, .table = number, .mode = mode };

	if (number > TEST_TABLES)
		broken("too many services");
	counters_moved++;
	for (; owners[service.slots] != NOBODY; service.slots++)
		set_owner(number, service.slots, backend_number(number, owners[service.slots]));
	map_update(MAP_SERVICES, &key, &service);
	services[number].key = key;
	services[number].value = service;
	if (mode == MODE_DNAT)
		know_service(number, vip);
	forget_kept();
	return number;
}

void use_source(int source)
{
	struct pool *pool = map_memory(MAP_POOL);

	memset(family == 4 ? pool->ipv4 : pool->ipv6, source, POOL_SLOTS);
}

void add_source(enum host host, int source)
{
	struct address address = address_of(host);
	struct vip vip = { .number = POOL_NUMBER(source), .flags = VIP_POOL };

	((struct address *)map_memory(MAP_ADDRESSES))[vip.number] = address;
	know_address(&address);
	map_update(MAP_VIPS, &address, &vip);
	forget_kept();
	use_source(source);
}

void change_service(int service, void (*change)(struct service *))
{
	change(&services[service].value);
	map_update(MAP_SERVICES, &services[service].key, &services[service].value);
	forget_kept();
}

void deny(enum host host, int bits)
{
	struct deny_key key = { .length = bits + (family == 4 ? 96 : 0),
				.prefix = address_of(host) };
	uint32_t value = 1;

	map_update(MAP_DENY, &key, &value);
	config()->flags |= CONFIG_DENY;
}

void own_host(enum host host)
{
	struct own_key key = { .address = address_of(host) };
	uint32_t value = OWN_HOST;

	know_address(&key.address);
	map_update(MAP_OWN, &key, &value);
}

void own_mac(int ifindex, enum host host)
{
	struct own_key key = { .ifindex = ifindex };
	uint32_t value = OWN_MAC;

	memcpy(key.mac, mac_of(host), sizeof(key.mac));
	map_update(MAP_OWN, &key, &value);
	config()->knows_macs = 1;
}

void own_backend(enum host host, int port, int protocol)
{
	struct own_key key = { .address = address_of(host) };
	uint32_t value = OWN_BACKEND;

	map_update(MAP_OWN, &key, &value);
	key.port = htons(port);
	key.protocol = protocol;
	map_update(MAP_OWN, &key, &value);
}

/* Flows and fragments */

int for_each_flow(void (*visit)(struct flow *flow))
{
	int count = 0;

	for (int i = 0; i < FLOW_BUCKETS; i++) {
		for (int way = 0; way < FLOW_WAYS; way++) {
			struct flow *flow = &flows_of(i)[way];

			if (!flow->cookie)
				continue;
			count++;
			if (visit)
				visit(flow);
		}
	}
	return count;
}

int count_flows(void)
{
	return for_each_flow(NULL);
}

int count_fragments(void)
{
	return map_count(MAP_FRAGMENTS);
}

int count_sources(void)
{
	return map_count(MAP_SOURCES);
}

static int aged_by;

static void age(struct flow *flow)
{
	flow->seen -= TICKS_OF(aged_by);
	if (flow->client.protocol == IPPROTO_UDP)
		flow->answered -= TICKS_OF(aged_by);
}

void age_flows(int seconds)
{
	aged_by = seconds;
	for_each_flow(age);
}

void age_slots(int seconds)
{
	for (int service = 1; service <= service_count; service++)
		for (uint32_t i = 0; i < services[service].value.slots; i++)
			transition_at(service, i)->seen -= TICKS_OF(seconds);
}

/* An update moves an entry, so that it may come up again: the keys are taken first. */
void age_fragments(int seconds)
{
	static struct fragment_key keys[MAX_FRAGMENTED];
	struct fragment fragment;
	int count = 0;

	while (count < MAX_FRAGMENTED &&
	       map_next(MAP_FRAGMENTS, count ? &keys[count - 1] : NULL, &keys[count]))
		count++;
	while (count--) {
		if (!map_lookup(MAP_FRAGMENTS, &keys[count], &fragment))
			continue;
		fragment.seen -= TICKS_OF(seconds);
		map_update(MAP_FRAGMENTS, &keys[count], &fragment);
	}
}

/* Running */

/* What a service has forwarded is counted by its backends alone: see struct service_stats. */
static void add_sent(struct counters *counters, int number)
{
	struct counter *sum =
		&counters->service[backends()[number].service].verdict[VERDICT_FORWARDED];

	sum->packets += counters->backend[number].total.packets;
	sum->bytes += counters->backend[number].total.bytes;
}

static void subtract_redirected(struct service_stats *stats)
{
	stats->verdict[VERDICT_FORWARDED].packets -= stats->verdict[VERDICT_REDIRECTED].packets;
	stats->verdict[VERDICT_FORWARDED].bytes -= stats->verdict[VERDICT_REDIRECTED].bytes;
}

void read_counters(struct counters *counters)
{
	memset(counters, 0, sizeof(*counters));
	for (int i = 0; i <= service_count; i++)
		read_sums(MAP_SVC_STATS, i, (uint64_t *)&counters->service[i],
			  sizeof(*counters->service));
	for (int i = 0; i <= backend_count; i++)
		read_sums(MAP_BE_STATS, i, (uint64_t *)&counters->backend[i],
			  sizeof(*counters->backend));
	for (int i = 1; i <= backend_count; i++)
		add_sent(counters, i);
	for (int i = 1; i <= service_count; i++)
		subtract_redirected(&counters->service[i]);
}

void run_packet(const uint8_t *frame, size_t length, struct outcome *outcome)
{
	struct run run = {
		.program = program,
		.ingress = ingress,
		.in = frame,
		.length = length,
		.out = outcome->frame,
		.out_length = sizeof(outcome->frame),
	};

	counters_moved++;
	if (taken_path == PATH_WARM)
		dry_run(frame, length, outcome);
	outcome->action = run_program(&run);
	outcome->length = run.out_length;
}

struct decision dry_run(const uint8_t *frame, size_t length, struct outcome *outcome)
{
	static uint8_t in[sizeof(struct decision) + MAX_FRAME], out[sizeof(in)];
	struct decision decision = {};
	struct run run = {
		.program = program,
		.ingress = ingress,
		.in = in,
		.length = sizeof(decision) + length,
		.room = sizeof(decision),
		.out = out,
		.out_length = sizeof(out),
	};

	memcpy(in, &decision, sizeof(decision));
	memcpy(in + sizeof(decision), frame, length);
	outcome->action = run_program(&run);
	outcome->length = run.out_length - sizeof(decision);
	memcpy(&decision, out, sizeof(decision));
	memcpy(outcome->frame, out + sizeof(decision), outcome->length);
	return decision;
}
