// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE /* setns */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <linux/magic.h>

#include "kernel/netns.h"

#define OWN_NETNS "/proc/self/ns/net"
#define NAMED_NETNS "/run/netns"

static int open_path(const char *path, const char *name, struct netns *netns)
{
	struct statfs system;
	struct stat status;

	netns->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (netns->fd < 0)
		return -errno;
	if (fstatfs(netns->fd, &system) || system.f_type != NSFS_MAGIC ||
	    fstat(netns->fd, &status)) { /* the name may be of another mount namespace */
		close(netns->fd);
		return -EINVAL;
	}
	netns->inode = status.st_ino;
	snprintf(netns->name, sizeof(netns->name), "%s", name);
	return 0;
}

int netns_open(const char *name, struct netns *netns)
{
	char path[300];

	if (!name)
		return open_path(OWN_NETNS, "", netns);
	if (strchr(name, '/'))
		return open_path(name, name, netns);
	if (snprintf(path, sizeof(path), NAMED_NETNS "/%s", name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return open_path(path, name, netns);
}

void netns_close(struct netns *netns)
{
	if (netns->fd >= 0)
		close(netns->fd);
	netns->fd = -1;
}

static bool is_known(const struct netns *list, int count, unsigned long inode)
{
	for (int i = 0; i < count; i++) {
		if (list[i].inode == inode)
			return true;
	}
	return false;
}

/* Adds the namespace at `path` unless it is there, or is gone by now. */
static int add_path(struct netns **list, int count, const char *path, const char *name)
{
	struct netns *longer;
	struct stat status;
	struct netns netns;

	if (stat(path, &status) || is_known(*list, count, status.st_ino))
		return count;
	if (open_path(path, name, &netns))
		return count;
	longer = realloc(*list, (count + 1) * sizeof(netns));
	if (!longer) {
		netns_close(&netns);
		return count;
	}
	*list = longer;
	longer[count] = netns;
	return count + 1;
}

/* Adds what the entries of a directory stand for: `path` names one, given the entry's name. */
static int add_directory(struct netns **list, int count, const char *directory, const char *path,
			 bool named)
{
	DIR *entries = opendir(directory);
	struct dirent *entry;
	char text[300];

	if (!entries)
		return count;
	while ((entry = readdir(entries))) {
		if (*entry->d_name == '.' || (!named && !strchr("123456789", *entry->d_name)))
			continue;
		snprintf(text, sizeof(text), path, entry->d_name);
		count = add_path(list, count, text, named ? entry->d_name : text);
	}
	closedir(entries);
	return count;
}

int netns_list(struct netns **list)
{
	int count = 0;

	*list = NULL;
	count = add_path(list, count, OWN_NETNS, "");
	if (!count)
		return -errno;
	count = add_directory(list, count, NAMED_NETNS, NAMED_NETNS "/%.255s", true);
	return add_directory(list, count, "/proc", "/proc/%.255s/ns/net", false);
}

void netns_free(struct netns *list, int count)
{
	for (int i = 0; i < count; i++)
		netns_close(&list[i]);
	free(list);
}

int netns_enter(const struct netns *netns)
{
	int previous = open(OWN_NETNS, O_RDONLY | O_CLOEXEC);

	if (previous < 0)
		return -errno;
	if (setns(netns->fd, CLONE_NEWNET)) {
		close(previous);
		return -errno;
	}
	return previous;
}

void netns_leave(int previous)
{
	if (setns(previous, CLONE_NEWNET)) {
		perror("xdp-lb: cannot return to the network namespace");
		_exit(1);
	}
	close(previous);
}
