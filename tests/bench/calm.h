/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A CPU that shares its core, as a virtual one often does, runs at half its speed whenever its
 * neighbour has work, for seconds on end. What is timed then is not comparable.
 */
#ifndef BENCH_CALM_H
#define BENCH_CALM_H

#include <stdbool.h>

/* Whether the CPU runs at the best speed that was ever seen. Takes a tenth of a millisecond. */
bool is_calm(void);

/* Lets no other process in between, if that can be had. */
void stay_alone(void);

/* Moves on to the next CPU that may be used. */
void change_cpu(void);

#endif
