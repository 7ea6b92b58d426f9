/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stands in for libbpf's <bpf/bpf_helpers.h> where the data path is compiled for the host: what it
 * calls of the kernel is a function of the host's here (standin.c).
 */
#ifndef STANDIN_BPF_HELPERS_H
#define STANDIN_BPF_HELPERS_H

#include <linux/bpf.h>
#include <linux/types.h>

#define SEC(name)
#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif

/* Map definitions, as in libbpf: the types of members say it all. */
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value) *name
#define __array(name, value) typeof(value) *name[]

enum libbpf_pin_type { LIBBPF_PIN_NONE, LIBBPF_PIN_BY_NAME };

void *bpf_map_lookup_elem(void *map, const void *key);
long bpf_map_update_elem(void *map, const void *key, const void *value, __u64 flags);
long bpf_map_delete_elem(void *map, const void *key);

__u64 bpf_ktime_get_ns(void);
__u64 bpf_ktime_get_coarse_ns(void);
__u64 bpf_jiffies64(void);
__u32 bpf_get_prandom_u32(void);
__u32 bpf_get_smp_processor_id(void);
long bpf_loop(__u32 count, void *function, void *context, __u64 flags);

long bpf_xdp_adjust_head(struct xdp_md *ctx, int delta);
long bpf_xdp_adjust_tail(struct xdp_md *ctx, int delta);
__u64 bpf_xdp_get_buff_len(struct xdp_md *ctx);
long bpf_redirect(__u32 ifindex, __u64 flags);
long bpf_fib_lookup(void *ctx, struct bpf_fib_lookup *way, int size, __u32 flags);
long bpf_redirect_map(void *map, __u64 index, __u64 flags);
long bpf_check_mtu(void *ctx, __u32 ifindex, __u32 *length, __s32 difference, __u64 flags);

struct bpf_sock *bpf_skc_lookup_tcp(void *ctx, struct bpf_sock_tuple *tuple, __u32 size,
				    __u64 netns, __u64 flags);
struct bpf_sock *bpf_sk_lookup_udp(void *ctx, struct bpf_sock_tuple *tuple, __u32 size, __u64 netns,
				   __u64 flags);
long bpf_sk_release(void *sock);

void *bpf_ringbuf_reserve(void *map, __u64 size, __u64 flags);
void bpf_ringbuf_submit(void *data, __u64 flags);
void bpf_ringbuf_discard(void *data, __u64 flags);

#endif
