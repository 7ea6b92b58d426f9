/* SPDX-License-Identifier: GPL-2.0 */
/* From the addresses of backends to the MAC and device of their next hop, many at a time. */
#ifndef MODEL_NEXT_HOP_H
#define MODEL_NEXT_HOP_H

#include "model/balancer.h"
#include "model/config.h"

struct way {
	struct address to;
	bool needs_mac; /* else only the route matters */
	/* What was found: */
	bool is_done;
	__u8 type; /* RTN_* of the route; RTN_UNSPEC: there is none */
	bool is_ethernet;
	struct address next; /* hop */
	int ifindex; /* device of the route */
	bool is_asked; /* the kernel was made to ask for the MAC */
	struct hop hop;
	__u16 mtu;
	bool is_said; /* that it is dead */
};

/* The ways that a command has looked up, sorted. */
struct ways {
	struct way *way;
	unsigned int count, room;
	bool anew; /* do not believe what the kernel remembers */
};

/* Adds the ways that pending backends need and `ways` has not. Returns how many, or -ENOMEM. */
int collect_ways(struct ways *ways, const struct conf *conf);

/* Looks them up in the balancer's namespace; takes up to 3 s, together. */
enum status resolve_ways(struct ways *ways, struct balancer *balancer);

struct way *find_way(const struct ways *ways, const struct conf_backend *backend);

/* Whether no host can be a backend there, wherever it is; *why says it. */
bool is_bad_way(const struct way *way, const char **why);
/* Whether the backend cannot be reached now. */
bool is_dead_way(const struct way *way, const char **why);

/* Whether it leads over a gateway. */
bool has_gateway(const struct way *way);

/* Gives the backend its hop. */
void take_way(struct conf_backend *backend, const struct way *way);

/* Whether the address is one of the balancer's own. */
bool is_local(struct balancer *balancer, const struct address *address);

#endif
