/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Loading the balancer's program beside the one that runs: by `ip`, as at any attach, in namespaces
 * of their own. There it finds a bpffs with the maps that it is to share, and makes the others.
 */
#ifndef MODEL_LOADER_H
#define MODEL_LOADER_H

#include <stdbool.h>
#include <sys/types.h>

#include "model/balancer.h"

struct loader {
	pid_t child;
	int commands, answers; /* pipes to it, and from it */
	int output; /* what `ip` says */
};

/* Starts it. `is_shared` tells which maps of `from` the program is to use. */
enum status start_loader(struct loader *loader, const struct balancer *from, const bool *is_shared);

/* Loads the program of the built object that is for buffers of several pages, or of one; both use
 * the same maps. It is in force nowhere. */
enum status load_program(struct loader *loader, bool has_frags, int *program);

void end_loader(struct loader *loader);

#endif
