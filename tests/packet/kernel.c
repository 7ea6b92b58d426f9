// SPDX-License-Identifier: GPL-2.0
/*
 * See kernel.h. The object is loaded by bpftool in namespaces of our own, which end with the test;
 * all else is raw bpf(2).
 */
#define _GNU_SOURCE /* unshare */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernel.h"

#define BPFFS "/sys/fs/bpf"
#define MAX_CPUS 256
#define MAX_KEY 64
#define LOG_SHOWN                                                                                  \
	4096 /* of what bpftool says when it fails: a verifier's log ends with the reason */

static const struct {
	const char *name;
	size_t memory; /* to be mapped; 0: none */
} map_kinds[MAPS] = {
	[MAP_CONFIG] = { "xlb_config", sizeof(struct config) * LAYOUT_VERSION },
	[MAP_VIPS] = { "xlb_vips", 0 },
	[MAP_SERVICES] = { "xlb_services", 0 },
	[MAP_TABLES] = { "xlb_tables", 0 },
	[MAP_BACKENDS] = { "xlb_backends", sizeof(struct backend) * (MAX_BACKENDS + 1) },
	[MAP_REALS] = { "xlb_reals", 0 },
	[MAP_REPLIES] = { "xlb_replies", sizeof(struct answer) * (MAX_SERVICES + 1) },
	[MAP_FLOWS] = { "xlb_flows", sizeof(struct flow) * FLOWS },
	[MAP_BUCKETS] = { "xlb_buckets", sizeof(struct flow_bucket) * FLOW_BUCKETS },
	[MAP_FRAGMENTS] = { "xlb_fragments", 0 },
	[MAP_DENY] = { "xlb_deny", 0 },
	[MAP_OWN] = { "xlb_own", 0 },
	[MAP_ANSWERS] = { "xlb_answers", 0 },
	[MAP_LIMITS] = { "xlb_limits", sizeof(struct limit) * (MAX_SERVICES + 1) },
	[MAP_SOURCES] = { "xlb_sources", 0 },
	[MAP_SVC_STATS] = { "xlb_svc_stats", 0 },
	[MAP_BE_STATS] = { "xlb_be_stats", 0 },
	[MAP_TRACE] = { "xlb_trace", 0 },
	[MAP_SLOW] = { "xlb_slow", 0 },
	[MAP_PORTS] = { "xlb_ports", sizeof(struct port_hints) * PORT_HINTS },
	[MAP_DIRECT] = { "xlb_direct", sizeof(struct direct) * (MAX_BACKENDS + 1) },
	[MAP_ADDRESSES] = { "xlb_addresses", sizeof(struct address) * ADDRESSES },
	[MAP_LIVE] = { "xlb_live", sizeof(struct live) * (MAX_BACKENDS + 1) },
	[MAP_LEAST] = { "xlb_least", sizeof(struct least) * (MAX_SERVICES + 1) },
	[MAP_POOL] = { "xlb_pool", sizeof(struct pool) },
	[MAP_SOCKETS] = { "xlb_sockets", 0 },
};

static const char *const program_names[PROGRAMS] = { "xdp_lb", "xdp_lb_frags" };

static int maps[MAPS];
static void *memory[MAPS];
static void *tables[TEST_TABLES + 1];
static int programs[PROGRAMS];
char object_path[4096];
static int cpus;

/* The ring buffer: what was read, what was written, and the data twice in a row. */
static struct {
	unsigned long *consumed;
	unsigned long *produced;
	uint8_t *data;
	size_t size;
} ring;

void broken(const char *format, ...)
{
	int error = errno;
	va_list arguments;

	va_start(arguments, format);
	printf("FAIL set-up: ");
	vprintf(format, arguments);
	printf(": %s\n", strerror(error));
	va_end(arguments);
	exit(1);
}

/* Of a union only the member that is named is sure to be zeroed: the kernel is shown no more than
 * that. */
#define UP_TO(field) (offsetof(union bpf_attr, field) + sizeof(((union bpf_attr *)NULL)->field))

static long bpf(int command, union bpf_attr *attr, size_t size)
{
	return syscall(SYS_bpf, command, attr, size);
}

/* Loading */

static void enter_namespaces(void)
{
	struct ifreq up = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNS | CLONE_NEWNET))
		broken("unshare (are you root?)");
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		broken("make mounts private");
	if (mount("bpf", BPFFS, "bpf", 0, NULL))
		broken("mount " BPFFS);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &up))
		broken("loopback up");
	close(fd);
}

