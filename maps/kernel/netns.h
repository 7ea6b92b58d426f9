/* SPDX-License-Identifier: GPL-2.0 */
/* Network namespaces: finding, entering and leaving them. */
#ifndef KERNEL_NETNS_H
#define KERNEL_NETNS_H

#include <stdbool.h>

#define NETNS_NAME 64

struct netns {
	int fd;
	char name[NETNS_NAME]; /* as for -n: of /run/netns, or a path; "" is our own */
	unsigned long inode; /* tells namespaces apart */
};

/* Opens a namespace by its name in /run/netns, or a path; NULL: our own. Returns -errno. */
int netns_open(const char *name, struct netns *netns);
void netns_close(struct netns *netns);

/* All namespaces of this machine that have a name or a process. Returns their number, or -errno. */
int netns_list(struct netns **list);
void netns_free(struct netns *list, int count);

/* Enters a namespace; returns a descriptor to leave it by, or -errno. */
int netns_enter(const struct netns *netns);
void netns_leave(int previous);

#endif
