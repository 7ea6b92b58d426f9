/* SPDX-License-Identifier: GPL-2.0 */
/* A balancer as the helper sees it: a set of maps, and where its program is attached. */
#ifndef MODEL_BALANCER_H
#define MODEL_BALANCER_H

#include <stdbool.h>

#include "kernel/netns.h"
#include "lib/error.h"
#include "model/attachment.h"
#include "model/map_list.h"
#include "xdp_lb.h"

struct balancer {
	int map[MAPS];
	__u32 id; /* of its map xlb_services */
	__u32 program; /* one that uses the maps; 0: none is loaded */
	bool is_for_sockets; /* its maps are those of socket.bpf.o: there is no data path */
	bool is_placed; /* `place` is known */
	struct place place; /* ifindex 0: attached nowhere, then only the namespace counts */
	struct netns netns; /* open if is_placed */
	int lock; /* -1: not held */
	int role_lock; /* the same; of the role that this process has, see lock_role() */
	bool is_uncached; /* the data path looks everything up */
	__u32 generation; /* of the configuration, before that */
	const struct config *config; /* entries of the maps, in place: see kernel/store.h */
	const struct backend *backends;
	const struct limit *limits;
	const struct port_hints *ports;
	const struct answer *answers;
	const struct check *checks;
	const struct watcher *watcher;
	const struct address *addresses;
	const struct pool *pool;
	const struct live *live;
	const struct least *least;
	const struct flow *flows; /* NULL before map_flows() */
};

void close_balancer(struct balancer *balancer);

/* Whether there is a data path: a program for packets. Else the maps are those of socket.bpf.o, and
 * are for sockets alone. */
bool has_data_path(const struct balancer *balancer);

/* Where there is no data path there are no flows. */
enum status map_flows(struct balancer *balancer);

#define LOCK_PATH "/run/xdp-lb.lock"

/* Whoever changes maps holds the lock; readers that need it all at one time do, too. */
enum status lock_balancer(struct balancer *balancer);
void unlock_balancer(struct balancer *balancer);

/* Around changes of xlb_vips and xlb_services; see struct config. The first call counts. */
void stop_caching(struct balancer *balancer);
void resume_caching(struct balancer *balancer);

/* Of a balancer there is one trace, and one watch, at a time. */
enum role {
	ROLE_TRACE,
	ROLE_WATCH,
};

/* A process has one role, until it ends, however it ends, or closes the balancer. */
enum status lock_role(struct balancer *balancer, enum role role);
bool is_traced(const struct balancer *balancer);

#endif
