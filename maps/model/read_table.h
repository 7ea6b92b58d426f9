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
 * Calls `visit` for each of the balancer's tables, told by their names: a look into xlb_tables
 * waits for a grace period on kernels before 6.8 (bpf_map_copy_value), 17 ms for each table. There
 * may be more than one of a number, as one that was replaced takes a while to go: which of them
 * runs only that look says.
 */
typedef void table_visitor(void *context, __u32 number, int map, const struct bpf_map_info *info);
void visit_tables(const struct balancer *balancer, table_visitor *visit, void *context);
/* Opens a table by its number, whatever its name is: one set up by hand. Or -errno. */
int open_table(const struct balancer *balancer, __u32 number);

/* The service has this table, as it runs. Returns false if it is too small for the slots. */
bool use_table(struct config_service *service, const struct bpf_map_info *info);
/* Opens it, as xlb_tables has it. Negative: there is none. */
int open_running_table(const struct balancer *balancer, struct config_service *service);

/* The whole table that runs, mapped: table_words of it. NULL: there is none. */
const struct slots *map_running_table(const struct config_service *service);
void unmap_running_table(const struct config_service *service, const struct slots *words);
/* Its slots, running_slots of them. To be freed; NULL: there are none, or there is no memory. */
struct slot *read_running_slots(const struct config_service *service);

/* The members in the table that runs, which is open, and how many may be there. To be freed; NULL:
 * they cannot be read. */
struct member *read_members(const struct config_service *service, int map);
unsigned int running_member_room(const struct config_service *service);
/* The same in place, in the whole table. */
const struct member *running_members(const struct config_service *service,
				     const struct slots *words);

#endif
