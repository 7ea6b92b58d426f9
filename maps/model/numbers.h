/* SPDX-License-Identifier: GPL-2.0 */
/* The numbers of services, VIPs, backends and tables: which are used, and which are free. */
#ifndef MODEL_NUMBERS_H
#define MODEL_NUMBERS_H

#include "lib/error.h"
#include "model/config.h"

/* The numbers that a configuration uses. */
struct used {
	bool service[MAX_SERVICES + 1];
	bool vip[MAX_SERVICES + 1];
	bool backend[MAX_BACKENDS + 1];
	bool table[MAX_TABLES];
	bool source[MAX_POOL + 1];
};

/* Marks what `config` uses, but for services that `only` (if not NULL) does not have. */
void mark_used(struct used *used, const struct configuration *config,
	       const struct configuration *only);

/* Gives what runs its numbers in `wanted`, which has none that count. */
void adopt_numbers(struct configuration *wanted, const struct configuration *running);

/* Gives numbers to what is new in `wanted`. */
enum status assign_numbers(struct configuration *wanted, struct used *used);

#endif
