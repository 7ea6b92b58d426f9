/* SPDX-License-Identifier: GPL-2.0 */
/* The balancer as the cases see it: what is set up by hand, and what is found afterwards. */
#ifndef TESTS_BALANCER_H
#define TESTS_BALANCER_H

#include "kernel.h"
#include "packet.h"

#define TEST_SERVICES (TEST_TABLES + 1) /* entries of the counters that are watched, from 0 */
#define TEST_BACKENDS 120

/* What a packet became. */
#define KNOWN_MTU 9000

struct outcome {
	int action; /* enum xdp_action */
	size_t length;
	uint8_t frame[MAX_FRAME];
};

/* What the counters say, of all CPUs. */
struct counters {
	struct service_stats service[TEST_SERVICES];
	struct backend_stats backend[TEST_BACKENDS];
};

#define IFINDEX_LO 1

extern enum program program; /* that packets are given to */
extern int ingress; /* ifindex that they come in by */

/* Empties what earlier cases left. */
void reset_balancer(void);

/* A service of the VIP, with one slot per owner. Returns its number. */
#define SERVICE(vip, port, protocol, mode, ...)                                                    \
	add_service(vip, port, protocol, mode, (const enum host[]){ __VA_ARGS__, NOBODY })
int add_service(enum host vip, int port, int protocol, enum mode mode, const enum host *owners);
struct backend *backend_of(int service, enum host host); /* made if need be */
int backend_number(int service, enum host host);
/* The backend of a slot; its former backend, or 0 for none, and when a packet last needed that. */
void set_owner(int service, uint32_t slot, int backend);
void set_former(int service, uint32_t slot, int backend, uint32_t seen);
struct transition *transition_at(int service, uint32_t slot);

/* Mode dnat: the port of a backend; the next hop of answers. */
void set_port(int service, enum host host, int port);
void set_via(int service, enum host host);
/* An address of the pool, by its number; new flows get it. */
void add_source(enum host host, int source);
void use_source(int source); /* for new flows of the family; 0: the VIP */

struct limit *limit_of(int service);
struct config *config(void);
void change_service(int service, void (*change)(struct service *));
void deny(enum host host, int bits);
/* What the helper says of the balancer's host, and of who serves where. */
void own_host(enum host host);
void own_mac(int ifindex, enum host host); /* NOBODY: these are all of the device's */
void own_backend(enum host host, int port, int protocol);
struct address address_of(enum host host); /* in the family of the case */
/* XXH32 of a packet to the VIP, by the xxhash package: picks the slot, and the source of its
 * tunnel. */
uint32_t slot_hash(enum host peer, int peer_port, int vip_port);
/* The hash that finds the flow of a packet to the VIP. */
uint32_t hash_of_flow(enum host peer, int peer_port, int vip_port);
/* Makes TWIN's packets from a port of its own have that of the peer's, all 32 bits of it. */
void make_twin(enum host peer, int peer_port, int vip_port, int twin_port, const char *twin_ip4);

/* Flows and fragments: what there is, and as if they had been idle for so long. */
int for_each_flow(void (*visit)(struct flow *flow)); /* returns how many */
int count_flows(void);
int count_fragments(void);
int count_sources(void);
void age_flows(int seconds);
void age_slots(int seconds);
void age_fragments(int seconds);

void read_counters(struct counters *counters);
extern long counters_moved; /* counts what makes them differ from what was read last */

/*
 * How the program is run: on the slow path alone; as configured by bpftool, with next hops half known
 * and nothing cached; or as the helper configures it, with all caches filled. The latter two take
 * the fast path where they can.
 */
enum path { PATH_SLOW, PATH_PLAIN, PATH_WARM, PATHS };
extern enum path taken_path;
/* Fills in what the helper knows of the way to a backend, and bpftool may leave out. */
void know_way(struct backend *backend);
void run_packet(const uint8_t *frame, size_t length, struct outcome *outcome);
/* A dry run; returns what the data path wrote. */
struct decision dry_run(const uint8_t *frame, size_t length, struct outcome *outcome);

#endif
