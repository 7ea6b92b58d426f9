// SPDX-License-Identifier: GPL-2.0
/*
 * Many packets at once, on all CPUs: clients with the same few source ports connect to one backend
 * over one VIP, so that all fight for the same ports. Each thread has clients of its own, and knows
 * what must become of their packets: an answer never goes to another client, and a connection whose
 * handshake was completed is never lost.
 */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "balancer.h"
#include "cases.h"

#define HTTP 80
#define THREADS 4
#define CLIENTS 500 /* of each thread */
#define SOURCE_PORTS 4
#define ROUNDS 100000 /* of each thread; SLOW: a hundredth */

/* Where things are in a frame of Ethernet, IPv4 and TCP. */
#define LENGTH 54
#define IP_AT 14
#define IP_SUM_AT 24
#define SOURCE_AT 26
#define DESTINATION_AT 30
#define SOURCE_PORT_AT 34
#define DESTINATION_PORT_AT 36
#define SEQUENCE_AT 38
#define ACKNOWLEDGED_AT 42
#define FLAGS_AT 47

struct client {
	uint8_t address[4];
	uint8_t port[2];
	bool open; /* the handshake was completed */
	uint8_t got[LENGTH]; /* its last packet, as the backend got it */
};

struct worker {
	pthread_t thread;
	unsigned int seed;
	int rounds;
	struct client client[CLIENTS];
	unsigned long packets, connections;
	const char *broken; /* NULL: nothing */
};

static uint8_t syn[MAX_FRAME]; /* of a client, but for its address and port */
static struct worker workers[THREADS];

static int run(struct worker *worker, const uint8_t *frame, uint8_t *out)
{
	uint8_t room[MAX_FRAME] = { 0 };
	struct run run = {
		.program = PROGRAM_XDP,
		.ingress = IFINDEX_LO,
		.in = frame,
		.length = LENGTH,
		.out = room,
		.out_length = sizeof(room),
	};
	int action = run_program(&run);

	worker->packets++;
	memcpy(out, room, LENGTH);
	return action;
}

static void set_ip_sum(uint8_t *frame)
{
	uint16_t sum;

	memset(frame + IP_SUM_AT, 0, 2);
	sum = htons(internet_checksum(frame + IP_AT, SOURCE_AT + 8 - IP_AT, 0));
	memcpy(frame + IP_SUM_AT, &sum, 2);
}

/* Gives the client's packet to the balancer, which must send it to the backend, from the VIP. */
static bool client_sends(struct worker *worker, struct client *client, int flags)
{
	uint8_t frame[LENGTH];

	memcpy(frame, syn, LENGTH);
	memcpy(frame + SOURCE_AT, client->address, 4);
	memcpy(frame + SOURCE_PORT_AT, client->port, 2);
	frame[FLAGS_AT] = flags;
	memset(frame + ACKNOWLEDGED_AT, 0, 4);
	frame[ACKNOWLEDGED_AT + 3] = 1; /* the backend's first sequence number is 0 */
	set_ip_sum(frame);
	if (run(worker, frame, client->got) != XDP_TX)
		return false;
	if (memcmp(client->got + SOURCE_AT, ip4_of(VIP), 4) ||
	    memcmp(client->got + DESTINATION_AT, ip4_of(B1), 4))
		worker->broken = "a client's packet did not go to the backend from the VIP";
	return true;
}

/* The backend's answer, which must go to this client and no other. */
static bool backend_answers(struct worker *worker, struct client *client, int flags)
{
	uint8_t frame[LENGTH], out[LENGTH];

	memcpy(frame, client->got, LENGTH);
	memcpy(frame, mac_of(LB), 6);
	memcpy(frame + 6, mac_of(B1), 6);
	memcpy(frame + SOURCE_AT, ip4_of(B1), 4);
	memcpy(frame + DESTINATION_AT, ip4_of(VIP), 4);
	memcpy(frame + SOURCE_PORT_AT, client->got + DESTINATION_PORT_AT, 2);
	memcpy(frame + DESTINATION_PORT_AT, client->got + SOURCE_PORT_AT, 2);
	memset(frame + SEQUENCE_AT, 0, 4);
	frame[FLAGS_AT] = flags;
	set_ip_sum(frame);
	if (run(worker, frame, out) != XDP_TX)
		return false;
	if (memcmp(out + DESTINATION_AT, client->address, 4) ||
	    memcmp(out + DESTINATION_PORT_AT, client->port, 2))
		worker->broken = "an answer went to another client";
	return true;
}

