/* SPDX-License-Identifier: GPL-2.0 */
/* Looking among the network namespaces of this machine for another host. */
#ifndef DOCTOR_FIND_HOST_H
#define DOCTOR_FIND_HOST_H

#include "kernel/netns.h"

/* Whether a namespace, by its netlink socket, has the device's MAC, or the address. */
bool has_mac(int netlink, const void *mac);
bool has_address(int netlink, const void *address);

/* Asks something of a namespace. */
bool ask_netns(const struct netns *netns, bool (*has)(int netlink, const void *what),
	       const void *what);

/*
 * Finds, among the namespaces of this machine, the one host that has something; labs that stand
 * side by side may have it several times. To be closed; its name is "" if there is none, or it is
 * ours.
 */
void find_host(bool (*has)(int netlink, const void *what), const void *what, struct netns *host);

#endif
