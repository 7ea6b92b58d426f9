/* SPDX-License-Identifier: GPL-2.0 */
/* Commands that mend what was found, as they are typed in a shell. */
#ifndef DOCTOR_SHELL_COMMAND_H
#define DOCTOR_SHELL_COMMAND_H

#include "kernel/netns.h"

/* A command line to be typed as it is. */
struct shell {
	char s[1500];
};

/* The command in a namespace: with nsenter where it is not ours. */
struct shell run_in(const struct netns *netns, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
struct shell both(struct shell first, struct shell second);
struct shell quoted(const char *word); /* for the shell */
/* The path of one of our objects or scripts, wherever they are installed. */
struct shell path_of(const char *file);
/* This helper, with the options that lead it to the balancer on the device. */
struct shell helper(const char *device, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
