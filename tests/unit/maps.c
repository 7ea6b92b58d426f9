// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE /* unshare */
#include <libgen.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "maps.h"
#include "model/discover.h"

#define BPFFS "/sys/fs/bpf"

struct bpf_object *open_built(const char *name)
{
	char self[PATH_MAX] = "", path[PATH_MAX + 32];

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return NULL;
	snprintf(path, sizeof(path), "%s/../../../%s", dirname(self), name);
	return bpf_object__open(path);
}

bool make_maps(void)
{
	struct bpf_object *object = open_built("xdp_lb.bpf.o");
	struct bpf_program *program = NULL;

	if (!object || unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("bpf", BPFFS, "bpf", 0, NULL) || mount("tmpfs", "/run", "tmpfs", 0, NULL))
		return false;
	while ((program = bpf_object__next_program(object, program)))
		bpf_program__set_autoload(program, false);
	return !bpf_object__load(object);
}

void open_maps(struct balancer *balancer)
{
	struct selection selection = { .pins = BPFFS };

	if (open_balancer(&selection, balancer))
		exit(1);
}
