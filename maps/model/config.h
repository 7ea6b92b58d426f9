/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The configuration in memory. Every change goes the same way: read what runs, change a copy of it,
 * write the difference.
 */
#ifndef MODEL_CONFIG_H
#define MODEL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/address.h"
#include "xdp_lb.h"

/* Where a file says so. */
struct file_line {
	unsigned int file; /* of several: the first is 0 */
	unsigned int line; /* 0: no file does */
};

struct config_backend {
	struct endpoint real; /* unique in its service, which is sorted by it */
	__u16 weight;
	__u8 state; /* enum state */
	bool mac_given;
	bool is_pending; /* its next hop is to be looked up before it is written */
	__u8 health; /* enum health */
	bool is_backup;
	bool was_eligible; /* when the running table was made */
	bool is_eligible, is_cut; /* see judge_backends() */
	bool is_new; /* to the balancer: a record is to be written */
	bool needs_no_hop; /* no packet is sent to it by us: these maps are for sockets alone */
	struct hop hop; /* MAC zero: not resolved */
	__u16 mtu;
	struct file_line said_at;
	/* As it runs: */
	__u16 number; /* 0: not yet */
	__u16 generation;
	__u32 drained;
};

struct config_service {
	struct endpoint vip;
	__u8 mode, hash, pick;
	__u32 slots;
	__u32 settle;
	struct limit limit; /* next_flow is not used */
	struct check check;
	bool is_panicking; /* its checks are not believed; see judge_backends() */
	struct config_backend *backends;
	unsigned int count, room;
	struct config_backend via; /* mode dnat: the next hop to clients; address 0: none */
	/* As it runs: */
	__u32 number; /* 0: not yet */
	__u16 vip_number;
	__u32 table;
	__u32 changed; /* tick */
	__u32 running_slots; /* of the table; `slots` is what it has once it is made anew */
	bool moving; /* it has transitions */
	__u32 table_id, table_words; /* the map of the running table; 0: there is none */
	/* What the commit did: */
	bool is_rebuilt;
	__u32 moved; /* slots that changed their backend */
};

struct config_deny {
	struct deny_key key;
	struct file_line said_at;
};

/* An address of the pool. */
struct config_source {
	struct endpoint self; /* an address alone; they are sorted by it */
	__u8 state; /* up, or draining: deleted, but it still has flows */
	__u8 number; /* as it runs; 0: not yet */
};

struct configuration {
	struct config_service *services; /* sorted */
	unsigned int count, room;
	__u32 tcp_timeout, fin_timeout, udp_timeout; /* seconds, never 0 */
	__u32 pmtu; /* bytes, never 0 */
	bool has_denies; /* `denies` was loaded, or comes from a file */
	struct config_source *sources; /* sorted */
	unsigned int source_count, source_room;
	struct config_deny *denies; /* sorted */
	unsigned int deny_count, deny_room;
	bool *has_table; /* as loaded, by number: a table is there, be it used or not */
};

void config_init(struct configuration *config);
void config_free(struct configuration *config);
bool config_copy(struct configuration *to, const struct configuration *from); /* false: no memory */

/* The order of all lists: address, port, protocol. */
int compare_endpoints(const struct endpoint *a, const struct endpoint *b);

unsigned int count_backends(const struct configuration *config); /* of all services */

struct config_service *config_find(const struct configuration *config, const struct endpoint *vip);
/* The same, saying so if there is none. */
struct config_service *config_need(const struct configuration *config, const struct endpoint *vip);
struct config_service *config_add(struct configuration *config, const struct endpoint *vip);
void config_remove(struct configuration *config, struct config_service *service);

struct config_backend *backend_find(const struct config_service *service,
				    const struct endpoint *real);
struct config_backend *backend_need(const struct config_service *service,
				    const struct endpoint *real);
struct config_backend *backend_insert(struct config_service *service, const struct endpoint *real);
void backend_remove(struct config_service *service, struct config_backend *backend);
bool has_via(const struct config_service *service);
/*
 * All of a service that has a next hop and a record, one after the other: its backends, and then
 * `via`. NULL as `record`: before the first; returned: there are no more.
 */
struct config_backend *next_record(struct config_service *service, struct config_backend *record);

/* None may come or go meanwhile. */
#define for_each_service(service, config)                                                          \
	for (struct config_service *service = (config)->services;                                  \
	     service && service != (config)->services + (config)->count; service++)
#define for_each_backend(backend, service)                                                         \
	for (struct config_backend *backend = (service)->backends;                                 \
	     backend && backend != (service)->backends + (service)->count; backend++)
#define for_each_record(record, service)                                                           \
	for (struct config_backend *record = next_record(service, NULL); record;                   \
	     record = next_record(service, record))
#define for_each_source(source, config)                                                            \
	for (struct config_source *source = (config)->sources;                                     \
	     source && source != (config)->sources + (config)->source_count; source++)

/*
 * Decides which backends of a service get slots (is_eligible), by state, next hop, health, and
 * whether others can; and which lose the flows that they have (is_cut).
 */
void judge_backends(struct config_service *service);

bool is_resolved(const struct hop *hop);

/* It has no check any more, and so the health of its backends is unknown. */
void forget_check(struct config_service *service);
struct config_source *source_find(const struct configuration *config,
				  const struct address *address);
struct config_source *source_insert(struct configuration *config, const struct address *address);
void source_remove(struct configuration *config, struct config_source *source);
/* Whether new flows get it; NULL: there is none. */
bool is_source_up(const struct config_source *source);

/* Denies are appended, and sorted when all are there. */
bool config_deny(struct configuration *config, const struct deny_key *key,
		 const struct file_line *said_at); /* or NULL */
void config_sort_denies(struct configuration *config);
int compare_denies(const struct deny_key *a, const struct deny_key *b);
/* The same for two lists that are walked together, where each may be at its end. */
int compare_listed(const struct configuration *a, unsigned int i, const struct configuration *b,
		   unsigned int j);

bool has_limit(const struct limit *limit); /* any */
bool limit_differs(const struct limit *a, const struct limit *b);
bool service_differs(const struct config_service *running, const struct config_service *wanted);

/* Mode dnat: from where its answers come. No other service has that. */
void real_key(const struct config_service *service, const struct config_backend *backend,
	      struct real_key *key);

/* The key of a service in xlb_services, and SERVICE_* of its entry there. */
void service_key(const struct config_service *service, struct service_key *key);
__u16 service_flags(const struct config_service *service);

#endif
