/* SPDX-License-Identifier: GPL-2.0 */
/* From the maps to the configuration in memory. */
#ifndef MODEL_READ_CONFIG_H
#define MODEL_READ_CONFIG_H

#include <linux/bpf.h>

#include "model/balancer.h"
#include "model/config.h"
#include "model/slots.h"

enum status read_config(struct balancer *balancer, struct configuration *config, bool with_denies);

/* The name of a table as a map: it tells whose it is, and its number. */
void name_table(char name[BPF_OBJ_NAME_LEN], const struct balancer *balancer, __u32 number);

/*
 * The ids of the balancer's tables, by number, told by their names: a look into xlb_tables waits
 * for a grace period on kernels before 6.8 (bpf_map_copy_value), 17 ms for each table.
 */
void list_tables(const struct balancer *balancer, __u32 *tables, bool *has_table);
/* Opens a table by its number. A descriptor, or -errno. */
int open_table(const struct balancer *balancer, __u32 number, const __u32 *tables);

/* A slot of the table that runs, below running_slots. */
struct slot running_slot(const struct config_service *service, __u32 slot);

/* The members in the table that runs, and how many may be there. */
const struct member *running_members(const struct config_service *service);
unsigned int running_member_room(const struct config_service *service);

#endif
