/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The configuration and the counters: maps of the data path and of the socket programs. What only
 * the data path has is in packet_maps.bpf.h. The data path's are pinned by name, so that a program
 * that replaces another finds what that one had. Those that are mmapable are so for two reasons:
 * the helper reads and writes them in place, and their entries start on a page, so that a structure
 * of a cache line lies in one.
 */
#ifndef MAPS_BPF_H
#define MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "xdp_lb.h"

#ifndef PINNING
#define PINNING LIBBPF_PIN_BY_NAME
#endif

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, LAYOUT_VERSION);
	__type(key, __u32);
	__type(value, struct config);
	__uint(pinning, PINNING);
} xlb_config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_SERVICES + MAX_POOL);
	__type(key, struct address);
	__type(value, struct vip);
	__uint(pinning, PINNING);
} xlb_vips SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, ADDRESSES);
	__type(key, __u32);
	__type(value, struct address);
	__uint(pinning, PINNING);
} xlb_addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pool);
	__uint(pinning, PINNING);
} xlb_pool SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_SERVICES);
	__type(key, struct service_key);
	__type(value, struct service);
	__uint(pinning, PINNING);
} xlb_services SEC(".maps");

/* The inner map is given by sizes: clang 14 has no BTF for a struct that only it names. */
/* clang-format off */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_TABLES);
	__type(key, __u32);
	__uint(pinning, PINNING);
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
	__uint(pinning, PINNING);
} xlb_backends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_BACKENDS + 1);
	__type(key, __u32);
	__type(value, struct live);
	__uint(pinning, PINNING);
} xlb_live SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_SERVICES + 1);
	__type(key, __u32);
	__type(value, struct least);
	__uint(pinning, PINNING);
} xlb_least SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_DENIED);
	__type(key, struct deny_key);
	__type(value, __u32);
	__uint(pinning, PINNING);
} xlb_deny SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_OWN);
	__type(key, struct own_key);
	__type(value, __u32);
	__uint(pinning, PINNING);
} xlb_own SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_SERVICES + 1);
	__type(key, __u32);
	__type(value, struct limit);
	__uint(pinning, PINNING);
} xlb_limits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_SERVICES + 2);
	__type(key, __u32);
	__type(value, struct service_stats);
	__uint(pinning, PINNING);
} xlb_svc_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FORMER_BACKENDS + MAX_SERVICES + 2);
	__type(key, __u32);
	__type(value, struct backend_stats);
	__uint(pinning, PINNING);
} xlb_be_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
	__uint(pinning, PINNING);
} xlb_trace SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct slow_stats);
	__uint(pinning, PINNING);
} xlb_slow SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PORT_HINTS);
	__type(key, __u32);
	__type(value, struct port_hints);
	__uint(pinning, PINNING);
} xlb_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_BACKENDS);
	__type(key, struct real_key);
	__type(value, __u32);
	__uint(pinning, PINNING);
} xlb_reals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_SERVICES + 1);
	__type(key, __u32);
	__type(value, struct answer);
	__uint(pinning, PINNING);
} xlb_replies SEC(".maps");

/* The helper's alone. The program names them, so that they are found and kept with the others: see
 * keep_maps(). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_SERVICES + 1);
	__type(key, __u32);
	__type(value, struct check);
	__uint(pinning, PINNING);
} xlb_checks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct watcher);
	__uint(pinning, PINNING);
} xlb_watcher SEC(".maps");

#endif
