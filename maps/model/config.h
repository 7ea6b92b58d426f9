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

struct conf_backend {
	struct endpoint real; /* unique in its service, which is sorted by it */
	__u16 weight;
	__u8 state; /* enum state */
	bool mac_given;
	bool is_pending; /* its way is to be looked up before the commit */
	bool was_healthy; /* when the running table was made */
	bool is_new; /* to the balancer: a record is to be written */
	struct hop hop; /* MAC zero: not resolved */
	__u16 mtu;
	unsigned int line; /* of the file that says so, or 0 */
	/* As it runs: */
	__u16 number; /* 0: not yet */
	__u16 generation;
	__u32 drained;
};

struct conf_service {
	struct endpoint vip;
	__u8 mode, hash;
	__u32 slots;
	__u32 settle;
	struct limit limit; /* next_flow is not used */
	struct conf_backend *backends;
	unsigned int count, room;
	/* As it runs: */
	__u32 number; /* 0: not yet */
	__u16 vip_number;
	__u32 table;
	__u32 changed; /* tick */
	__u32 running_slots; /* of the table; `slots` is what it has once it is made anew */
	bool moving; /* it has transitions */
	const void *table_memory; /* the running table, mapped */
	size_t mapped; /* bytes */
	/* What the commit did: */
	bool is_rebuilt;
	__u32 moved; /* slots that changed their owner */
};

struct conf_deny {
	struct deny_key key;
	unsigned int line; /* of the file that says so, or 0 */
};

struct conf {
	struct conf_service *services; /* sorted */
	unsigned int count, room;
	__u32 tcp_timeout, fin_timeout, udp_timeout; /* seconds, never 0 */
	bool has_denies; /* `denies` was loaded, or comes from a file */
	struct conf_deny *denies; /* sorted */
	unsigned int deny_count, deny_room;
	bool *has_table; /* as loaded, by number: a table is there, be it used or not */
};

void conf_init(struct conf *conf);
void conf_free(struct conf *conf);
bool conf_copy(struct conf *to, const struct conf *from); /* false: no memory */

struct conf_service *conf_find(const struct conf *conf, const struct endpoint *vip);
/* The same, saying so if there is none. */
struct conf_service *conf_need(const struct conf *conf, const struct endpoint *vip);
struct conf_service *conf_add(struct conf *conf, const struct endpoint *vip);
void conf_remove(struct conf *conf, struct conf_service *service);

struct conf_backend *backend_find(const struct conf_service *service, const struct endpoint *real);
struct conf_backend *backend_need(const struct conf_service *service, const struct endpoint *real);
struct conf_backend *backend_insert(struct conf_service *service, const struct endpoint *real);
void backend_remove(struct conf_service *service, struct conf_backend *backend);
bool is_healthy(const struct conf_backend *backend); /* it gets slots */
bool is_resolved(const struct hop *hop);

/* Denies are appended, and sorted when all are there. */
bool conf_deny(struct conf *conf, const struct deny_key *key, unsigned int line);
void conf_sort_denies(struct conf *conf);
int compare_denies(const struct deny_key *a, const struct deny_key *b);
/* The same for two lists that are walked together, where each may be at its end. */
int compare_listed(const struct conf *a, unsigned int i, const struct conf *b, unsigned int j);

bool service_differs(const struct conf_service *running, const struct conf_service *wanted);

/* The key of a service in xlb_services, and SERVICE_* of its entry there. */
void service_key(const struct conf_service *service, struct service_key *key);
__u16 service_flags(const struct conf_service *service);

#endif
