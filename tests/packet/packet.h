/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packets as the tests write them: a list of layers, from the outside in, that becomes bytes.
 *
 *	P(ETH(C1, LB), IP(C1, VIP, .ttl = 63), TCP(40000, 80, SYN), DATA(13))
 *
 * Lengths and checksums are computed from the finished bytes, by code that shares nothing with the
 * data path. IP() is IPv4 or IPv6 by the family that the case runs in. What is 0 is at its default.
 */
#ifndef TESTS_PACKET_H
#define TESTS_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_FRAME 16384
#define ZERO (1 << 20) /* in a field whose 0 means default: really 0 */

enum host {
	NOBODY, /* the unspecified address */
	C1, /* clients */
	C2,
	C3,
	B1, /* backends */
	B2,
	B3,
	B4,
	B5,
	B6,
	B7,
	B8,
	VIP,
	VIP2,
	VIP3,
	LB, /* the balancer's own address, no VIP */
	ROUTER,
	STRANGER,
	MAPPED_VIP, /* IPv6: ::ffff: and the VIP of IPv4 */
	MAPPED_C1,
	ALL_NODES, /* a group */
	LOOPBACK,
	EVERYBODY, /* the broadcast address; IPv6: all nodes of the interface */
	TUNNEL, /* outer source of tunnels, see set_tunnel_source() */
	TWIN, /* whose packets have another's hash, see set_twin() */
	HOSTS,
};

/* Ports that the data path chose: what stands there in the first packet that shows it. */
#define CHOSEN(n) (0x10000 + (n))
#define MAX_CHOSEN 4

enum layer_kind {
	LAYER_END,
	LAYER_ETH,
	LAYER_VLAN,
	LAYER_ARP,
	LAYER_IP, /* of the family that the case runs in */
	LAYER_IP4,
	LAYER_IP6,
	LAYER_EXTENSION,
	LAYER_TCP,
	LAYER_UDP,
	LAYER_ICMP,
	LAYER_DATA,
	LAYER_WORD,
	LAYER_BYTES,
	LAYER_FRAGMENT,
	LAYER_CUT,
	LAYER_PAD,
	LAYER_TRAIL,
	LAYER_SNAP,
	LAYER_SPOIL,
};

enum message {
	UNREACHABLE, /* port unreachable */
	TOO_BIG, /* fragmentation needed, packet too big */
	TIME_EXCEEDED,
	PARAMETER_PROBLEM,
	ECHO,
	ECHO_REPLY,
	SOLICITATION, /* neighbour solicitation; IPv4: router solicitation */
};

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10
#define URG 0x20

struct layer {
	int kind;
	int src, dst; /* hosts */
	int sport, dport; /* ports, or CHOSEN() */
	int flags; /* TCP */
	int type; /* of Ethernet, VLAN tag, extension header, message */
	int ttl; /* 64 */
	int id; /* or CHOSEN() */
	int tos, flow;
	int option; /* IPv4: type of the first option, of 7 bytes; instead of no operation */
	int offset; /* IPv4: the 16 bits of flags and offset; extension: any 2 bytes after length */
	int options; /* bytes of them: IPv4, TCP; extension header: length in units of 8 bytes */
	int protocol; /* instead of that of the layer that follows */
	int length; /* instead of the right one; in DATA, PAD, TRAIL, CUT, SNAP, FRAGMENT: bytes */
	int header; /* instead of the right header length, in its unit */
	int version;
	int from; /* FRAGMENT: first byte */
	int at; /* SPOIL: which byte of the frame */
	int value; /* WORD, SPOIL; ICMP: MTU */
	unsigned int seq, ack;
	int add; /* to the checksum, in ones' complement */
	bool no_sum; /* UDP without checksum */
	const void *bytes; /* BYTES */
};

#define BRACED(...)                                                                                \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

/* An initializer in braces, which a macro's argument cannot be. */
#define BRACED(...)                                                                                \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

#define P(...) ((const struct layer[]){ __VA_ARGS__, { .kind = LAYER_END } })

#define ETH(s, d) BRACED(.kind = LAYER_ETH, .src = s, .dst = d)
#define ETH_TYPE(s, d, t) BRACED(.kind = LAYER_ETH, .src = s, .dst = d, .type = t)
#define VLAN(i, ...) BRACED(.kind = LAYER_VLAN, .id = i, ##__VA_ARGS__)
#define ARP BRACED(.kind = LAYER_ARP)
#define IP(s, d, ...) BRACED(.kind = LAYER_IP, .src = s, .dst = d, ##__VA_ARGS__)
#define IP4(s, d, ...) BRACED(.kind = LAYER_IP4, .src = s, .dst = d, ##__VA_ARGS__)
#define IP6(s, d, ...) BRACED(.kind = LAYER_IP6, .src = s, .dst = d, ##__VA_ARGS__)
#define EXTENSION(t, ...) BRACED(.kind = LAYER_EXTENSION, .type = t, ##__VA_ARGS__)
#define TCP(s, d, f, ...)                                                                          \
	BRACED(.kind = LAYER_TCP, .sport = s, .dport = d, .flags = f, ##__VA_ARGS__)
#define UDP(s, d, ...) BRACED(.kind = LAYER_UDP, .sport = s, .dport = d, ##__VA_ARGS__)
#define ICMP(m, ...) BRACED(.kind = LAYER_ICMP, .type = m, ##__VA_ARGS__)
#define DATA(n) BRACED(.kind = LAYER_DATA, .length = n)
#define OTHER(p, n) BRACED(.kind = LAYER_DATA, .length = n, .protocol = p) /* any other protocol */
#define WORD(v) BRACED(.kind = LAYER_WORD, .value = v)
#define BYTES(b, n) BRACED(.kind = LAYER_BYTES, .bytes = b, .length = n)

/* What is done to the finished packet: to the innermost IP packet before it … */
#define FRAGMENT(first, n) BRACED(.kind = LAYER_FRAGMENT, .from = first, .length = n)
#define CUT(n) BRACED(.kind = LAYER_CUT, .length = n) /* in an ICMP error: n bytes of the packet */
/* … and to the frame. */
#define PAD(n) BRACED(.kind = LAYER_PAD, .length = n) /* to n bytes */
#define TRAIL(n) BRACED(.kind = LAYER_TRAIL, .length = n) /* n bytes more */
#define SNAP(n) BRACED(.kind = LAYER_SNAP, .length = n) /* to its first n bytes */
#define SPOIL(i, v) BRACED(.kind = LAYER_SPOIL, .at = i, .value = v) /* byte i becomes v */

extern int family; /* that the case runs in: 4 or 6 */
extern int chosen[MAX_CHOSEN]; /* 0: not seen yet */

/* TUNNEL is 172.16.0.0/16 or 100::/64 with these bits of the hash of a flow. */
void set_tunnel_source(uint32_t hash);

/* Gives TWIN this IPv4 address, and a host's IPv6 address but for its last half, as in memory. */
void set_twin(enum host host, const uint8_t ip4[4], uint64_t last_half);

const uint8_t *mac_of(enum host host);
const uint8_t *ip4_of(enum host host); /* 4 bytes */
const uint8_t *ip6_of(enum host host); /* 16 bytes */

/*
 * Writes the packet, at most MAX_FRAME bytes, and returns its length. `seen`, if there is one, is
 * the packet that came out instead: it shows the ports that were chosen.
 */
size_t build(const struct layer *layers, uint8_t *frame, const uint8_t *seen, size_t seen_length);

/* The plain Internet checksum of bytes, as it is sent, in host byte order. */
uint16_t internet_checksum(const uint8_t *bytes, size_t length, uint32_t sum);

#endif