/* A flood may take the port of a handshake that is not over; then it fails, as it may. */
static void connect_client(struct worker *worker, struct client *client)
{
	if (!client_sends(worker, client, SYN) || !backend_answers(worker, client, SYN | ACK) ||
	    !client_sends(worker, client, ACK))
		return;
	client->open = backend_answers(worker, client, ACK);
	worker->connections += client->open;
}

static void use_client(struct worker *worker, struct client *client, bool close)
{
	if (!client_sends(worker, client, PSH | ACK) || !backend_answers(worker, client, ACK)) {
		worker->broken = "an open connection was lost";
		return;
	}
	if (!close)
		return;
	client_sends(worker, client, RST);
	client->open = false;
}

static void *work(void *argument)
{
	struct worker *worker = argument;

	for (int i = 0; i < worker->rounds && !worker->broken; i++) {
		int number = rand_r(&worker->seed);
		struct client *client = &worker->client[number % CLIENTS];

		if (client->open)
			use_client(worker, client, number / CLIENTS % 3 == 0);
		else
			connect_client(worker, client);
	}
	return NULL;
}

static void make_clients(struct worker *worker, int number)
{
	for (int i = 0; i < CLIENTS; i++) {
		struct client *client = &worker->client[i];
		int port = 40000 + i % SOURCE_PORTS;

		memcpy(client->address, (uint8_t[]){ 100, 64 + number, i >> 8, i }, 4);
		memcpy(client->port, (uint8_t[]){ port >> 8, port }, 2);
	}
}

static struct flow *flows[FLOW_BUCKETS * FLOW_WAYS];
static int flow_count;

static void collect(struct flow *flow)
{
	flows[flow_count++] = flow;
}

static int compare_ports(const void *a, const void *b)
{
	const struct flow *const *first = a, *const *second = b;
	int difference = (*first)->backend - (*second)->backend;

	return difference ? difference : (*first)->port - (*second)->port;
}

/* No port is owned twice, and no lock is held. */
static void check_table(void)
{
	const struct flow_bucket *buckets = map_memory(MAP_BUCKETS);

	for (int i = 0; i < FLOW_BUCKETS; i++)
		check(!buckets[i].half[0].lock, "bucket %d is locked", i);
	flow_count = 0;
	for_each_flow(collect);
	qsort(flows, flow_count, sizeof(*flows), compare_ports);
	for (int i = 1; i < flow_count; i++)
		check(compare_ports(&flows[i - 1], &flows[i]), "two flows own one port");
}

static void race(void)
{
	unsigned long packets = 0, connections = 0;
	int established = 0;

	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .seed = i + 1, .rounds = ROUNDS / stride() };
		make_clients(&workers[i], i);
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			broken("thread");
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		check(!workers[i].broken, "%s", workers[i].broken);
		packets += workers[i].packets;
		connections += workers[i].connections;
	}
	check_table();
	for (int i = 0; i < flow_count; i++)
		established += flows[i]->state & FLOW_ESTABLISHED;
	check(established > flow_count / 4, "%d of %d flows are established", established,
	      flow_count);
	check(connections > packets / 20, "only %lu connections of %lu packets", connections,
	      packets);
	printf("# %lu packets, %lu connections, %d flows at the end\n", packets, connections,
	       flow_count);
}

/*
 * A bucket whose pointers, and those of its sibling, are all of established flows, and clients that
 * hash to it: their SYNs find no room, and the flows know nothing of it.
 */
#define PACKETS 300000 /* of the flows; SLOW: a hundredth */
#define KNOWN (2 * FLOW_POINTERS)
#define CROWD (KNOWN + 16)

static struct worker crowd;
static int crowd_size;
static volatile bool is_over;

static unsigned int bucket_of(const struct client *client)
{
	__u64 half[2] = { 0 };
	uint32_t address, ports;
	uint16_t source, destination = htons(HTTP);

	memcpy(&address, client->address, sizeof(address));
	memcpy(&source, client->port, sizeof(source));
	half[1] = (uint64_t)address << 32 | htonl(0xffff);
	ports = source | (uint32_t)destination << 16;
	return flow_hash(config(), half, ports) >> FLOW_WAY_BITS & (FLOW_BUCKETS - 1);
}

