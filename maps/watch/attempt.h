/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A check of a backend, attempt by attempt: connection.h, packets.h and program.h make them,
 * checks.c decides when, and what follows.
 */
#ifndef WATCH_ATTEMPT_H
#define WATCH_ATTEMPT_H

#include <sys/types.h>

#include "model/config.h"
#include "watch/loop.h"

struct attempt;

/* A backend that is checked. */
struct target {
	struct endpoint vip, real;
	struct check check;
	__u8 mode; /* of the service */
	bool is_by_packets; /* the VIP at the backend is checked: see packets.h */
	struct endpoint at; /* address and port that are connected to */
	struct hop hop; /* as it runs; of checks by packets */
	__u8 health; /* as it runs */
	__u8 wanted; /* what is to run; the same, if there is nothing to write */
	__u8 said; /* in the log */
	__u8 written; /* by us, last */
	__u32 good, bad; /* in a row */
	char reason[100]; /* why the last check was bad, or "" */
	struct timer next;
	struct attempt *attempts; /* that have not ended */
	unsigned int under_way;
};

struct attempt {
	struct target *target;
	/* Whoever makes it calls this at its end, which frees it: `fault` says why it is bad, or is
	 * NULL. */
	void (*end)(struct attempt *attempt, const char *fault);
	struct attempt *sibling;
	struct timer timeout;
	struct io io; /* a socket, or the process of a program; fd -1: none */
	pid_t process;
	bool is_waiting, is_running; /* a program: for its turn; it was begun */
	bool is_sent; /* the request */
	__u16 port; /* of a check by packets */
	__u32 sequence, expected; /* the next of ours, and of the backend's */
	unsigned int received;
	char answer[16]; /* how it begins */
};

#endif
