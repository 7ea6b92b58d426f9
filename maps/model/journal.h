/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The configuration that a helper is about to make run, in a file: a change takes many stores, and
 * who comes after a helper that was killed between two of them makes all of it run, or nothing.
 */
#ifndef MODEL_JOURNAL_H
#define MODEL_JOURNAL_H

#include "model/balancer.h"
#include "model/config.h"

/* When this returns, the change is certain. Returns 0 or -errno. */
int write_journal(const struct balancer *balancer, const struct configuration *wanted);
/* Returns whether there is one that this helper can read. */
bool read_journal(const struct balancer *balancer, struct configuration *wanted);
void remove_journal(const struct balancer *balancer);

#endif