static void make_crowd(void)
{
	unsigned int bucket = 0;

	for (unsigned int i = 0; crowd_size < CROWD; i++) {
		struct client client = { .address = { 100, 80 + (i >> 16), i >> 8, i } };
		int port = 41000 + crowd_size;

		memcpy(client.port, (uint8_t[]){ port >> 8, port }, 2);
		if (!crowd_size)
			bucket = bucket_of(&client);
		if (bucket_of(&client) == bucket)
			crowd.client[crowd_size++] = client;
	}
}

static void *flood_bucket(void *argument)
{
	static struct worker flooder[THREADS];
	struct worker *worker = &flooder[(long)argument];

	memcpy(worker->client, crowd.client, sizeof(worker->client));
	for (int i = 0; !is_over; i++)
		client_sends(worker, &worker->client[KNOWN + i % 16], SYN);
	return NULL;
}

static void crowded_bucket(void)
{
	pthread_t flooder[THREADS - 1];
	int lost = 0;

	crowd = (struct worker){ 0 };
	crowd_size = 0;
	is_over = false;
	make_crowd();
	for (int i = 0; i < KNOWN; i++)
		connect_client(&crowd, &crowd.client[i]);
	CHECK_EQUAL(crowd.connections, KNOWN);
	for (long i = 0; i < THREADS - 1; i++)
		if (pthread_create(&flooder[i], NULL, flood_bucket, (void *)i))
			broken("thread");
	for (int i = 0; i < PACKETS / stride(); i++)
		lost += !client_sends(&crowd, &crowd.client[i % KNOWN], PSH | ACK);
	is_over = true;
	for (int i = 0; i < THREADS - 1; i++)
		pthread_join(flooder[i], NULL);
	CHECK_EQUAL(lost, 0);
	CHECK_EQUAL(count_flows(), KNOWN);
}

/*
 * The same SYN on two CPUs at once, as a switch that doubles a frame or a client's own repetition has
 * it: one flow begins, and both go to the same port of the backend.
 */
#define TWICE 40000 /* clients; SLOW: a hundredth */

static struct worker twins[2];
static atomic_int arrived;

/* Both threads leave here at the same time, to some 10 ns. */
static void meet(int round)
{
	atomic_fetch_add(&arrived, 1);
	for (int i = 0; atomic_load(&arrived) < 2 * (round + 1); i++)
		if (i > 10000)
			sched_yield();
}

static void *begin_twice(void *argument)
{
	struct worker *worker = argument;

	for (int i = 0; i < worker->rounds; i++) {
		struct client *client = &worker->client[i % CLIENTS];

		memcpy(client->address, (uint8_t[]){ 100, 90 + (i >> 16), i >> 8, i }, 4);
		memcpy(client->port, (uint8_t[]){ 160, i }, 2);
		meet(i);
		client_sends(worker, client, SYN);
	}
	return NULL;
}

static int compare_clients(const void *a, const void *b)
{
	const struct flow *const *first = a, *const *second = b;

	return memcmp(&(*first)->client, &(*second)->client, sizeof(struct tuple));
}

static void same_syn_twice(void)
{
	int rounds = TWICE / stride();

	arrived = 0;
	for (int i = 0; i < 2; i++) {
		twins[i] = (struct worker){ .rounds = rounds };
		if (pthread_create(&twins[i].thread, NULL, begin_twice, &twins[i]))
			broken("thread");
	}
	for (int i = 0; i < 2; i++)
		pthread_join(twins[i].thread, NULL);
	check_table();
	qsort(flows, flow_count, sizeof(*flows), compare_clients);
	for (int i = 1; i < flow_count; i++)
		check(compare_clients(&flows[i - 1], &flows[i]), "a client has two flows");
	/* Ports get scarce, so that some of the first have given way. */
	check(flow_count > rounds * 9 / 10, "%d flows of %d", flow_count, rounds);
}

static void service(void)
{
	config()->generation = GENERATION_CHANGING + 1;
	SERVICE(VIP, HTTP, IPPROTO_TCP, MODE_NAT, B1);
	build(P(FROM(C1), TCP(40000, HTTP, SYN)), syn, NULL, 0);
}

static const struct test_case cases[] = {
	CASE("race: threads that fight for the same ports", V4, service, DO(race)),
	CASE("race: a full bucket of established flows, and a flood to it", V4, service,
	     DO(crowded_bucket)),
	CASE("race: the same SYN on two CPUs begins one flow", V4, service, DO(same_syn_twice)),
};

int main(int argc, char **argv)
{
	open_kernel(argc, argv);
	RUN(cases);
	return finish_cases();
}
