// SPDX-License-Identifier: GPL-2.0
/* See packet.h. Every layer writes its header, then the layers it carries, then sums up. */
#include <assert.h>
#include <string.h>

#include "packet.h"

#define ETHERNET_LENGTH 14
#define IP4_LENGTH 20
#define IP6_LENGTH 40
#define FRAGMENT_LENGTH 8
#define TCP_LENGTH 20
#define UDP_LENGTH 8
#define ICMP_LENGTH 8

#define PROTOCOL_FRAGMENT 44
#define PROTOCOL_ICMP 1
#define PROTOCOL_ICMP6 58
#define MORE_FRAGMENTS 0x2000

int family = 4;
int chosen[MAX_CHOSEN];

struct frame {
	uint8_t *bytes;
	const uint8_t *seen;
	size_t seen_length;
};

/* What the checksum of a transport header takes from the IP header. */
struct pseudo {
	const uint8_t *src, *dst;
	int length; /* of an address */
};

struct addresses {
	uint8_t ip4[4];
	uint8_t ip6[16];
};

#define PREFIX6(a, b, last)                                                                        \
	{                                                                                          \
		0x20, 0x01, 0x0d, 0xb8, a, b, 0, 0, 0, 0, 0, 0, 0, 0, 0, last                      \
	}

static struct addresses addresses[HOSTS] = {
	[NOBODY] = {},
	[C1] = { { 198, 51, 100, 1 }, PREFIX6(0xc, 0x11, 1) },
	[C2] = { { 198, 51, 100, 2 }, PREFIX6(0xc, 0x22, 2) },
	[C3] = { { 203, 0, 113, 255 }, PREFIX6(0xc, 0x11, 3) },
	[B1] = { { 10, 0, 0, 2 }, PREFIX6(0xb, 0, 1) },
	[B2] = { { 10, 0, 0, 3 }, PREFIX6(0xb, 0, 2) },
	[B3] = { { 10, 0, 0, 4 }, PREFIX6(0xb, 0, 3) },
	[B4] = { { 10, 0, 0, 5 }, PREFIX6(0xb, 0, 4) },
	[B5] = { { 10, 0, 0, 6 }, PREFIX6(0xb, 0, 5) },
	[B6] = { { 10, 0, 0, 7 }, PREFIX6(0xb, 0, 6) },
	[B7] = { { 10, 0, 0, 8 }, PREFIX6(0xb, 0, 7) },
	[B8] = { { 10, 0, 0, 9 }, PREFIX6(0xb, 0, 8) },
	[VIP] = { { 10, 0, 0, 10 }, PREFIX6(0xa, 0, 0x10) },
	[VIP2] = { { 10, 0, 0, 11 }, PREFIX6(0xa, 0, 0x11) },
	[VIP3] = { { 10, 0, 0, 13 }, PREFIX6(0xa, 0, 0x13) },
	[LB] = { { 10, 0, 0, 12 }, PREFIX6(0xa, 0, 0x12) },
	[ROUTER] = { { 192, 0, 2, 1 }, PREFIX6(0xf, 0, 1) },
	[STRANGER] = { { 192, 0, 2, 77 }, PREFIX6(0xf, 0, 0x77) },
	[MAPPED_VIP] = { {}, { [10] = 0xff, 0xff, 10, 0, 0, 10 } },
	[MAPPED_C1] = { {}, { [10] = 0xff, 0xff, 198, 51, 100, 1 } },
	[ALL_NODES] = { { 224, 0, 0, 1 }, { 0xff, 2, [15] = 1 } },
	[LOOPBACK] = { { 127, 0, 0, 1 }, { [15] = 1 } },
	[EVERYBODY] = { { 255, 255, 255, 255 }, { 0xff, 1, [15] = 1 } },
	[TUNNEL] = { { 172, 16 }, { 1 } },
};

static const uint8_t macs[HOSTS][6] = {
#define MAC(host) [host] = { 2, 0, 0, 0, 0, host }
	MAC(C1),
	MAC(C2),
	MAC(C3),
	MAC(B1),
	MAC(B2),
	MAC(B3),
	MAC(B4),
	MAC(B5),
	MAC(B6),
	MAC(B7),
	MAC(B8),
	MAC(LB),
	MAC(ROUTER),
	MAC(STRANGER),
#undef MAC
	[ALL_NODES] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
};

