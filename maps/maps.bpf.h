/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All maps. The first part is pinned by name, so that a program that replaces another finds what
 * that one had. Those that are mmapable are so for two reasons: the helper reads and writes them in
 * place, and their entries start on a page, so that a structure of a cache line lies in one.
 *
 * The second part is the data path's own. It is not pinned: a program starts with it empty.
 */
#ifndef MAPS_BPF_H
#define MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "xdp_lb.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, LAYOUT_VERSION);
	__type(key, __u32);
	__type(value, struct config);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} xlb_config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_SERVICES);
	__type(key, struct address);
	__type(value, struct vip);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} xlb_vips SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_SERVICES);
	__type(key, struct service_key);
	__type(value, struct service);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} xlb_services SEC(".maps");

/* The inner map is given by sizes: clang 14 has no BTF for a struct that only it names. */
/* clang-format off */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_TABLES);
	__type(key, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_ARRAY);
		__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
		__uint(max_entries, 1);
		__uint(key_size, sizeof(__u32));
		__uint(value_size, sizeof(struct slots));
	});
} xlb_tables SEC(".maps");
/* clang-format on */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_BACKENDS + 1);
	__type(key, __u32);
	__type(value, struct backend);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} xlb_backends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FLOW_BUCKETS);
	__type(key, __u32);
	__type(value, struct flow_bucket);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} xlb_buckets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FLOWS);
	__type(key, __u32);
	__type(value, struct flow);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} xlb_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_FRAGMENTED);
	__type(key, struct fragment_key);
	__type(value, struct fragment);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} xlb_fragments SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_DENIED);
	__type(key, struct deny_key);
	__type(value, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} xlb_deny SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_SERVICES + 1);
	__type(key, __u32);
	__type(value, struct limit);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} xlb_limits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_SOURCES);
	__type(key, struct source_key);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} xlb_sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_SERVICES + 2);
	__type(key, __u32);
	__type(value, struct service_stats);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} xlb_svc_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FORMER_BACKENDS + MAX_SERVICES + 2);
	__type(key, __u32);
	__type(value, struct backend_stats);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} xlb_be_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} xlb_trace SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct slow_stats);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} xlb_slow SEC(".maps");

/*
 * What this CPU found in xlb_vips and xlb_services last, absence of a VIP too: a lookup here takes
 * a third of the time of one there. An entry holds while `generation` is that of struct config.
 */
#define VIP_CACHE_BITS 11
#define SERVICE_CACHE_BITS 11

struct cached_vip {
	struct address address;
	struct vip vip; /* number 0: the address is no VIP */
	__u32 generation;
	__u32 jiffy; /* in which this CPU has last read the clock for a packet to it */
	__u32 tick; /* that it read */
	__u32 unused;
	__u64 key; /* struct service_key of the VIP's service that was asked for last; 0: none */
	struct service service; /* of that key */
};

struct cached_service {
	__u64 key; /* struct service_key */
	struct service service; /* number 0: there is none */
	__u32 generation;
	__u32 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1 << VIP_CACHE_BITS);
	__type(key, __u32);
	__type(value, struct cached_vip);
} xlb_vip_cache SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1 << SERVICE_CACHE_BITS);
	__type(key, __u32);
	__type(value, struct cached_service);
} xlb_svc_cache SEC(".maps");

/*
 * Pointers (see struct flow_bucket) of flows whose clients were heard lately, two to a word, the
 * newer one in the low half; the hash of the client's tuple leads to it. The buckets are more than
 * a processor's cache holds, and a record has to wait for the pointer that leads to it: here most
 * have it at once. Only established flows are let in, so that a flood of SYNs does not push them
 * out.
 */
#ifndef CACHED_POINTERS
#define CACHED_POINTERS (1 << 16) /* words: 512 KB, half of a second-level cache */
#endif

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CACHED_POINTERS);
	__type(key, __u32);
	__type(value, __u64);
} xlb_flow_cache SEC(".maps");

/* What the slow path has that is too large for the stack: struct scratch of the data path. Each CPU
 * has one, as nothing interrupts the program. */
#define SCRATCH_SIZE 512
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, SCRATCH_SIZE);
} xlb_scratch SEC(".maps");

#endif
