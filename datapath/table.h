/* SPDX-License-Identifier: GPL-2.0 */
/* From a key to the service, and from a service's slot to the backend: by maps alone, for the data
 * path and for the socket programs. */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "maps/maps.bpf.h"
#include "xx_hash.h"

#define IPV4_MAPPED bpf_htonl(0x0000ffff) /* third word of ::ffff:0:0/96 */

/* A function of its own, so that the key's place on the stack is free again after it. */
static __always_inline struct config *get_config(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&xlb_config, &zero);
}

static __always_inline bool is_ipv4(const void *address)
{
	const __u64 *half = address;

	return !half[0] && (__u32)half[1] == IPV4_MAPPED;
}

/* A struct service_key, and the word that it is hashed and compared as. */
union service_word {
	__u64 word;
	struct service_key key;
};

/* The service that has the port, or else the one of any port, whose key `wanted` then is. */
static __always_inline struct service *service_at(union service_word *wanted)
{
	struct service *service = bpf_map_lookup_elem(&xlb_services, wanted);

	if (service)
		return service;
	wanted->key.port = ANY_PORT;
	return bpf_map_lookup_elem(&xlb_services, wanted);
}

static __always_inline struct backend *backend_at(__u32 number)
{
	return bpf_map_lookup_elem(&xlb_backends, &number);
}

static __always_inline void *table_of(const struct service *service)
{
	__u32 number = service->table;

	return bpf_map_lookup_elem(&xlb_tables, &number);
}

/* What `hash source` goes by: a client's address alone. */
static __always_inline __u32 source_hash(const void *address)
{
	return xxh32(address, sizeof(struct address), 0);
}

static __always_inline __u32 slot_at(const struct service *service, __u32 hash)
{
	return (__u64)hash * service->slots >> 32;
}

/* The backend of a slot and SLOT_MOVING, or 0. */
static __always_inline __u32 backend_of_slot(void *table, __u32 slot)
{
	__u32 index = slot / SLOTS_PER_WORD;
	struct slots *slots = table ? bpf_map_lookup_elem(table, &index) : NULL;

	return slots ? slots->backend[slot % SLOTS_PER_WORD] : 0;
}

/* Whether the trace's filter lets the flow through; what it does not name matches. `word` is the
 * client's tuple. */
static __always_inline bool is_traced(const struct tuple *filter, const __u64 word[3])
{
	const __u64 *wanted = (const __u64 *)filter;
	__u64 tail = word[2];

	return (!filter->vip || filter->vip == (__u16)(tail >> 32)) &&
	       (!filter->protocol || filter->protocol == (__u8)(tail >> 48)) &&
	       (!filter->vip_port || filter->vip_port == (__u16)(tail >> 16)) &&
	       (!filter->peer_port || filter->peer_port == (__u16)tail) &&
	       (!(wanted[0] | wanted[1]) || (wanted[0] == word[0] && wanted[1] == word[1]));
}

#endif
