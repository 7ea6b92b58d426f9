/* SPDX-License-Identifier: GPL-2.0 */
/* VIPs and sources: whether this host owns them, and who else answers for them. */
#ifndef DOCTOR_VIP_H
#define DOCTOR_VIP_H

#include "doctor/examination.h"
#include "doctor/traffic.h"
#include "model/config.h"

/* The type of this host's route to a VIP; RTN_UNSPEC: behind a router, or on another link. */
__u8 route_type_of_vip(const struct exam *exam, const struct address *address);

/* A VIP for which packets come does not need an owner. */
void check_owned(struct exam *exam, const struct configuration *config,
		 const struct traffic *traffic);
/* An address of the pool on a link: backends there ask for it. */
void check_sources(struct exam *exam, const struct configuration *config);
/* Who else answers for VIPs and sources. */
void check_claimed(struct exam *exam, const struct configuration *config);

#endif
