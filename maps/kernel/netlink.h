/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the helper asks the kernel's network stack, by raw netlink: devices, routes, neighbours. A
 * socket belongs to the network namespace that it was opened in. Functions return 0 or -errno.
 */
#ifndef KERNEL_NETLINK_H
#define KERNEL_NETLINK_H

#include <stdbool.h>
#include <net/if.h>

#include "xdp_lb.h"

int netlink_open(void);

struct device {
	int ifindex;
	char name[IF_NAMESIZE];
	char kind[16]; /* veth, vlan, ...; "" for hardware */
	__u8 mac[6];
	bool is_ethernet;
	bool is_up;
	__u32 mtu;
	int master; /* ifindex of the bridge or bond that it is a port of; 0: none */
	int peer; /* ifindex of a veth's peer, or of the device below; 0: none */
	bool peer_elsewhere; /* `peer` counts in another namespace, */
	int peer_nsid; /* which netlink_nsid() tells */
	__u32 program; /* id of the XDP program on it; 0: none */
	__u8 xdp_mode; /* XDP_ATTACHED_* */
	__u32 rx_queues, tx_queues;
};

/* All devices, in an array to be freed. Returns their number, or -errno. */
int netlink_devices(int netlink, struct device **devices);
const struct device *find_device(const struct device *devices, int count, int ifindex);

/* Puts an XDP program in the place of the one that is on the device, if that still is. */
int netlink_swap_xdp(int netlink, const struct device *device, int program, int former);

/* The id by which the socket's namespace knows the one that is open as `netns`; -1: it has none. */
int netlink_nsid(int netlink, int netns);

/* All addresses of this host, in an array to be freed. Returns their number, or -errno. */
int netlink_addresses(int netlink, struct address **addresses);

struct route {
	__u8 type; /* RTN_* */
	int ifindex; /* device that it leaves by */
	struct address next; /* the gateway, or the destination itself */
	__u32 mtu; /* of the route; 0: the device's */
};

/* The route that this host would take to `to`. */
int netlink_route(int netlink, const struct address *to, struct route *route);

/* Whether this host drops packets from the IPv4 address that come in by the device: it is its own,
 * or by rp_filter. */
bool netlink_drops_source(int netlink, const struct address *source, int ifindex);

/* A route `blackhole ADDRESS` that tells a routing daemon of an address of ours. */
struct blackhole {
	struct address to;
	__u32 table;
	__u32 metric; /* not 0: IPv6 has none that is */
};

/* Marks our routes in the kernel's tables; scripts/detach.sh knows it too. */
#define ROUTE_PROTOCOL 120

/* Those of ours in a table, in an array to be freed. Returns their number, or -errno. */
int netlink_blackholes(int netlink, __u32 table, struct blackhole **routes);
int netlink_add_blackhole(int netlink, const struct blackhole *route);
int netlink_delete_blackhole(int netlink, const struct blackhole *route);

struct neighbour {
	__u16 state; /* NUD_*; 0: not known */
	__u8 mac[6];
};

int netlink_neighbour(int netlink, int ifindex, const struct address *address,
		      struct neighbour *neighbour);
/* Makes the kernel ask for the address; `anew`: also if it thinks that it knows. */
int netlink_probe(int netlink, int ifindex, const struct address *address, bool anew);
int netlink_set_up(int netlink, int ifindex);
/* A macvlan device on another one, in the network namespace that is open as `netns`. */
int netlink_add_macvlan(int netlink, const char *name, int on, int netns);
/* Has the kernel know, too, where a neighbour is, if it has an entry of it. */
int netlink_set_neighbour(int netlink, int ifindex, const struct address *address, const __u8 *mac);

#endif
