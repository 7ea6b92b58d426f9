/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where a balancer's maps are pinned. Those of one that is to take its place are pinned beside
 * them, under names of their own, before any device has its program, and get their names when all
 * devices have: so whoever is killed in between has left what the next one needs to go on.
 */
#ifndef MODEL_PINS_H
#define MODEL_PINS_H

#include <stdbool.h>

#include "model/balancer.h"

/* Where `ip` pins: the second is the first by a symbolic link, unless someone made a directory. */
#define PIN_DIRECTORIES 2
extern const char *const pin_directories[PIN_DIRECTORIES];

/* Open the maps that are pinned there. Return whether there is a balancer. */
bool open_pins(const char *directory, struct balancer *balancer);
bool open_next_pins(const char *directory, struct balancer *next);

/* Return 0 or -errno. */
int pin_next(const char *directory, const struct balancer *next);
int promote_next(const char *directory);

void drop_next(const char *directory);

#endif
