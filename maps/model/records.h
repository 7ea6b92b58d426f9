/* SPDX-License-Identifier: GPL-2.0 */
/* Records of backends: the entries of xlb_backends, written in place. */
#ifndef MODEL_RECORDS_H
#define MODEL_RECORDS_H

#include "model/balancer.h"
#include "model/config.h"
#include "model/numbers.h"

void write_new_record(struct balancer *balancer, const struct config_service *service,
		      struct config_backend *backend);
void update_record(struct balancer *balancer, const struct config_service *service,
		   const struct config_backend *backend);

/* What a commit leaves to do: flows end, a drain begins or ends. */
void sync_records(struct balancer *balancer, const struct configuration *config);
/* Frees the records of backends that are not used. */
void free_records(struct balancer *balancer, const struct used *used);

#endif