static size_t emit(struct frame *frame, const struct layer *layer, size_t at,
		   const struct pseudo *pseudo);

void set_tunnel_source(uint32_t hash)
{
	memcpy(addresses[TUNNEL].ip4 + 2, (uint8_t[]){ hash >> 8, hash }, 2);
	memcpy(addresses[TUNNEL].ip6 + 12, &hash, 4);
}

void set_twin(enum host host, const uint8_t ip4[4], uint64_t last_half)
{
	addresses[TWIN] = addresses[host];
	memcpy(addresses[TWIN].ip4, ip4, 4);
	memcpy(addresses[TWIN].ip6 + 8, &last_half, 8);
}

const uint8_t *mac_of(enum host host)
{
	return macs[host];
}

const uint8_t *ip4_of(enum host host)
{
	return addresses[host].ip4;
}

const uint8_t *ip6_of(enum host host)
{
	return addresses[host].ip6;
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

/* `value`, or its default where it is 0. */
static int or_else(int value, int otherwise)
{
	if (value == ZERO)
		return 0;
	return value ? value : otherwise;
}

static uint32_t sum_bytes(const uint8_t *bytes, size_t length, uint32_t sum)
{
	for (size_t i = 0; i < length; i++)
		sum += i % 2 ? bytes[i] : bytes[i] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

uint16_t internet_checksum(const uint8_t *bytes, size_t length, uint32_t sum)
{
	return ~fold(sum_bytes(bytes, length, sum));
}

static uint16_t transport_checksum(const uint8_t *bytes, size_t length, int protocol,
				   const struct pseudo *pseudo, int add)
{
	uint32_t sum = protocol + length;
	uint16_t checksum;

	sum = sum_bytes(pseudo->src, pseudo->length, sum);
	sum = sum_bytes(pseudo->dst, pseudo->length, sum);
	checksum = internet_checksum(bytes, length, sum);
	return add ? fold(checksum + add) : checksum;
}

static int port(const struct frame *frame, int wanted, size_t at)
{
	int *slot;

	if (wanted < 0x10000)
		return wanted;
	slot = &chosen[wanted - CHOSEN(0)];
	if (!*slot && frame->seen && at + 2 <= frame->seen_length)
		*slot = frame->seen[at] << 8 | frame->seen[at + 1];
	return *slot;
}

static int kind_of(const struct layer *layer)
{
	if (layer->kind != LAYER_IP)
		return layer->kind;
	return family == 4 ? LAYER_IP4 : LAYER_IP6;
}

/* An identification: as wanted, or what the data path chose. */
static uint32_t identification(const struct frame *frame, int wanted, int otherwise, size_t at,
			       size_t size)
{
	int *slot;

	if (wanted < CHOSEN(0) || wanted >= CHOSEN(MAX_CHOSEN))
		return or_else(wanted, otherwise);
	slot = &chosen[wanted - CHOSEN(0)];
	if (*slot || !frame->seen || at + size > frame->seen_length)
		return *slot;
	for (size_t i = 0; i < size; i++)
		*slot = *slot << 8 | frame->seen[at + i];
	return *slot;
}

static int ether_type(const struct layer *layer, const struct layer *next)
{
	if (layer->type)
		return or_else(layer->type, 0);
	switch (kind_of(next)) {
	case LAYER_IP4:
		return 0x0800;
	case LAYER_IP6:
		return 0x86dd;
	case LAYER_ARP:
		return 0x0806;
	case LAYER_VLAN:
		return or_else(next->protocol, 0x8100);
	default:
		return 0x88b5; /* for experiments */
	}
}

/* The protocol number that the header before this layer names, in IPv4 or IPv6. */
static int protocol_of(const struct layer *layer, bool in_ip6)
{
	switch (kind_of(layer)) {
	case LAYER_IP4:
		return 4;
	case LAYER_IP6:
		return 41;
	case LAYER_EXTENSION:
		return layer->type;
	case LAYER_TCP:
		return 6;
	case LAYER_UDP:
		return 17;
	case LAYER_ICMP:
		return in_ip6 ? PROTOCOL_ICMP6 : PROTOCOL_ICMP;
	default:
		return layer->protocol ? or_else(layer->protocol, 0) : 59;
	}
}

/* The next layer of that kind, as far as it belongs to the same IP packet. */
static const struct layer *find(const struct layer *layer, int kind)
{
	for (layer++; layer->kind != LAYER_END; layer++) {
		if (layer->kind == kind)
			return layer;
		if (kind_of(layer) == LAYER_IP4 || kind_of(layer) == LAYER_IP6)
			return NULL;
	}
	return NULL;
}

/* Keeps one fragment of the payload [at, end), `gap` bytes after `at`. */
static size_t keep_fragment(uint8_t *bytes, size_t at, size_t end, const struct layer *fragment,
			    size_t gap, int *offset)
{
	size_t length = fragment->length;
	size_t total = end - at;

	assert(fragment->from % 8 == 0 && (size_t)fragment->from <= total);
	if (length > total - fragment->from)
		length = total - fragment->from;
	*offset = fragment->from / 8;
	if (fragment->from + length < total)
		*offset |= MORE_FRAGMENTS;
	memmove(bytes + at + gap, bytes + at + fragment->from, length);
	return at + gap + length;
}

static size_t emit_ip4(struct frame *frame, const struct layer *layer, size_t at)
{
	struct pseudo pseudo = { ip4_of(layer->src), ip4_of(layer->dst), 4 };
	const struct layer *fragment = find(layer, LAYER_FRAGMENT);
	size_t header = IP4_LENGTH + layer->options;
	uint8_t *ip = frame->bytes + at;
	int offset = or_else(layer->offset, 0);
	size_t end;

	memset(ip, 1, header); /* options: no operation */
	if (layer->option)
		memcpy(ip + IP4_LENGTH, (uint8_t[]){ layer->option, 7, 4, 10, 0, 0, 1 }, 7);
	end = emit(frame, layer + 1, at + header, &pseudo);
	if (fragment)
		end = keep_fragment(frame->bytes, at + header, end, fragment, 0, &offset);
	ip[0] = or_else(layer->version, 4) << 4 | or_else(layer->header, header / 4);
	ip[1] = layer->tos;
	put16(ip + 2, or_else(layer->length, end - at));
	put16(ip + 4, identification(frame, layer->id, 0x1234, at + 4, 2));
	put16(ip + 6, offset);
	ip[8] = or_else(layer->ttl, 64);
	ip[9] = or_else(layer->protocol, protocol_of(layer + 1, false));
	put16(ip + 10, 0);
	memcpy(ip + 12, pseudo.src, 4);
	memcpy(ip + 16, pseudo.dst, 4);
	put16(ip + 10, fold(internet_checksum(ip, header, 0) + layer->add));
	return end;
}

static size_t emit_ip6(struct frame *frame, const struct layer *layer, size_t at)
{
	struct pseudo pseudo = { ip6_of(layer->src), ip6_of(layer->dst), 16 };
	const struct layer *fragment = find(layer, LAYER_FRAGMENT);
	int next = or_else(layer->protocol, protocol_of(layer + 1, true));
	uint8_t *ip = frame->bytes + at;
	size_t payload = at + IP6_LENGTH;
	size_t end = emit(frame, layer + 1, payload, &pseudo);
	int offset;

	if (fragment) {
		uint8_t *header = frame->bytes + payload;

		end = keep_fragment(frame->bytes, payload, end, fragment, FRAGMENT_LENGTH, &offset);
		header[0] = next;
		header[1] = 0;
		put16(header + 2, offset << 3 | (offset & MORE_FRAGMENTS ? 1 : 0));
		put32(header + 4, identification(frame, layer->id, 0x12345678, payload + 4, 4));
		next = PROTOCOL_FRAGMENT;
	}
	put32(ip, or_else(layer->version, 6) << 28 | layer->tos << 20 | layer->flow);
	put16(ip + 4, or_else(layer->length, end - payload));
	ip[6] = next;
	ip[7] = or_else(layer->ttl, 64);
	memcpy(ip + 8, pseudo.src, 16);
	memcpy(ip + 24, pseudo.dst, 16);
	return end;
}

static size_t emit_extension(struct frame *frame, const struct layer *layer, size_t at,
			     const struct pseudo *pseudo)
{
	size_t length = 8 + 8 * layer->options;
	uint8_t *bytes = frame->bytes + at;

	memset(bytes, 0, length);
	bytes[0] = or_else(layer->protocol, protocol_of(layer + 1, true));
	bytes[1] = or_else(layer->header, layer->options);
	put16(bytes + 2, or_else(layer->offset, layer->type == PROTOCOL_FRAGMENT ? 0 : 0x0104));
	put32(bytes + 4, identification(frame, layer->id, 0, at + 4, 4));
	return emit(frame, layer + 1, at + length, pseudo);
}

static size_t emit_tcp(struct frame *frame, const struct layer *layer, size_t at,
		       const struct pseudo *pseudo)
{
	size_t header = TCP_LENGTH + layer->options;
	uint8_t *tcp = frame->bytes + at;
	size_t end;

	memset(tcp, 1, header);
	end = emit(frame, layer + 1, at + header, pseudo);
	put16(tcp, port(frame, layer->sport, at));
	put16(tcp + 2, port(frame, layer->dport, at + 2));
	put32(tcp + 4, layer->seq ? layer->seq : 0x11223344);
	put32(tcp + 8, layer->ack ? layer->ack : 0x55667788);
	tcp[12] = or_else(layer->header, header / 4) << 4;
	tcp[13] = layer->flags;
	put16(tcp + 14, 0xfaf0);
	put32(tcp + 16, 0);
	put16(tcp + 16, transport_checksum(tcp, end - at, 6, pseudo, layer->add));
	return end;
}

static size_t emit_udp(struct frame *frame, const struct layer *layer, size_t at,
		       const struct pseudo *pseudo)
{
	size_t end = emit(frame, layer + 1, at + UDP_LENGTH, pseudo);
	uint8_t *udp = frame->bytes + at;
	uint16_t checksum;

	put16(udp, port(frame, layer->sport, at));
	put16(udp + 2, port(frame, layer->dport, at + 2));
	put16(udp + 4, or_else(layer->length, end - at));
	put16(udp + 6, 0);
	if (layer->no_sum)
		return end;
	checksum = transport_checksum(udp, end - at, 17, pseudo, layer->add);
	put16(udp + 6, checksum ? checksum : 0xffff);
	return end;
}

static size_t emit_icmp(struct frame *frame, const struct layer *layer, size_t at,
			const struct pseudo *pseudo)
{
	static const uint8_t types[][2][2] = {
		[UNREACHABLE] = { { 3, 3 }, { 1, 4 } },
		[TOO_BIG] = { { 3, 4 }, { 2, 0 } },
		[TIME_EXCEEDED] = { { 11, 0 }, { 3, 0 } },
		[PARAMETER_PROBLEM] = { { 12, 0 }, { 4, 1 } },
		[ECHO] = { { 8, 0 }, { 128, 0 } },
		[ECHO_REPLY] = { { 0, 0 }, { 129, 0 } },
		[SOLICITATION] = { { 10, 0 }, { 135, 0 } },
	};
	const struct layer *cut = layer;
	bool six = pseudo->length == 16;
	uint8_t *icmp = frame->bytes + at;
	size_t end = emit(frame, layer + 1, at + ICMP_LENGTH, pseudo);

	while (cut->kind != LAYER_END && cut->kind != LAYER_CUT)
		cut++;
	if (cut->kind == LAYER_CUT && end > at + ICMP_LENGTH + cut->length)
		end = at + ICMP_LENGTH + cut->length;
	memset(icmp, 0, ICMP_LENGTH);
	memcpy(icmp, types[layer->type][six], 2);
	put32(icmp + 4, layer->value);
	if (six)
		put16(icmp + 2,
		      transport_checksum(icmp, end - at, PROTOCOL_ICMP6, pseudo, layer->add));
	else
		put16(icmp + 2, fold(internet_checksum(icmp, end - at, 0) + layer->add));
	return end;
}

static size_t emit_arp(struct frame *frame, size_t at)
{
	static const uint8_t request[] = { 0, 1, 8, 0, 6, 4, 0, 1 };
	uint8_t *arp = frame->bytes + at;

	memcpy(arp, request, 8);
	memcpy(arp + 8, mac_of(C1), 6);
	memcpy(arp + 14, ip4_of(C1), 4);
	memset(arp + 18, 0, 6);
	memcpy(arp + 24, ip4_of(VIP), 4);
	return at + 28;
}

/* Bytes that differ from place to place, and from their neighbours when shifted. */
static size_t emit_data(struct frame *frame, const struct layer *layer, size_t at,
			const struct pseudo *pseudo)
{
	for (int i = 0; i < layer->length; i++)
		frame->bytes[at + i] = i * 7 + (i >> 8) + 0x41;
	return emit(frame, layer + 1, at + layer->length, pseudo);
}

static size_t emit_ethernet(struct frame *frame, const struct layer *layer, size_t at)
{
	memcpy(frame->bytes, mac_of(layer->dst), 6);
	memcpy(frame->bytes + 6, mac_of(layer->src), 6);
	put16(frame->bytes + 12, ether_type(layer, layer + 1));
	return emit(frame, layer + 1, at + ETHERNET_LENGTH, NULL);
}

static size_t emit_vlan(struct frame *frame, const struct layer *layer, size_t at)
{
	put16(frame->bytes + at, layer->id);
	put16(frame->bytes + at + 2, ether_type(layer, layer + 1));
	return emit(frame, layer + 1, at + 4, NULL);
}

/* A transport header straight behind Ethernet has addresses of zero. */
static size_t emit(struct frame *frame, const struct layer *layer, size_t at,
		   const struct pseudo *pseudo)
{
	static const uint8_t zeros[16];
	static const struct pseudo none = { zeros, zeros, 4 };

	if (!pseudo)
		pseudo = &none;
	assert(at < MAX_FRAME - 128);
	switch (kind_of(layer)) {
	case LAYER_ETH:
		return emit_ethernet(frame, layer, at);
	case LAYER_VLAN:
		return emit_vlan(frame, layer, at);
	case LAYER_ARP:
		return emit_arp(frame, at);
	case LAYER_IP4:
		return emit_ip4(frame, layer, at);
	case LAYER_IP6:
		return emit_ip6(frame, layer, at);
	case LAYER_EXTENSION:
		return emit_extension(frame, layer, at, pseudo);
	case LAYER_TCP:
		return emit_tcp(frame, layer, at, pseudo);
	case LAYER_UDP:
		return emit_udp(frame, layer, at, pseudo);
	case LAYER_ICMP:
		return emit_icmp(frame, layer, at, pseudo);
	case LAYER_DATA:
		return emit_data(frame, layer, at, pseudo);
	case LAYER_WORD:
		put16(frame->bytes + at, layer->value);
		return emit(frame, layer + 1, at + 2, pseudo);
	case LAYER_BYTES:
		memcpy(frame->bytes + at, layer->bytes, layer->length);
		return emit(frame, layer + 1, at + layer->length, pseudo);
	default:
		return at;
	}
}

static size_t lengthen(uint8_t *frame, size_t from, size_t to)
{
	for (size_t at = from; at < to; at++)
		frame[at] = 0xa5 ^ (at - from);
	return to > from ? to : from;
}

size_t build(const struct layer *layers, uint8_t *bytes, const uint8_t *seen, size_t seen_length)
{
	struct frame frame = { bytes, seen, seen_length };
	size_t length = emit(&frame, layers, 0, NULL);

	for (const struct layer *layer = layers; layer->kind != LAYER_END; layer++) {
		if (layer->kind == LAYER_PAD)
			length = lengthen(bytes, length, layer->length);
		else if (layer->kind == LAYER_TRAIL)
			length = lengthen(bytes, length, length + layer->length);
		else if (layer->kind == LAYER_SNAP && length > (size_t)layer->length)
			length = layer->length;
		else if (layer->kind == LAYER_SPOIL)
			bytes[layer->at] = layer->value;
	}
	return length;
}
