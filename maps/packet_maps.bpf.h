/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Maps that only the data path has: what it remembers of packets. Those of the first part are
 * pinned as those of maps.bpf.h are. The second part is not: a program starts with it empty.
 */
#ifndef PACKET_MAPS_BPF_H
#define PACKET_MAPS_BPF_H

#include "maps.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FLOW_BUCKETS);
	__type(key, __u32);
	__type(value, struct flow_bucket);
	__uint(pinning, PINNING);
} xlb_buckets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FLOWS + FLOW_FORMAT);
	__type(key, __u32);
	__type(value, struct flow);
	__uint(pinning, PINNING);
} xlb_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_FRAGMENTED);
	__type(key, struct fragment_key);
	__type(value, struct fragment);
	__uint(pinning, PINNING);
} xlb_fragments SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_SOURCES);
	__type(key, struct source_key);
	__type(value, struct source);
	__uint(pinning, PINNING);
} xlb_sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_BACKENDS + 1);
	__type(key, __u32);
	__type(value, struct direct);
	__uint(pinning, PINNING);
} xlb_direct SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, USER_SOCKETS);
	__type(key, __u32);
	__type(value, __u32);
	__uint(pinning, PINNING);
} xlb_sockets SEC(".maps");

static __attribute__((always_inline)) inline void keep_maps(void)
{
	asm volatile("" : : "r"(&xlb_checks), "r"(&xlb_watcher));
}

/*
 * What the balancer's own ICMP answers go by: the ns when the next one conforms, to the sources
 * that share an entry, behind these for each of the two kinds of answers, and behind those for
 * errors that are relayed, about the flows that share an entry.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ANSWER_BUDGETS);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, PINNING);
} xlb_answers SEC(".maps");

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

/* What this CPU found in xlb_reals last. It holds as long as those. */
#define REAL_CACHE_BITS 11
struct cached_real {
	struct real_key key; /* as the packet has it */
	__u32 backend; /* or 0 */
	__u32 generation;
	__u32 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1 << REAL_CACHE_BITS);
	__type(key, __u32);
	__type(value, struct cached_real);
} xlb_real_cache SEC(".maps");

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

/*
 * The MACs for which this CPU has lately found that frames are ours (see xlb_own), by the low bits
 * of the device. An entry holds while `generation` is that of struct config.
 */
#define MAC_CACHE_BITS 6

struct cached_mac {
	__u32 ifindex;
	__u32 generation;
	__u16 mac[3];
	__u16 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1 << MAC_CACHE_BITS);
	__type(key, __u32);
	__type(value, struct cached_mac);
} xlb_mac_cache SEC(".maps");

/* Identifications of fragmented datagrams, counted for the receivers that share an entry. */
#define ID_BITS 11

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << ID_BITS);
	__type(key, __u32);
	__type(value, __u32);
} xlb_ids SEC(".maps");

/* What the slow path has that is too large for the stack: struct scratch of the data path. Each CPU
 * has one, as nothing interrupts the program. */
#define SCRATCH_SIZE 512
union scratch_room {
	__u8 bytes[SCRATCH_SIZE];
	struct member member; /* not used: so the object's BTF has it, by which an upgrade reads */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, union scratch_room);
} xlb_scratch SEC(".maps");

#endif