static void find_object(int argc, char **argv)
{
	static const char *const places[] = { "", "../", "../../", "../../../" };
	char self[4000] = "";
	const char *named = argc > 1 ? argv[1] : getenv("XDP_LB_OBJECT");

	if (named) {
		snprintf(object_path, sizeof(object_path), "%s", named);
		return;
	}
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		broken("/proc/self/exe");
	*strrchr(self, '/') = 0;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(object_path, sizeof(object_path), "%s/%sxdp_lb.bpf.o", self, places[i]);
		if (access(object_path, R_OK) == 0)
			return;
	}
	broken("no xdp_lb.bpf.o above %s", self);
}

static void show_end(FILE *log)
{
	char text[LOG_SHOWN];
	size_t length;

	if (fseek(log, -(long)sizeof(text), SEEK_END))
		rewind(log);
	length = fread(text, 1, sizeof(text), log);
	fwrite(text, 1, length, stdout);
}

static void load_object(const char *object)
{
	char *const words[] = { "bpftool", "prog", "loadall", (char *)object, BPFFS "/test", NULL };

	FILE *log = tmpfile();
	int status;
	pid_t child = log ? fork() : -1;

	if (child == 0) {
		dup2(fileno(log), 1);
		dup2(fileno(log), 2);
		execvp(*words, words);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		broken("bpftool");
	if (status) {
		show_end(log);
		errno = 0;
		broken("bpftool prog loadall %s: status %#x", object, status);
	}
	fclose(log);
}

static int open_pin(const char *directory, const char *name)
{
	char path[128];
	union bpf_attr attr = { .pathname = (uintptr_t)path };
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = bpf(BPF_OBJ_GET, &attr, UP_TO(bpf_fd));
	if (fd < 0)
		broken("open %s", path);
	return fd;
}

static void *map_of(int fd, size_t length)
{
	void *at = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		broken("mmap of a map");
	return at;
}

static void open_pins(void)
{
	for (int i = 0; i < PROGRAMS; i++)
		programs[i] = open_pin(BPFFS "/test", program_names[i]);
	for (int i = 0; i < MAPS; i++) {
		maps[i] = open_pin(BPFFS, map_kinds[i].name);
		if (map_kinds[i].memory)
			memory[i] = map_of(maps[i], map_kinds[i].memory);
	}
}

static void open_ring(void)
{
	struct bpf_map_info info = {};
	union bpf_attr attr = {
		.info.bpf_fd = maps[MAP_TRACE],
		.info.info_len = sizeof(info),
		.info.info = (uintptr_t)&info,
	};
	size_t page = sysconf(_SC_PAGESIZE);

	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, UP_TO(info)))
		broken("info of xlb_trace");
	ring.size = info.max_entries;
	ring.consumed = map_of(maps[MAP_TRACE], page);
	ring.produced = mmap(NULL, page + 2 * ring.size, PROT_READ, MAP_SHARED, maps[MAP_TRACE],
			     page);
	if (ring.produced == MAP_FAILED)
		broken("mmap of xlb_trace");
	ring.data = (uint8_t *)ring.produced + page;
}

/*
 * Every table of the tests is as large as any needs to be: a service names how much of it counts.
 */
static void make_tables(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = sizeof(uint32_t),
		.value_size = sizeof(struct slots),
		.max_entries = MAX_TEST_WORDS,
		.map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP,
	};

	for (uint32_t i = 1; i <= TEST_TABLES; i++) {
		int fd = bpf(BPF_MAP_CREATE, &attr, UP_TO(map_flags));

		if (fd < 0)
			broken("create a table");
		tables[i] = map_of(fd, sizeof(struct slots) * MAX_TEST_WORDS);
		map_update(MAP_TABLES, &i, &fd);
		close(fd);
	}
}

/* How many CPUs per-CPU values are for: the last of "0-3" or "0-3,8-11", and one. */
static int possible_cpus(void)
{
	FILE *file = fopen("/sys/devices/system/cpu/possible", "r");
	char line[256] = "";
	char *last;

	if (!file || !fgets(line, sizeof(line), file))
		broken("possible CPUs");
	fclose(file);
	last = strrchr(line, '-') ? strrchr(line, '-') + 1 : line;
	return atoi(last) + 1;
}

void open_kernel(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	find_object(argc, argv);
	enter_namespaces();
	load_object(object_path);
	open_pins();
	open_ring();
	make_tables();
	cpus = possible_cpus();
	if (cpus > MAX_CPUS)
		broken("%d CPUs", cpus);
}

