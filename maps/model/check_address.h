/* SPDX-License-Identifier: GPL-2.0 */
/* How the backends of a service are checked, and from which address. */
#ifndef MODEL_CHECK_ADDRESS_H
#define MODEL_CHECK_ADDRESS_H

#include "model/balancer.h"
#include "model/config.h"

#define WATCH_PATIENCE 10 /* seconds for which `watch` may be silent, and is taken for alive */

/* Whether what is checked is the VIP, at the backend: where data goes there, so does the check.
 * Sockets that are balanced at connect go to the backend's own address. */
bool is_checked_by_vip(const struct balancer *balancer, const struct config_service *service,
		       const struct check *check);

/* Seconds since `watch` was last alive, with these maps; false: it never was. */
bool watch_age(const struct balancer *balancer, __u32 *seconds);

/* An address of the host, of the family of `like`, that is no VIP: one of the device, else any
 * other. Returns false if there is none. */
bool find_host_address(struct balancer *balancer, const struct configuration *config,
		       const struct address *like, int ifindex, struct address *found);

struct ifaddrs;
/* The address of an entry of getifaddrs(), if others can reach it. */
bool read_interface_address(const struct ifaddrs *entry, struct address *address);

/* Whether an address of the configuration's is a VIP. */
bool is_vip(const struct configuration *config, const struct address *address);

#endif
