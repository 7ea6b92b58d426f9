/* SPDX-License-Identifier: GPL-2.0 */
/* xlb_own: from which sources no flow may begin, and for which MACs frames are ours. */
#ifndef MODEL_OWN_H
#define MODEL_OWN_H

#include "model/balancer.h"
#include "model/config.h"

/* Brings what it says of backends in line with the configuration. Where it fails, the map stays as
 * it was: it guards against forged packets only, and the next change tries again. */
void sync_own(struct balancer *balancer, const struct configuration *config);

/* To be called before an address comes into xlb_vips. */
void know_vip(struct balancer *balancer, const struct address *address);

/* The same, and what it says of the host: its addresses and the MACs of its devices. */
enum status write_own(struct balancer *balancer, const struct configuration *config);

#endif
