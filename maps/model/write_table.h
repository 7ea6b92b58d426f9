/* SPDX-License-Identifier: GPL-2.0 */
/* Tables of services: made in memory of their own, then put into xlb_tables in one call. */
#ifndef MODEL_WRITE_TABLE_H
#define MODEL_WRITE_TABLE_H

#include "kernel/map_of_maps.h"
#include "model/balancer.h"
#include "model/config.h"
#include "model/numbers.h"

#define TABLE_FLAGS (BPF_F_MMAPABLE | BPF_F_INNER_MAP) /* of a table as a map */

/* A table on its way into xlb_tables. */
struct new_table {
	struct config_service *service;
	int map;
};

/* Makes the table of a service, which ran as `running` (or NULL). A descriptor, or -errno. */
int make_table(struct balancer *balancer, const struct config_service *running,
	       struct config_service *wanted);
/* Only counts what would move. */
int plan_table(const struct config_service *running, struct config_service *wanted);
/* MEMBER_* of a backend in its service's table. */
__u8 member_flags(const struct config_backend *backend);
/* Notes the health of a backend in the running table of its service. */
void store_health(const struct config_service *running, const struct config_backend *backend);
/* Entries of xlb_tables, which are written together: each alone would wait for a grace period. */
struct table_update {
	__u32 key[MAX_TABLES], map[MAX_TABLES];
	__u32 count;
	struct map_of_maps_update call;
};

/* Puts the tables into xlb_tables, under their services' numbers: they are there when it returns,
 * but end_update() has yet to be called. Returns 0 or -errno. */
int put_tables(struct balancer *balancer, const struct new_table *tables, unsigned int count,
	       struct table_update *update);
/* Throws out the tables that are there, by number, and not used, if there are many. */
void drop_tables(struct balancer *balancer, const bool *has_table, const struct used *used);

#endif
