/* SPDX-License-Identifier: GPL-2.0 */
/* The object of the balancer, as `make` has built it. */
#ifndef OBJECT_H
#define OBJECT_H

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include <bpf/libbpf.h>

/* Opens xdp_lb.bpf.o, which is at the top level: above build/tests/unit. Returns NULL on failure. */
static inline struct bpf_object *open_object(void)
{
	char self[PATH_MAX] = "", path[PATH_MAX + 32];

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return NULL;
	snprintf(path, sizeof(path), "%s/../../../xdp_lb.bpf.o", dirname(self));
	return bpf_object__open(path);
}

#endif
