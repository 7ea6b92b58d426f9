/* SPDX-License-Identifier: GPL-2.0 */
/* The steps of a commit, for commit.c alone. */
#ifndef COMMIT_H
#define COMMIT_H

#include "conf.h"

/* The numbers that a configuration uses. */
struct used {
	bool service[MAX_SERVICES + 1];
	bool vip[MAX_SERVICES + 1];
	bool backend[MAX_BACKENDS + 1];
	bool table[MAX_TABLES];
};

/* Marks what `conf` uses, but for services that `only` (if not NULL) does not have. */
void mark_used(struct used *used, const struct conf *conf, const struct conf *only);

/* Gives numbers to what is new in `wanted`. */
enum status assign_numbers(struct conf *wanted, struct used *used);

/* Records of backends, in place. */
void write_new_record(struct balancer *balancer, const struct conf_service *service,
		      struct conf_backend *backend);
void update_record(struct balancer *balancer, const struct conf_service *service,
		   const struct conf_backend *backend);

/* Brings everything in line with what `used` has and `conf` says of it. */
void repair(struct balancer *balancer, const struct conf *conf, const struct used *used);

/* A table on its way into xlb_tables. */
struct new_table {
	struct conf_service *service;
	int map;
};

/* Makes the table of a service, which ran as `running` (or NULL). A descriptor, or -errno. */
int make_table(struct balancer *balancer, const struct conf_service *running,
	       struct conf_service *wanted);
/* Only counts what would move. */
int plan_table(const struct conf_service *running, struct conf_service *wanted);
/* Puts the tables into xlb_tables, under their services' numbers. Returns 0 or -errno. */
int put_tables(struct balancer *balancer, const struct new_table *tables, unsigned int count);
/* Throws out the tables that are there, by number, and not used, if there are many. */
void drop_tables(struct balancer *balancer, const bool *has_table, const struct used *used);

#endif
