/* SPDX-License-Identifier: GPL-2.0 */
/* From the addresses of backends to the MAC and device of their next hop, many at a time. */
#ifndef MODEL_NEXT_HOP_H
#define MODEL_NEXT_HOP_H

#include "model/balancer.h"
#include "model/config.h"

/* A backend's address, and the next hop to it. */
struct hop_lookup {
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

/* The lookups that a command has made, sorted. */
struct hop_lookups {
	struct hop_lookup *lookup;
	unsigned int count, room;
	bool anew; /* do not believe what the kernel remembers */
};

/* Adds what pending backends need and `lookups` has not. Returns how many, or -ENOMEM. */
int collect_lookups(struct hop_lookups *lookups, struct configuration *config);

/* Looks them up in the balancer's namespace; takes up to 3 s, together. */
enum status resolve_next_hops(struct hop_lookups *lookups, struct balancer *balancer);

/* Their routes alone, without waiting; and all devices, to be freed. */
struct device;
enum status find_routes(struct hop_lookups *lookups, struct balancer *balancer,
			struct device **devices, int *count);

struct hop_lookup *find_lookup(const struct hop_lookups *lookups,
			       const struct config_backend *backend);

/* A netlink socket in the balancer's namespace, or -errno after saying so. */
int open_netlink(struct balancer *balancer);

/* Whether no host can be a backend there, wherever it is; *why says it. */
bool is_no_host(const struct hop_lookup *lookup, const char **why);
/* Whether the backend cannot be reached now. */
bool is_unreachable(const struct hop_lookup *lookup, const char **why);

/* Whether packets keep the VLAN tag that they came with, as the route leaves by a VLAN device that
 * the balancer is not attached to. */
bool keeps_tag(const struct hop_lookup *lookup);

/* Whether it leads over a gateway. */
bool has_gateway(const struct hop_lookup *lookup);

/* Gives the backend its hop. */
void set_next_hop(struct config_backend *backend, const struct hop_lookup *lookup);

/* Whether the address is one of the balancer's own. */
bool is_local(struct balancer *balancer, const struct address *address);

#endif
