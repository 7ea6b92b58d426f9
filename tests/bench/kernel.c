// SPDX-License-Identifier: GPL-2.0
/* See kernel.h. */
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel.h"

#define MAX_PROGRAM_MAPS 64

void die(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "bench: ");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "%s%s\n", errno ? ": " : "", errno ? strerror(errno) : "");
	exit(1);
}

static int bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

int open_pin(const char *directory, const char *name)
{
	char path[256];
	union bpf_attr attr = { .pathname = (uintptr_t)path };
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = bpf(BPF_OBJ_GET, &attr);
	if (fd < 0)
		die("open %s", path);
	return fd;
}

int open_program(uint32_t id)
{
	union bpf_attr attr = { .prog_id = id };
	int fd = bpf(BPF_PROG_GET_FD_BY_ID, &attr);

	if (fd < 0)
		die("open program id %u", id);
	return fd;
}

static void get_info(int fd, void *info, uint32_t size)
{
	union bpf_attr attr = {
		.info.bpf_fd = fd,
		.info.info_len = size,
		.info.info = (uintptr_t)info,
	};

	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr))
		die("BPF_OBJ_GET_INFO_BY_FD");
}

int open_map_of(int program, const char *name)
{
	uint32_t ids[MAX_PROGRAM_MAPS];
	struct bpf_prog_info info = { .nr_map_ids = MAX_PROGRAM_MAPS, .map_ids = (uintptr_t)ids };

	get_info(program, &info, sizeof(info));
	for (uint32_t i = 0; i < info.nr_map_ids && i < MAX_PROGRAM_MAPS; i++) {
		union bpf_attr attr = { .map_id = ids[i] };
		struct bpf_map_info map = {};
		int fd = bpf(BPF_MAP_GET_FD_BY_ID, &attr);

		if (fd < 0)
			die("open map id %u", ids[i]);
		get_info(fd, &map, sizeof(map));
		if (!strcmp(map.name, name))
			return fd;
		close(fd);
	}
	errno = 0;
	die("the program has no map %s", name);
}

void *map_memory(int map, size_t length)
{
	void *at = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);

	if (at == MAP_FAILED)
		die("mmap of a map");
	return at;
}

void map_update(int map, const void *key, const void *value)
{
	union bpf_attr attr = {
		.map_fd = map,
		.key = (uintptr_t)key,
		.value = (uintptr_t)value,
	};

	if (bpf(BPF_MAP_UPDATE_ELEM, &attr))
		die("update a map");
}

int map_lookup(int map, const void *key, void *value)
{
	union bpf_attr attr = {
		.map_fd = map,
		.key = (uintptr_t)key,
		.value = (uintptr_t)value,
	};

	return bpf(BPF_MAP_LOOKUP_ELEM, &attr);
}

int create_array(uint32_t value_size, uint32_t entries, uint32_t flags)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = sizeof(uint32_t),
		.value_size = value_size,
		.max_entries = entries,
		.map_flags = flags,
	};
	int fd = bpf(BPF_MAP_CREATE, &attr);

	if (fd < 0)
		die("create a map");
	return fd;
}

/* The last of "0-3" or "0-3,8-11", and one. */
int possible_cpus(void)
{
	FILE *file = fopen("/sys/devices/system/cpu/possible", "r");
	char line[256] = "";
	const char *last;

	if (!file || !fgets(line, sizeof(line), file))
		die("possible CPUs");
	fclose(file);
	last = strrchr(line, '-') ? strrchr(line, '-') + 1 : line;
	return atoi(last) + 1;
}

uint32_t test_run(const struct test_run *run)
{
	struct xdp_md context = { .data_end = run->length, .ingress_ifindex = run->ifindex };
	union bpf_attr attr = { .test = {
					.prog_fd = run->program,
					.data_in = (uintptr_t)run->frame,
					.data_size_in = run->length,
					.repeat = run->times,
					.flags = run->flags,
					.ctx_in = (uintptr_t)&context,
					.ctx_size_in = sizeof(context),
				} };

	if (bpf(BPF_PROG_TEST_RUN, &attr))
		die("BPF_PROG_TEST_RUN");
	return attr.test.retval;
}
