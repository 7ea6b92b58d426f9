/* SPDX-License-Identifier: GPL-2.0 */
/* The flow table as the helper sees it; map_flows() comes first. */
#ifndef HELPER_FLOW_H
#define HELPER_FLOW_H

#include "conf.h"

/* How many living flows each backend has, by its number; to be freed; NULL without memory. */
__u32 *count_flows_by_backend(const struct balancer *balancer);
__u32 count_living_flows(const struct balancer *balancer);

/* Slots in transition whose former owner the backend is. */
__u32 count_former_slots(const struct balancer *balancer, const struct conf_service *service,
			 __u16 backend);

#endif
