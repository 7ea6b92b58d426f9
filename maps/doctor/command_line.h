/* SPDX-License-Identifier: GPL-2.0 */
/* Commands that doctor proposes, as they are typed in a shell. */
#ifndef DOCTOR_COMMAND_LINE_H
#define DOCTOR_COMMAND_LINE_H

#include "kernel/netns.h"
#include "lib/address.h"

/* What a command does. None that is proposed can take traffic away, but for MENDS_AT_REST. */
enum purpose {
	MENDS,
	MENDS_AT_REST, /* it mends, and interrupts traffic for a moment, or another program's */
	SHOWS, /* it shows more, and changes nothing */
};

struct command_line {
	char s[1500];
	enum purpose purpose;
	struct address host; /* where it is to be typed; zero: here */
};

/* The command in a namespace: with nsenter where it is not ours. */
struct command_line run_in(const struct netns *netns, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The command on another host. */
struct command_line run_on(const struct address *host, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* This helper, with the options that lead it to the balancer on the device. */
struct command_line helper(const char *device, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
struct command_line with_purpose(struct command_line line, enum purpose purpose);
struct command_line both(struct command_line first, struct command_line second);

/* Adds to the end of a command. */
void append(struct command_line *line, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

struct command_line quoted(const char *word); /* for the shell */
/* The path of one of our objects or scripts, wherever they are installed. */
struct command_line path_of(const char *file);

#endif
