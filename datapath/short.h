/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The short way, of the ordinary packet: no VLAN tag, no IPv4 options, no extension headers, no
 * fragment; to no VIP; or of an established NAT flow, of which it changes nothing; or to a slot
 * that is not in transition (dsr, ipip). Nothing but time is won: it does what the long way would
 * do. So any doubt leads to the long way, and nothing is written before the last doubt is gone.
 *
 * It wins by few instructions: what is known of the packet stays in registers (struct glance: never
 * pass it to a function that is not inlined), and each bound is checked once.
 */
#ifndef SHORT_H
#define SHORT_H

#include "account.h"
#include "tunnel.h"

#define LONG_WAY (-1) /* no XDP action: the packet is as it was */

#define IPV4_PLAIN 0x45 /* version and header length without options */
#define FLOW_PLAIN (FLOW_NAT | FLOW_ESTABLISHED | FLOW_SYN_ACK)
#define VERSION_MASK 0xf0 /* of the first byte */

/*
 * The headers by the words that they are read by. Those of a whole word are in network byte order;
 * parts of a word are taken out of it by shifts, for a little-endian machine.
 */
struct ipv4_words {
	__u32 first; /* version and length, TOS, total length */
	__u32 fragment; /* id, flags and offset */
	__u32 life; /* TTL, protocol, checksum */
	__be32 source;
	__be32 destination;
};

struct ipv6_words {
	__u32 first; /* version, class, flow label */
	__u32 life; /* payload length, next header, hop limit */
	__u64 source[2];
	__u64 destination[2];
} __attribute__((aligned(4)));

/* What a glance at the headers shows. Addresses as in struct address, by halves. */
struct glance {
	__u64 source[2];
	__u64 destination[2];
	__u32 ports; /* as they are in the frame */
	__u32 hash; /* to a stateless VIP: picks the slot; else finds the flow */
	__u32 length; /* of the frame, in bytes */
	__u32 size; /* of the IP packet, by its header */
	__u16 vip; /* number */
	__u8 protocol;
	__u8 tcp_flags; /* 0: UDP */
	__u8 class; /* TOS, traffic class */
};

