/* SPDX-License-Identifier: GPL-2.0 */
/* Stage 2, find: is the destination a VIP, and which service has the port. */
#ifndef VIP_H
#define VIP_H

#include "hash.h"

/*
 * What is cached counts while its generation is this, which is never 0. Of a configuration that
 * bpftool has written it is the jiffy: a change is seen in the next one.
 */
static __always_inline __u32 current_generation(const struct config *config)
{
	__u32 generation = READ_ONCE(config->generation);

	return generation ? generation : bpf_jiffies64() | GENERATION_BY_HAND;
}

/* The generation of what is looked up now; 0: it does not count a second time. */
static __always_inline __u32 generation_to_cache(__u32 generation)
{
	return generation == GENERATION_CHANGING ? 0 : generation;
}

/* Whether the address may be one of the host, or where that is known a VIP. */
static __always_inline bool has_known_bit(const struct config *config, const __u64 address[2])
{
	const __u64 *bits = config->known_bits;
	__u32 bit = known_bit(address[0], address[1]);

	return bits[bit / 64 % KNOWN_WORDS] >> bit % 64 & 1 ||
	       !(bits[0] | bits[1] | bits[2] | bits[3]);
}

/* Whether the address is one of the host; only asked where there are answers (mode dnat). */
static __always_inline bool is_own_address(const __u64 address[2])
{
	struct config *config = get_config();
	struct own_key key = {};
	__u32 *own;

	if (!config || !(config->flags & CONFIG_DNAT) || !has_known_bit(config, address))
		return false;
	copy_address(&key.address, address);
	own = bpf_map_lookup_elem(&xlb_own, &key);
	return own && *own & OWN_HOST;
}

/* Looks an address up in xlb_vips, and keeps what was found in the entry `index` of the cache. */
GLOBAL int look_up_vip(__u64 first, __u64 second, __u32 index, __u32 generation)
{
	__u64 address[] = { first, second };
	struct cached_vip *cached = bpf_map_lookup_elem(&xlb_vip_cache, &index);
	struct vip *vip = bpf_map_lookup_elem(&xlb_vips, address);

	if (!cached)
		return 0;
	copy_address(&cached->address, address);
	cached->vip = vip ? *vip : (struct vip){ .flags = is_own_address(address) ? VIP_OWN : 0 };
	cached->key = 0;
	cached->generation = generation_to_cache(generation);
	return 0;
}

/*
 * Whether the address is neither a VIP nor the host's, for sure: so are those of most clients that
 * answers are to. Each would take an entry of the cache.
 */
static __always_inline bool is_of_others(const struct config *config, const __u64 address[2])
{
	const __u32 both = CONFIG_DNAT | CONFIG_KNOWS_VIPS;

	return (config->flags & both) == both && !has_known_bit(config, address);
}

/* The VIP that the packet is sent to, or one of number 0; any entry if it is sent to others. NULL
 * never happens. */
static __always_inline struct cached_vip *find_vip(struct packet *pkt, const struct config *config)
{
	__u32 index = cache_index(pkt->vip[0] ^ pkt->vip[1], VIP_CACHE_BITS);
	struct cached_vip *cached = bpf_map_lookup_elem(&xlb_vip_cache, &index);
	__u32 generation = current_generation(config);
	const __u64 *half = (const __u64 *)cached;

	if (!cached)
		return NULL;
	if (cached->generation != generation || half[1] != pkt->vip[1] || half[0] != pkt->vip[0]) {
		if (is_of_others(config, pkt->vip)) {
			pkt->vip_number = 0;
			pkt->is_to_others = true;
			return cached;
		}
		look_up_vip(pkt->vip[0], pkt->vip[1], index, generation);
	}
	pkt->vip_number = cached->vip.number;
	return cached;
}

/* Looks a service up by its port, or else the one of any port, and keeps what was found in the
 * entry `index` of the cache. */
GLOBAL int look_up_service(__u64 word, __u32 index, __u32 generation)
{
	struct cached_service *cached = bpf_map_lookup_elem(&xlb_svc_cache, &index);
	union service_word found = { .word = word };
	struct service *service = service_at(&found);

	if (!cached)
		return 0;
	cached->key = word;
	cached->generation = generation_to_cache(generation);
	cached->service = service ? *service : (struct service){};
	if (found.word != word)
		cached->service.flags |= SERVICE_ANY_PORT;
	return 0;
}

/* The service that the packet is sent to, or NULL. */
static __always_inline struct service *find_service(const struct packet *pkt,
						    const struct config *config,
						    struct cached_vip *vip)
{
	__u64 key = pkt->vip_number | (pkt->ports & 0xffff0000) | (__u64)pkt->protocol << 32;
	struct cached_service *cached;
	__u32 index, generation;

	if (vip->key == key)
		return &vip->service;
	if (vip->vip.flags & VIP_POOL)
		return NULL;
	if (vip->vip.ports && !(vip->vip.ports & port_bit(pkt->ports >> 16, pkt->protocol)))
		return NULL;
	index = cache_index(key, SERVICE_CACHE_BITS);
	cached = bpf_map_lookup_elem(&xlb_svc_cache, &index);
	if (!cached)
		return NULL;
	generation = current_generation(config);
	if (cached->generation != generation || cached->key != key)
		look_up_service(key, index, generation);
	if (!cached->service.number)
		return NULL;
	if (!vip->key) {
		vip->key = key;
		vip->service = cached->service;
	}
	return &cached->service;
}

/* Whether the VIP has a service of this very key. */
static __always_inline bool is_service_port(const struct vip *vip, const struct service_key *key)
{
	if (vip->ports && !(vip->ports & port_bit(key->port, key->protocol)))
		return false;
	return bpf_map_lookup_elem(&xlb_services, key);
}

#endif
