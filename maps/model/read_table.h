/* SPDX-License-Identifier: GPL-2.0 */
/* The tables that run: finding, opening and reading them. write_table.h makes new ones. */
#ifndef MODEL_READ_TABLE_H
#define MODEL_READ_TABLE_H

#include <linux/bpf.h>

#include "model/balancer.h"
#include "model/config.h"
#include "model/slots.h"

/* The name of a table as a map: it tells whose it is, and its number. */
void name_table(char name[BPF_OBJ_NAME_LEN], const struct balancer *balancer, __u32 number);

/*
 * The ids of the balancer's tables, by number, told by their names: a look into xlb_tables waits
 * for a grace period on kernels before 6.8 (bpf_map_copy_value), 17 ms for each table. 0: there is
 * none of this number, or more than one, as one that was replaced takes a while to go: then that
 * look has to be.
 */
void list_tables(const struct balancer *balancer, __u32 *ids, bool *has_table);
/* Opens a table by its number, whatever its name is: one set up by hand. Or -errno. */
int open_table(const struct balancer *balancer, __u32 number);

/* Maps the members of all tables that run, and notes which tables there are. Or -errno. */
int map_tables(const struct balancer *balancer, struct configuration *config);

/* The whole table that runs, mapped: table_words of it. NULL: there is none. */
const struct slots *map_running_table(const struct config_service *service);
void unmap_running_table(const struct config_service *service, const struct slots *words);
/* Its slots, running_slots of them. To be freed; NULL: there are none, or there is no memory. */
struct slot *read_running_slots(const struct config_service *service);

/* The members in the table that runs, and how many may be there. */
const struct member *running_members(const struct config_service *service);
unsigned int running_member_room(const struct config_service *service);

#endif