/* Bytes of the frame that hold an ordinary packet's headers, to the end of a TCP header. */
static __always_inline __u32 headers_size(bool ipv6)
{
	return sizeof(struct ethernet) + sizeof(struct tcphdr) +
	       (ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
}

/* The frame, or NULL if it has not so many bytes. */
static __always_inline void *whole_headers(const struct xdp_md *ctx, __u32 size)
{
	void *frame = (void *)(long)ctx->data;

	return frame + size > (void *)(long)ctx->data_end ? NULL : frame;
}

/* Folds a sum of two 16-bit words. */
static __always_inline __u32 fold_two(__u32 sum)
{
	return (sum & 0xffff) + (sum >> 16);
}

/* Folds a sum of a few 16-bit words. */
static __always_inline __u32 fold_few(__u32 sum)
{
	return fold_two(fold_two(sum));
}

static __always_inline bool ipv4_words_intact(const struct ipv4_words *ip)
{
	__u64 sum = (__u64)ip->first + ip->fragment + ip->life + ip->source + ip->destination;

	sum = (__u32)sum + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == CHECKSUM_OK || sum == 2 * CHECKSUM_OK;
}

/* Reads, of TCP, the flags. Returns false where there is a doubt. */
static __always_inline bool glance_at_l4(struct glance *glance, const __u32 *l4, __u32 payload)
{
	__u32 header;

	if (glance->protocol == IPPROTO_TCP) {
		glance->tcp_flags = l4[3] >> 8;
		header = l4[3] >> 2 & 0x3c; /* the upper half of the byte, in words */
		return header >= sizeof(struct tcphdr) && header <= payload;
	}
	header = bpf_ntohs(l4[1] & 0xffff); /* the length of the datagram */
	glance->tcp_flags = 0;
	return glance->protocol == IPPROTO_UDP && header >= sizeof(struct udphdr) &&
	       header <= payload;
}

static __always_inline bool glance_at_ipv4(struct glance *glance, const struct ipv4_words *ip)
{
	__u32 payload = bpf_ntohs(ip->first >> 16) - sizeof(*ip);

	glance->protocol = ip->life >> 8;
	glance->class = ip->first >> 8;
	glance->size = payload + sizeof(*ip);
	if ((ip->first & 0xff) != IPV4_PLAIN || (ip->life & 0xff) <= 1)
		return false;
	if (ip->fragment & (__u32)bpf_htonl(IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET))
		return false;
	if (payload - sizeof(struct udphdr) >
	    glance->length - sizeof(struct ethernet) - sizeof(*ip) - sizeof(struct udphdr))
		return false;
	return ipv4_words_intact(ip) && glance_at_l4(glance, (const __u32 *)(ip + 1), payload);
}

static __always_inline bool glance_at_ipv6(struct glance *glance, const struct ipv6_words *ip)
{
	__u32 payload = bpf_ntohs(ip->life & 0xffff);

	glance->protocol = ip->life >> 16;
	glance->class = bpf_ntohl(ip->first) >> 20;
	glance->size = payload + sizeof(*ip);
	if (ip->life >> 24 <= 1 || (!glance->source[0] && (__u32)glance->source[1] == IPV4_MAPPED))
		return false;
	if (payload - sizeof(struct udphdr) >
	    glance->length - sizeof(struct ethernet) - sizeof(*ip) - sizeof(struct udphdr))
		return false;
	return glance_at_l4(glance, (const __u32 *)(ip + 1), payload);
}

/*
 * Reads where the packet comes from, and hashes it: before it is known whether the packet is an
 * ordinary one, as the flow or slot waits for this chain of multiplications, and the checks do not.
 */
static __always_inline void glance_at_source(struct glance *glance, const void *l3, bool stateless,
					     bool ipv6)
{
	const struct ipv4_words *ip4 = l3;
	const struct ipv6_words *ip6 = l3;

	glance->source[0] = ipv6 ? ip6->source[0] : 0;
	glance->source[1] = ipv6 ? ip6->source[1] : (__u64)ip4->source << 32 | IPV4_MAPPED;
	glance->ports = ipv6 ? *(const __u32 *)(ip6 + 1) : *(const __u32 *)(ip4 + 1);
	glance->hash = stateless ? hash_key(glance->source, glance->ports) :
				   flow_hash(glance->source, glance->ports);
	keep_order(glance->hash);
}

/* Reads where the packet is sent to. */
static __always_inline bool glance_at_destination(struct glance *glance, const void *l3, bool ipv6)
{
	const struct ipv4_words *ip4 = l3;
	const struct ipv6_words *ip6 = l3;

	if (!ipv6) {
		glance->destination[0] = 0;
		glance->destination[1] = (__u64)ip4->destination << 32 | IPV4_MAPPED;
		return (ip4->first & VERSION_MASK) == 4 << 4;
	}
	glance->destination[0] = ip6->destination[0];
	glance->destination[1] = ip6->destination[1];
	return (ip6->first & VERSION_MASK) == 6 << 4 &&
	       (glance->destination[0] || (__u32)glance->destination[1] != IPV4_MAPPED);
}

/* What this CPU knows of the destination; NULL: it has to be looked up. */
static __always_inline struct cached_vip *known_vip(const struct glance *glance, __u32 generation)
{
	const __u64 *half = glance->destination;
	__u32 place = cache_place(half[0] ^ half[1], CACHED_VIPS);
	struct cached_vip *cached = bpf_map_lookup_elem(&xlb_vip_cache, &place);
	const __u64 *known = (const __u64 *)cached;

	if (!cached || cached->generation != generation || known[1] != half[1] ||
	    known[0] != half[0])
		return NULL;
	return cached;
}

/* What this CPU knows of the service; NULL: it has to be looked up. */
static __always_inline struct service *known_service(const struct glance *glance, __u32 generation,
						     struct cached_vip *vip)
{
	__u64 key = glance->vip | (glance->ports & 0xffff0000) | (__u64)glance->protocol << 32;
	__u32 place = cache_place(key, CACHED_SERVICES);
	struct cached_service *cached;

	if (vip->key == key)
		return &vip->service;
	cached = bpf_map_lookup_elem(&xlb_svc_cache, &place);
	if (!cached || cached->generation != generation || cached->key != key)
		return NULL;
	if (!vip->key) {
		vip->key = key;
		vip->service = cached->service;
	}
	return &cached->service;
}

/*
 * Whether the frame is for us, and leaves by the device that it came in by to a next hop that is
 * known (and has no MAC that begins with four zeros). Else the long way knows what to do.
 */
static __always_inline bool is_way_plain(const struct xdp_md *ctx, const void *frame,
					 const struct hop *hop)
{
	const __u64 *mac = (const __u64 *)hop; /* the next hop's, and 16 bits of our own */
	const __u32 *own = (const __u32 *)hop;

	return (__u32)*mac && *mac >> 48 == *(const __u16 *)frame &&
	       own[2] == *(const __u32 *)(frame + sizeof(__u16)) &&
	       hop->ifindex == ctx->ingress_ifindex;
}

/* Writes both MACs of the frame, which are `macs` in this order. */
static __always_inline void write_macs(void *frame, const void *macs)
{
	((__u32 *)frame)[0] = ((const __u32 *)macs)[0];
	((__u32 *)frame)[1] = ((const __u32 *)macs)[1];
	((__u32 *)frame)[2] = ((const __u32 *)macs)[2];
}

/* The way to a backend, and the bytes that a packet may have on it. */
struct way {
	struct hop *hop;
	const __u16 *mtu; /* 0: not known */
};

/* By a branch, which the CPU predicts: an index would be waited for. */
static __always_inline struct way way_to(struct backend *backend)
{
	struct way way = { &backend->hop[0], &backend->mtu[0] };

	if (backend->flags & BACKEND_HOP) {
		way = (struct way){ &backend->hop[1], &backend->mtu[1] };
		keep_order(way.hop);
		keep_order(way.mtu);
	}
	return way;
}

/* Decrements the TTL, and adds `sum` to the header's checksum. */
static __always_inline void age_ipv4(struct ipv4_words *ip, __u32 sum)
{
	__u32 check = ~fold_few((~ip->life >> 16) + TTL_SUM + sum);

	ip->life = ((ip->life - 1) & 0xffff) | check << 16;
}

static __always_inline void age_ipv6(struct ipv6_words *ip)
{
	ip->life -= 1U << 24;
}

/* Mode nat: an established flow */

/*
 * Whether a side of the flow sends such packets: its address, and its ports as in the frame. Of an
 * IPv4 address the last word is enough, as a VIP's clients and backends are of its family.
 */
static __always_inline bool is_sent_by(const struct glance *glance, const struct flow *flow,
				       const struct address *address, __u32 ports, bool ipv6)
{
	const __u64 *peer = (const __u64 *)address;
	const __u64 *client = (const __u64 *)&flow->client;
	__u32 last = glance->vip | (__u32)glance->protocol << 16;

	if (glance->ports != ports || client[2] >> 32 != last)
		return false;
	if (!ipv6)
		return address->word[3] == glance->source[1] >> 32;
	return peer[1] == glance->source[1] && peer[0] == glance->source[0];
}

static __always_inline bool is_sent_by_client(const struct glance *glance, const struct flow *flow,
					      bool ipv6)
{
	__u32 ports = ((const __u64 *)&flow->client)[2];

	return is_sent_by(glance, flow, &flow->client.peer, ports, ipv6);
}

static __always_inline bool is_sent_by_backend(const struct glance *glance, const struct flow *flow,
					       const struct backend *backend, bool ipv6)
{
	return is_sent_by(glance, flow, &backend->address, backend_ports(backend, flow), ipv6);
}

/* Whether the client's packet comes the way that the flow's answers go (see learn_way_back). */
static __always_inline bool comes_same_way(const struct xdp_md *ctx, const struct ethernet *eth,
					   const struct flow *flow)
{
	return same_mac(flow->client_mac, eth->source) &&
	       same_mac(flow->own_mac, eth->destination) && flow->ifindex == ctx->ingress_ifindex;
}

/* Whether this CPU knows the time: it has read the clock within this jiffy. */
static __always_inline bool knows_time(const struct cached_vip *vip)
{
	return vip->jiffy == (__u32)bpf_jiffies64();
}

/* Notes that the flow has a packet. Returns false if it was idle for a second, and may have been
 * for too long. */
static __always_inline bool keep_alive(struct flow *flow, __u32 now)
{
	if (flow->seen == now)
		return true;
	if (is_past(now, flow->seen, 1))
		return false;
	flow->seen = now;
	return true;
}

/* The L4 header's ports and checksum. Ports of a tuple are those that its packets come with. */
static __always_inline void translate_l4(const struct glance *glance, __u32 *l4, __u32 ports,
					 __u32 sum)
{
	struct tcphdr *tcp = (void *)l4;
	struct udphdr *udp = (void *)l4;

	*l4 = ports << 16 | ports >> 16;
	if (glance->protocol == IPPROTO_TCP)
		tcp->check = ~fold_two((__u16)~tcp->check + sum);
	else
		udp->check = updated_udp_checksum(udp->check, sum);
}

static __always_inline void translate_plain(const struct glance *glance, void *l3,
					    const struct other_side *other, bool ipv6)
{
	const __u64 *to = (const __u64 *)other->address;
	struct ipv4_words *ip4 = l3;
	struct ipv6_words *ip6 = l3;

	if (ipv6) {
		age_ipv6(ip6);
		ip6->source[0] = glance->destination[0];
		ip6->source[1] = glance->destination[1];
		ip6->destination[0] = to[0];
		ip6->destination[1] = to[1];
	} else {
		age_ipv4(ip4, other->address_sum);
		ip4->source = glance->destination[1] >> 32;
		ip4->destination = to[1] >> 32;
	}
	translate_l4(glance, ipv6 ? (__u32 *)(ip6 + 1) : (__u32 *)(ip4 + 1), other->ports,
		     other->flow_sum);
}

/* Forwards a packet at this tick, if it is one of the flow, by the client or by the backend. */
static __always_inline int forward_plain(struct xdp_md *ctx, const struct glance *glance,
					 void *frame, __u32 now, struct flow *flow,
					 bool from_backend, bool ipv6)
{
	struct found found = { .flow = flow, .from_backend = from_backend };
	struct other_side other;
	struct backend *backend;
	struct way way;

	found.life = READ_ONCE(flow->life);
	barrier();
	if (!found.life || (flow->state | FLOW_SYN_ACK) != FLOW_PLAIN)
		return LONG_WAY;
	if (!from_backend && !is_sent_by_client(glance, flow, ipv6))
		return LONG_WAY; /* before more is looked up, as registers are few */
	backend = backend_at(flow->backend);
	if (!backend || backend->generation != flow->generation)
		return LONG_WAY;
	if (from_backend && !is_sent_by_backend(glance, flow, backend, ipv6))
		return LONG_WAY;
	other = other_side(&found, backend);
	way = way_to(backend);
	if (!is_way_plain(ctx, frame, way.hop))
		return LONG_WAY;
	if (from_backend ? flow->ifindex != way.hop->ifindex :
			   !comes_same_way(ctx, frame, flow) || glance->size > *way.mtu)
		return LONG_WAY;
	if (!keep_alive(flow, now))
		return LONG_WAY;
	translate_plain(glance, frame + sizeof(struct ethernet), &other, ipv6);
	write_macs(frame, from_backend ? (void *)flow->client_mac : (void *)way.hop);
	if (flow_gone(&found))
		return account(backend->service, flow->backend, VERDICT_FLOW_GONE, glance->length);
	return account(backend->service, flow->backend, VERDICT_FORWARDED, glance->length);
}

/*
 * A flow that was pushed out of the cache returns in one tick of so many: were it with each packet,
 * flows that have to share a word would push each other out all the time.
 */
#define TICKS_TO_RETURN 32

/* The pointer that leads to the flow of the client, or 0. */
static __always_inline __u32 cached_pointer(__u32 hash)
{
	__u64 *cached = cached_pointers(hash);
	__u64 word;

	if (!cached)
		return 0;
	word = READ_ONCE(*cached);
	if (is_pointer_of(word, hash))
		return word;
	return is_pointer_of(word >> 32, hash) ? word >> 32 : 0;
}

/*
 * Most clients' packets have their flow's pointer in the cache, and most answers their flow's
 * record where the hash alone leads to.
 */
static __always_inline int follow_flow(struct xdp_md *ctx, const struct glance *glance, void *frame,
				       __u32 now, bool ipv6)
{
	struct flow_bucket *bucket;
	struct flow *flow;
	__u32 pointer;

	if (glance->tcp_flags & (TCP_FIN | TCP_SYN | TCP_RST))
		return LONG_WAY;
	pointer = cached_pointer(glance->hash);
	if (!pointer) {
		flow = flow_at(glance->hash);
		if (flow && flow->port == glance->ports >> 16)
			return forward_plain(ctx, glance, frame, now, flow, true, ipv6);
		bucket = bucket_at(glance->hash);
		if (!bucket)
			return LONG_WAY;
		pointer = *pointer_at(bucket, first_place(glance->hash));
		if (!is_pointer_of(pointer, glance->hash))
			return LONG_WAY;
		if ((glance->hash ^ now) % TICKS_TO_RETURN == 0)
			cache_pointer(glance->hash, pointer);
	}
	flow = flow_at(pointer);
	return flow ? forward_plain(ctx, glance, frame, now, flow, false, ipv6) : LONG_WAY;
}

/* Modes dsr and ipip */

/* Writes the outer headers; of the IPv4 header's sum only the checksum itself is missing. */
static __always_inline void write_outer_ipv4(struct ipv4_words *ip, const struct glance *glance,
					     __be32 to, bool ipv6)
{
	__u32 first = IPV4_PLAIN | glance->class << 8 |
		      (__u32)bpf_htons(glance->size + sizeof(*ip)) << 16;
	__u32 life = NEW_TTL | (ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP) << 8;
	__u32 source = bpf_htonl(TUNNEL_SOURCE_IPV4 | (glance->hash & 0xffff));
	__u64 sum = (__u64)first + bpf_htonl(IPV4_DONT_FRAGMENT) + life + source + to;

	ip->first = first;
	ip->fragment = bpf_htonl(IPV4_DONT_FRAGMENT);
	ip->life = life | ~fold_sum(sum) << 16;
	ip->source = source;
	ip->destination = to;
}

static __always_inline void write_outer_ipv6(struct ipv6_words *ip, const struct glance *glance,
					     const struct address *to, bool ipv6)
{
	ip->first = IPV6_VERSION | bpf_htonl((__u32)glance->class << 20);
	ip->life = bpf_htons(glance->size) | (ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP) << 16 |
		   (__u32)NEW_TTL << 24;
	ip->source[0] = bpf_htonl(TUNNEL_SOURCE_IPV6);
	ip->source[1] = (__u64)glance->hash << 32;
	ip->destination[0] = ((const __u64 *)to)[0];
	ip->destination[1] = ((const __u64 *)to)[1];
}

/* Puts the packet into a tunnel. Returns false if there is no room in front of it. */
static __always_inline bool encapsulate_plain(struct xdp_md *ctx, const struct glance *glance,
					      const struct backend *backend, const struct hop *hop,
					      bool outer_ipv4, bool ipv6)
{
	__u32 size = outer_ipv4 ? sizeof(struct ipv4_words) : sizeof(struct ipv6_words);
	struct ethernet *eth;

	if (bpf_xdp_adjust_head(ctx, -(int)size))
		return false;
	eth = whole_headers(ctx, sizeof(*eth) + size);
	if (!eth)
		return false;
	write_macs(eth, hop);
	eth->type = outer_ipv4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	if (outer_ipv4)
		write_outer_ipv4((void *)(eth + 1), glance, backend->address.word[3], ipv6);
	else
		write_outer_ipv6((void *)(eth + 1), glance, &backend->address, ipv6);
	return true;
}

static __always_inline int tunnel_plain(struct xdp_md *ctx, const struct glance *glance,
					void *frame, const struct backend *backend,
					const struct way *way, const struct service *service,
					__u32 number, bool ipv6)
{
	bool outer_ipv4 = is_ipv4(&backend->address);
	__u32 overhead = outer_ipv4 ? sizeof(struct ipv4_words) : sizeof(struct ipv6_words);

	if (glance->size + overhead > *way->mtu)
		return LONG_WAY;
	if (ipv6)
		age_ipv6(frame + sizeof(struct ethernet));
	else
		age_ipv4(frame + sizeof(struct ethernet), 0);
	if (!(outer_ipv4 ? encapsulate_plain(ctx, glance, backend, way->hop, true, ipv6) :
			   encapsulate_plain(ctx, glance, backend, way->hop, false, ipv6)))
		return account(service->number, number, VERDICT_INTERNAL, glance->length);
	return account(service->number, number, VERDICT_FORWARDED, glance->length);
}

static __always_inline int direct_plain(const struct glance *glance, void *frame,
					const struct way *way, const struct service *service,
					__u32 number)
{
	if (glance->size > *way->mtu)
		return LONG_WAY;
	write_macs(frame, way->hop);
	return account(service->number, number, VERDICT_FORWARDED, glance->length);
}

static __always_inline bool begins_plainly(const struct glance *glance)
{
	return (glance->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

static __always_inline int follow_table(struct xdp_md *ctx, const struct glance *glance,
					void *frame, const struct service *service, bool ipv6)
{
	struct backend *backend;
	struct way way;
	__u32 number;
	int action;

	if (!service)
		return LONG_WAY;
	if (!service->number)
		return account(STATS_NO_SERVICE, 0, VERDICT_NO_SERVICE, glance->length);
	if (service->mode == MODE_NAT || service->hash != HASH_FLOW)
		return LONG_WAY;
	number = owner_of(table_of(service), slot_of(service, glance->hash));
	if (!number || number & OWNER_MOVING)
		return LONG_WAY;
	backend = backend_at(number);
	if (!backend)
		return LONG_WAY;
	way = way_to(backend);
	if (!is_way_plain(ctx, frame, way.hop))
		return LONG_WAY;
	if (service->mode == MODE_DSR)
		action = direct_plain(glance, frame, &way, service, number);
	else
		action = tunnel_plain(ctx, glance, frame, backend, &way, service, number, ipv6);
	if (action == XDP_TX && begins_plainly(glance))
		count_flow(service->number, number);
	return action;
}

/* Returns the XDP action, or LONG_WAY. The headers are all there, see headers_size. */
static __always_inline int take_short_way(struct xdp_md *ctx, void *frame,
					  const struct config *config, __u32 length, bool ipv6)
{
	void *l3 = frame + sizeof(struct ethernet);
	__u32 generation = READ_ONCE(config->generation);
	struct glance glance = { .length = length };
	struct cached_vip *vip;

	if (!generation || !glance_at_destination(&glance, l3, ipv6))
		return LONG_WAY;
	vip = known_vip(&glance, generation);
	if (!vip)
		return LONG_WAY;
	glance.vip = vip->vip.number;
	if (!glance.vip)
		return account(STATS_NO_SERVICE, 0, VERDICT_NO_SERVICE, length);
	glance_at_source(&glance, l3, vip->vip.flags & VIP_STATELESS, ipv6);
	if (config->flags)
		return LONG_WAY;
	if (!(ipv6 ? glance_at_ipv6(&glance, l3) : glance_at_ipv4(&glance, l3)))
		return LONG_WAY;
	if (vip->vip.flags & VIP_STATELESS)
		return follow_table(ctx, &glance, frame, known_service(&glance, generation, vip),
				    ipv6);
	if (!knows_time(vip))
		return LONG_WAY;
	return follow_flow(ctx, &glance, frame, vip->tick, ipv6);
}

/* Takes the short way if the packet is fit for it. Returns the XDP action, or LONG_WAY. */
static __always_inline int try_short_way(struct xdp_md *ctx, const struct config *config,
					 __u32 length)
{
	struct ethernet *eth = whole_headers(ctx, headers_size(false));

	if (!eth || ctx->data_meta < ctx->data)
		return LONG_WAY;
	if (eth->type == bpf_htons(ETH_P_IP))
		return take_short_way(ctx, eth, config, length, false);
	if (eth->type != bpf_htons(ETH_P_IPV6))
		return LONG_WAY;
	eth = whole_headers(ctx, headers_size(true));
	return eth ? take_short_way(ctx, eth, config, length, true) : LONG_WAY;
}

#endif
