/* SPDX-License-Identifier: GPL-2.0 */
/* A balancer as the helper sees it: a set of maps, and where its program is attached. */
#ifndef BALANCER_H
#define BALANCER_H

#include <stdbool.h>
#include <net/if.h>

#include "error.h"
#include "netns.h"
#include "xdp_lb.h"

enum map_index {
	MAP_CONFIG,
	MAP_VIPS,
	MAP_SERVICES,
	MAP_TABLES,
	MAP_BACKENDS,
	MAP_FLOWS,
	MAP_FRAGMENTS,
	MAP_DENY,
	MAP_LIMITS,
	MAP_SOURCES,
	MAP_SVC_STATS,
	MAP_BE_STATS,
	MAP_TRACE,
	MAPS,
};

/* Which balancer the user means: -n, -d, -p; NULL where not given. */
struct selection {
	const char *netns;
	const char *device;
	const char *pins;
};

/* A device with a balancer's program. */
struct place {
	char netns[NETNS_NAME];
	char device[IF_NAMESIZE];
	int ifindex;
	__u32 program; /* what is attached: the balancer's program, or a dispatcher of it */
	__u32 balancer; /* the id of its map xlb_services */
};

struct balancer {
	int map[MAPS];
	__u32 id; /* of its map xlb_services */
	__u32 program; /* one that uses the maps; 0: none is loaded */
	bool is_placed; /* `place` is known */
	struct place place; /* ifindex 0: attached nowhere, then only the namespace counts */
	struct netns netns; /* open if is_placed */
	int lock; /* -1: not held */
	int trace_lock; /* the same; held while a trace runs, there can be one */
	bool is_uncached; /* the data path looks everything up */
	__u32 generation; /* of the configuration, before that */
	struct config *config; /* entries of the maps, in place */
	struct backend *backends;
	struct limit *limits;
	struct flow *flows; /* NULL before map_flows() */
};

/* Finds the one that is meant and maps its memory. */
enum status open_balancer(const struct selection *selection, struct balancer *balancer);
void close_balancer(struct balancer *balancer);

/* All devices with a balancer's program, in `only` or, where that is NULL, in all namespaces.
 * Returns their number or -errno; to be freed. */
int find_places(const struct netns *only, struct place **places);

/* Finds out where it is attached. Its routes, neighbours and addresses are those of that place. */
enum status place_balancer(struct balancer *balancer);

enum status map_flows(struct balancer *balancer);

#define TRACE_SIZE (256 * 1024) /* bytes of the ring buffer */
#define LOCK_PATH "/run/xdp-lb.lock"

/* Whoever changes maps holds the lock; readers that need it all at one time do, too. */
enum status lock_balancer(struct balancer *balancer);
void unlock_balancer(struct balancer *balancer);

/* Around changes of xlb_vips and xlb_services; see struct config. The first call counts. */
void stop_caching(struct balancer *balancer);
void resume_caching(struct balancer *balancer);

/* There is one trace at a time; whether one runs can be told by its lock, however it ended. */
enum status lock_trace(struct balancer *balancer);
bool is_traced(const struct balancer *balancer);

__u32 tick_now(void);
__u32 second_now(void); /* of CLOCK_MONOTONIC */

#endif