struct cost program_cost(enum program which)
{
	struct bpf_prog_info info = {};
	union bpf_attr attr = {
		.info.bpf_fd = programs[which],
		.info.info_len = sizeof(info),
		.info.info = (uintptr_t)&info,
	};

	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, UP_TO(info)))
		broken("info of program %s", program_names[which]);
	return (struct cost){ info.verified_insns, info.jited_prog_len };
}

/* Maps */

bool map_lookup(enum map map, const void *key, void *value)
{
	union bpf_attr attr = {
		.map_fd = maps[map],
		.key = (uintptr_t)key,
		.value = (uintptr_t)value,
	};

	return bpf(BPF_MAP_LOOKUP_ELEM, &attr, UP_TO(flags)) == 0;
}

void map_update(enum map map, const void *key, const void *value)
{
	union bpf_attr attr = {
		.map_fd = maps[map],
		.key = (uintptr_t)key,
		.value = (uintptr_t)value,
	};

	if (bpf(BPF_MAP_UPDATE_ELEM, &attr, UP_TO(flags)))
		broken("update %s", map_kinds[map].name);
}

bool map_next(enum map map, const void *key, void *next)
{
	union bpf_attr attr = {
		.map_fd = maps[map],
		.key = (uintptr_t)key,
		.next_key = (uintptr_t)next,
	};

	return bpf(BPF_MAP_GET_NEXT_KEY, &attr, UP_TO(next_key)) == 0;
}

int map_count(enum map map)
{
	uint8_t key[MAX_KEY];
	int count = 0;

	for (bool more = map_next(map, NULL, key); more; more = map_next(map, key, key))
		count++;
	return count;
}

void map_clear(enum map map)
{
	uint8_t key[MAX_KEY];
	union bpf_attr attr = { .map_fd = maps[map], .key = (uintptr_t)key };

	while (map_next(map, NULL, key))
		if (bpf(BPF_MAP_DELETE_ELEM, &attr, UP_TO(key)) && errno != ENOENT)
			broken("clear %s", map_kinds[map].name);
}

void map_zero(enum map map, uint32_t count)
{
	uint32_t *keys = calloc(count, sizeof(*keys));
	uint64_t *values = calloc(count, sizeof(*values));
	union bpf_attr attr = { .batch = { .keys = (uintptr_t)keys,
					   .values = (uintptr_t)values,
					   .count = count,
					   .map_fd = maps[map] } };

	if (!keys || !values)
		broken("no memory");
	for (uint32_t i = 0; i < count; i++)
		keys[i] = i;
	if (bpf(BPF_MAP_UPDATE_BATCH, &attr, UP_TO(batch.flags)))
		broken("zero %s", map_kinds[map].name);
	free(keys);
	free(values);
}

void *map_memory(enum map map)
{
	return memory[map];
}

void *table_memory(int number)
{
	return tables[number];
}

void read_sums(enum map map, uint32_t number, uint64_t *sums, size_t size)
{
	static uint64_t values[MAX_CPUS * sizeof(struct service_stats) / sizeof(uint64_t)];
	size_t words = size / sizeof(*sums);

	if (!map_lookup(map, &number, values))
		broken("read %s", map_kinds[map].name);
	memset(sums, 0, size);
	for (size_t i = 0; i < cpus * words; i++)
		sums[i % words] += values[i];
}

const struct event *next_event(void)
{
	const uint8_t *record = ring.data + (*ring.consumed & (ring.size - 1));
	uint32_t length;

	if (*ring.consumed >= __atomic_load_n(ring.produced, __ATOMIC_ACQUIRE))
		return NULL;
	memcpy(&length, record, sizeof(length));
	*ring.consumed += (length + BPF_RINGBUF_HDR_SZ + 7) & ~7UL;
	return (const struct event *)(record + BPF_RINGBUF_HDR_SZ);
}

uint32_t tick_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec * 1000000000ULL + now.tv_nsec) >> TICK_SHIFT;
}

int run_program(struct run *run)
{
	struct xdp_md context = {
		.data = run->room,
		.data_end = run->length,
		.ingress_ifindex = run->ingress,
	};
	union bpf_attr attr = { .test = {
					.prog_fd = programs[run->program],
					.data_in = (uintptr_t)run->in,
					.data_size_in = run->length,
					.data_out = (uintptr_t)run->out,
					.data_size_out = run->out_length,
					.ctx_in = (uintptr_t)&context,
					.ctx_size_in = sizeof(context),
				} };

	if (bpf(BPF_PROG_TEST_RUN, &attr, UP_TO(test.batch_size)))
		broken("BPF_PROG_TEST_RUN with %zu bytes", run->length);
	run->out_length = attr.test.data_size_out;
	return attr.test.retval;
}
