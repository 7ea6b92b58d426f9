/* SPDX-License-Identifier: GPL-2.0 */
/*
 * `xdp-lb watch`: one process that runs beside the balancer. What it does is in parts, each a
 * struct part in the list in watch.c; a part uses loop.h for its descriptors and timers.
 */
#ifndef WATCH_WATCH_H
#define WATCH_WATCH_H

#include "cmd/change.h"
#include "cmd/request.h"
#include "model/balancer.h"
#include "model/config.h"

#define DEFAULT_DIRECTORY "/run/xdp-lb"
#define MAX_ERROR 1000 /* characters of a line that is held back */

struct watch {
	const struct request *request; /* the words of the command */
	/* The balancer may be detached, and attached again with other maps. While it is not there
	 * `has_balancer` is false, and the two below are empty. */
	bool has_balancer;
	struct balancer balancer;
	struct configuration config; /* as last read, without denies */
};

/*
 * A part. All of it is optional. Nothing may block for more than some milliseconds: that delays
 * every check.
 */
struct part {
	/* Once, before anything else; a failure, which it has said, ends the command. */
	enum status (*start)(struct watch *watch);
	/* There is a balancer, or another one, or another configuration, or (has_balancer is false)
	 * none any more, or none since the command began. Pointers into watch->config from before
	 * are not valid. */
	void (*follow)(struct watch *watch);
	/* Prints what it has to say as members of status.json (cmd/print.h). */
	void (*report)(const struct watch *watch);
	/* At the end, by SIGTERM or SIGINT; not by SIGHUP or a kill: do not rely on it. */
	void (*stop)(struct watch *watch);
};

bool parse_watch(struct words *words, struct request *request);
enum status run_watch(const struct request *request);

/*
 * What is tried again and again may fail so: between these two an error is held back, and then said
 * if it is another one than the last, whoever it happens to.
 */
struct trial {
	char error[MAX_ERROR];
};

void begin_trial(struct trial *trial);
void end_trial(const struct trial *trial);

/*
 * Changes the configuration as a command would: with the lock, by the journal; what it leaves as it
 * was is not written. All parts follow before it returns.
 */
enum status watch_change(struct watch *watch, const struct change *change);

void report_parts(void);

/* Whenever a part is called, but for `start`, the process is in the balancer's network namespace:
 * its sockets are opened there. */

#endif
