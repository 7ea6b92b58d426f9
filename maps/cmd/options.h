/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include <stdbool.h>

#include "model/discover.h"

/* What was given before the command. */
struct global_options {
	bool json;
	const char *instead; /* of all words: help or version */
	struct selection selection;
};

extern struct global_options options;

/*
 * Reads the options before the command. Returns the index of the first word, or 0 after an error.
 */
int parse_global_options(int argc, char **argv);

#endif
