/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the data path and the helper share: the bytes of every map.
 *
 * Conventions, unless a field says otherwise:
 *  - what came from a packet (addresses, ports) is in network byte order, all else in the host's;
 *  - an IPv4 address is stored as ::ffff:a.b.c.d, so that one key serves both families;
 *  - zero means unset: numbers of VIPs, services, backends and tables start at 1;
 *  - padding is explicit, is named `unused`, and is zero (map keys are compared as bytes).
 *
 * Who writes what: the helper (or bpftool) writes configuration, the data path writes flows,
 * fragments, sources and counters. The helper frees flows (see struct flow) and zeroes counters.
 */
#ifndef XDP_LB_H
#define XDP_LB_H

#include <linux/types.h>

/*
 * The version of all that follows. It is the number of entries of the map xlb_config, so that any
 * loader refuses to put this program on pinned maps of another layout ("parameter mismatch").
 */
#define LAYOUT_VERSION 7

/*
 * The version of what flows are by: struct flow, struct flow_bucket, the hash that leads to them.
 * Records of the same format live on when another program takes over. As the layout's it is in a
 * size, that of xlb_flows.
 */
#define FLOW_FORMAT 2

/* Limits, to be raised here or by `make CPPFLAGS=-DMAX_SERVICES=...`. */
#ifndef MAX_SERVICES
#define MAX_SERVICES 1024
#endif
#ifndef MAX_BACKENDS
#define MAX_BACKENDS 8192
#endif
#ifndef FLOW_BUCKET_BITS
#define FLOW_BUCKET_BITS 16 /* times FLOW_WAYS flows: 524,288 */
#endif
#ifndef MAX_FRAGMENTED
#define MAX_FRAGMENTED 16384 /* fragmented datagrams under way */
#endif
#ifndef MAX_DENIED
#define MAX_DENIED 262144
#endif
#ifndef MAX_OWN_ADDRESSES
#define MAX_OWN_ADDRESSES 4096 /* addresses and MACs of the balancer's host */
#endif
#ifndef MAX_SOURCES
#define MAX_SOURCES 262144 /* rate-limited sources that are remembered */
#endif
#ifndef MAX_POOL
#define MAX_POOL 255 /* addresses that nat flows have as source */
#endif

#define MAX_OWN (2 * MAX_BACKENDS + MAX_OWN_ADDRESSES)
#define ANSWER_SOURCES 1024 /* entries that sources share for the budget of ICMP answers */
#define ANSWER_KINDS 2 /* time exceeded, too big */
#define ERROR_PARTS 16384 /* the same of flows, for errors that are relayed */
#define ANSWER_BUDGETS (ANSWER_SOURCES + ANSWER_KINDS + ERROR_PARTS)
#define MAX_TABLES (2 * MAX_SERVICES + 1) /* the one in use, and the one being swapped in */
#define DEFAULT_SLOTS 65537
#define MAX_SLOTS 655373 /* a prime; 100 slots for each of 6,500 backends */
#define DEFAULT_WEIGHT 100
#define MAX_WEIGHT 1000
#define ANY_PORT 0 /* in struct service_key: every port that no more specific service has */

/*
 * Time in the maps is a 32-bit count of ticks of 2^28 ns (0.27 s) of CLOCK_MONOTONIC: a shift, not
 * a division. It wraps after 36 years, and ticks up to 18 years apart are told from those to come.
 * So what is as old as the machine is never taken for new.
 */
#define TICK_SHIFT 28
/* Seconds in ticks, rounded down: 10^9 / 2^28 is 15,259 / 4,096, but for one in 90,000. */
#define TICKS_OF(seconds) ((__u32)((seconds)*15259ULL >> 12))

/* Idle timeouts of flows in seconds, where struct config has none. */
#define DEFAULT_TCP_TIMEOUT 900
#define DEFAULT_FIN_TIMEOUT 120
#define DEFAULT_UDP_TIMEOUT 300
#define HALF_OPEN_TIMEOUT 60 /* and of UDP, until its client has returned */

#define DEFAULT_PMTU 1280 /* the least path MTU that is relayed; that of IPv6 */

/* For the few functions that the data path and the helper share. */
#define SHARED static inline __attribute__((always_inline))

struct address {
	__be32 word[4];
};

/*
 * xlb_vips: struct address -> struct vip. Every packet that is for the balancer, from clients,
 * backends or routers, has a VIP as its destination, or an address of the pool (VIP_POOL); but for
 * the answers in mode dnat, which are on their way to a client.
 *
 * VIP_STATELESS: no service of this VIP is in mode nat, so the flow lookup is skipped. The helper
 * clears it before the first service in mode nat appears, and sets it when the last one is gone.
 *
 * `ports` tells most answers of backends (mode nat) from packets of clients without a lookup: bit
 * port_bit() is set for every service of the VIP before the service appears. A port whose bit is
 * clear has no service. 0: not known, all ports are looked up; so it is while the VIP has a service
 * of any port. Written by the helper.
 */
#define VIP_STATELESS 1
#define VIP_OWN 2 /* no VIP, but an address of the host; in the data path's cache only */
/*
 * VIP_POOL: no VIP, but an address that flows in mode nat have as source instead of theirs. Only
 * answers of backends and errors about flows come to it; it has no service. Its number is
 * POOL_NUMBER() of `source` in the records of its flows. VIP_DRAINING: new flows do not get it,
 * which is for the helper to know; xlb_pool says it to the data path.
 */
#define VIP_POOL 4
#define VIP_DRAINING 8
#define POOL_NUMBER(source) (MAX_SERVICES + (source))
struct vip {
	__u16 number; /* 1 to MAX_SERVICES, or POOL_NUMBER() of 1 to MAX_POOL */
	__u16 flags; /* VIP_* */
	__u32 unused;
	__u64 ports;
};

/* The bit of struct vip, ports, of a service's port and protocol: by the port's low byte, which is
 * the high one on a little-endian machine. */
SHARED __u64 port_bit(__be16 port, __u8 protocol)
{
	return 1ULL << ((port >> 8 ^ protocol) & 63);
}

/*
 * xlb_addresses: index is the number of a VIP or of an address of the pool. It is there before that
 * is in xlb_vips. Read by flows that have a source of the pool: their packets do not leave by the
 * address that they came to. Written by the helper.
 */
#define ADDRESSES (POOL_NUMBER(MAX_POOL) + 1)

/*
 * xlb_pool: entry 0. Which `source` a new flow in mode nat gets, by the hash of its client's
 * address, so that a client keeps one. 0: the VIP itself, as it is for all while the pool is empty.
 * Written by the helper, slot by slot: at any time each is what it was or what it is to be.
 */
#define POOL_SLOTS 4093 /* a prime: a Maglev table of its own */
struct pool {
	__u8 ipv4[POOL_SLOTS];
	__u8 ipv6[POOL_SLOTS];
	__u8 unused[6];
};

/* xlb_services: what is balanced. An update swaps the whole service at once: it is the one point
 * where a change of configuration takes effect for the data path and for readers. */
struct service_key {
	__u16 vip;
	__be16 port; /* or ANY_PORT */
	__u8 protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 unused[3];
};

/* How a packet gets to its backend. The data path answers a mode that it does not know with
 * `internal`. */
enum mode {
	MODE_NAT,
	MODE_DSR,
	MODE_IPIP,
	MODE_DNAT,
	MODE_USER, /* to a program of this host, by a socket of xlb_sockets */
	MODES,
};

enum hash {
	HASH_FLOW, /* client's address and both ports */
	HASH_SOURCE, /* client's address */
};

/* How a new flow's backend is picked. */
enum pick {
	PICK_HASH, /* by its slot */
	PICK_LEAST, /* the one with the fewest flows; mode nat only */
};

#define SERVICE_MOVING 1 /* its table has transitions */
#define SERVICE_LIMITED 2 /* its entry in xlb_limits is in force */
#define SERVICE_ANY_PORT 4 /* its key has ANY_PORT; in the data path's caches only */
#define SERVICE_LEAST 8 /* mode nat: new flows go by xlb_least, not by their slot */

struct service {
	__u32 number; /* 1 to MAX_SERVICES: index in xlb_svc_stats, xlb_limits */
	__u32 table; /* index in xlb_tables */
	__u32 slots; /* of the table */
	__u8 mode; /* enum mode */
	__u8 hash; /* enum hash */
	__u16 flags; /* SERVICE_* */
	__u32 settle; /* seconds that a slot's transition lasts; 0: see is_transition_over() */
	__u32 changed; /* tick when its table was last swapped; UDP flows in transition go by it */
};

/*
 * xlb_tables: a table per service, an array of words of 8 bytes:
 *
 *   struct slots       for every four of the service's slots
 *   struct transition  for each slot; only with SERVICE_MOVING
 *   struct member      for each configured backend; for the helper alone
 *
 * A table set up by hand may have slots only: then these name its backends. The backend of slot
 * (hash * slots) >> 32 gets a new flow. Two bytes a slot: a table fits the processor's cache.
 */
#define SLOTS_PER_WORD 4
#define SLOT_MOVING 0x8000 /* flag of a slot's backend: see the slot's transition */
struct slots {
	__u16 backend[SLOTS_PER_WORD]; /* or 0 */
};

/* What a slot that changed hands remembers (modes dsr, ipip and dnat). */
struct transition {
	__u16 former; /* the backend whose flows may live on; 0: the slot is in none */
	__u16 began; /* when, in units of 2^UNIT_SHIFT ticks, the lowest bit set; 0: not known */
	__u32 seen; /* tick when a packet last needed the former backend; data path and helper */
};

enum state {
	STATE_UP,
	STATE_DRAINING,
	STATE_DOWN,
};

/* What checkers have last said of a backend. The data path does not know it: which backends are
 * eligible is decided when the table is made. */
enum health {
	HEALTH_UNKNOWN,
	HEALTH_OK,
	HEALTH_FAILING,
};

#define MEMBER_ELIGIBLE 1 /* it got slots when the table was made */
#define MEMBER_OK 2 /* its health; neither of the two: unknown */
#define MEMBER_FAILING 4
#define MEMBER_BACKUP 8 /* gets slots only while no other backend can */
#define MEMBER_HEALTH (MEMBER_OK | MEMBER_FAILING)

/* In the table that runs the helper changes MEMBER_HEALTH, by a store of the word of `state`. */
struct member {
	__u16 backend;
	__u16 weight; /* 1 to MAX_WEIGHT */
	__u8 state; /* enum state */
	__u8 flags; /* MEMBER_* */
	__u16 generation; /* what the backend's is to be */
};

/* A next hop: its MAC, our own on that device, and the device (0: the one that the packet came in
 * by). One of MAC zero is not resolved. */
struct hop {
	__u8 mac[6];
	__u8 own_mac[6]; /* zero: the destination MAC that the packet came with */
	__u32 ifindex;
};

#define BACKEND_HOP 1 /* flag: which of the two hops is in force; flipped in one store */
#define BACKEND_MAC_GIVEN 2 /* flag: the MAC is the administrator's, not resolved */

/*
 * xlb_backends: index is the backend's number. Address, port and service do not change while the
 * number is in use. A flow whose generation is not its backend's has ended: so `down` and `del` end
 * all flows of a backend in one store.
 */
struct backend {
	struct address address;
	__be16 port; /* 0: the client's destination port */
	__u16 generation;
	__u16 service; /* number of its service; 0: not in use */
	__u16 flags;
	__u32 drained; /* second of CLOCK_MONOTONIC when it began to drain; 0: not draining */
	__u16 mtu[2]; /* of each hop; 0: not known */
	struct hop hop[2];
};

/*
 * xlb_reals: struct real_key -> __u32, the number of a backend in mode dnat. It has all that the
 * backend sends from this port, with this protocol, to other addresses than VIPs and the balancer's
 * own: answers, which are known by nothing else.
 */
struct real_key {
	struct address address;
	__be16 port; /* ANY_PORT: every port that no more specific key has */
	__u8 protocol;
	__u8 unused;
};

/*
 * xlb_replies: index is the service's number. In mode dnat what answers of its backends become.
 * Written by the helper before its backends are in xlb_reals.
 */
struct answer {
	struct address vip;
	__be16 port; /* 0: that which the answer has */
	__u16 vip_number;
	__u16 via; /* number in xlb_backends of the next hop to clients; 0: as the kernel routes */
	__u16 unused;
};

/*
 * What a packet to a VIP says of its flow: where from, and to which port. Network byte order except
 * vip, the number of a VIP or of an address of the pool. All of it is compared. Hashed are its
 * first 20 bytes and, of an address of the pool, its number: see hashed_tail() of the data path.
 */
struct tuple {
	struct address peer; /* source: the client, or in mode nat the backend */
	__be16 peer_port; /* source port */
	__be16 vip_port; /* destination port */
	__u16 vip;
	__u8 protocol;
	__u8 unused;
} __attribute__((aligned(8)));

#define FLOW_ESTABLISHED 1 /* both sides were heard: TCP handshake complete, or UDP answered */
#define FLOW_CLIENT_FIN 2
#define FLOW_BACKEND_FIN 4
#define FLOW_RESET 8
#define FLOW_SYN_ACK 16 /* the backend has answered; `isn` holds */
#define FLOW_DOUBTFUL 16 /* TCP, established: FLOW_RESET may be forged, see is_doubtful() */
#define FLOW_NAT 32 /* in mode nat; else it is remembered, and not translated */
#define FLOW_RETURNED 64 /* UDP: the client has sent again, a while after the first answer */
#define FLOW_COUNTED 128 /* in the count of xlb_live */
#define FLOW_BACKEND_RESET 64 /* TCP: FLOW_RESET was the backend's */

/*
 * xlb_flows: a flow, one record for both directions, one cache line. In mode nat it lies in the
 * bucket that the tuple of its backend's packets hashes to: {backend's address, its port, `port`,
 * VIP or `source`, protocol}; a pointer in the bucket of `client` leads to it. A remembered flow of
 * the other modes lies in the bucket of `client`, or where that is full in any other, with a
 * pointer. The record alone owns the port that its backend sees: a pointer to it counts only if the
 * record's client is the packet's.
 *
 * Who holds the lock of its bucket writes a record, with cookie 0 meanwhile. To end a flow, from
 * anywhere: store 0 to its cookie.
 */
struct flow {
	__u32 cookie; /* 0: free or being written; else random: not that of an earlier flow */
	__u32 seen; /* tick of its last packet */
	struct tuple client; /* packets from the client carry it */
	__be16 port; /* source port that the backend sees, if FLOW_NAT */
	__u16 backend;
	__u16 generation; /* of the backend when the flow began */
	__u8 state; /* FLOW_*; changed by atomic operations on the word of `generation` */
	__u8 source; /* in mode nat: what the backend sees as its client; 0: the VIP */
	__u16 address_sum; /* ones' complement: what the way to the backend adds to the addresses */
	__u16 flow_sum; /* the same of addresses and ports, for L4 checksums */
	union {
		/* TCP, without FLOW_ESTABLISHED: the backend's first number, if FLOW_SYN_ACK. */
		__u32 isn;
		/* TCP, with it: the upper halves of the highest sequence numbers of client and
		 * backend, as in the packet; of a remembered flow the highest one that the
		 * client has acknowledged for the backend's. Of a side whose FIN is noted bits
		 * 8 to 23 of the number after it. */
		__be16 sequence[2];
		__u32 answered; /* UDP, with FLOW_ESTABLISHED: tick of the first answer */
	};
	__u8 client_mac[6]; /* next hop back to the client: the source MAC of its packets */
	__u8 own_mac[6]; /* the destination MAC of the client's packets */
	__u32 ifindex; /* device that the client's packets come in by */
};

#define FLOW_WAYS 8
#define FLOW_POINTERS 22 /* with the table 95 % full, one bucket of 200,000 would need more */
#define FLOW_BUCKETS (1 << FLOW_BUCKET_BITS)
#define FLOW_WAY_BITS 3
#define FLOW_INDEX_BITS (FLOW_BUCKET_BITS + FLOW_WAY_BITS)
#define FLOWS (1 << FLOW_INDEX_BITS)

/*
 * xlb_buckets: what one value of the hash leads to. A bucket has FLOW_WAYS ways for flows, which
 * are records bucket * FLOW_WAYS + way of xlb_flows, and FLOW_POINTERS pointers; of both, the even
 * are in one half and the odd in the other, so that a first look takes one cache line. The low
 * FLOW_INDEX_BITS of a hash are its bucket and, the lowest, the way that is tried first. Where all
 * pointers of a bucket are of living flows, one of the sibling's leads to the next.
 */
#define SIBLING (1 << FLOW_WAY_BITS) /* in a hash: of the two buckets the other */
struct flow_bucket {
	struct {
		/* Index of a flow in the low FLOW_INDEX_BITS bits, above it bits of the client
		 * tuple's hash, the topmost set; 0: free. */
		__u32 pointer[FLOW_POINTERS / 2];
		__u32 tag[FLOW_WAYS / 2]; /* full hash of the way's backend tuple; 0: never used */
		union {
			__u32 lock; /* half 0: 1 while the data path writes a flow of the bucket */
			__u32 is_spilled; /* half 1: 1 if its sibling has pointers of its flows */
		};
	} half[2];
};

/* xlb_direct: when a backend was last seen to answer by itself, and not by the clients' router;
 * index is the backend's number. Written by the data path. */
struct direct {
	__u32 seen; /* tick; 0: never */
	__u32 generation; /* of the backend then: under another one it does not count */
};

#define PORT_HINTS 512 /* a power of two; backends with the same hints_index() share one */

/* xlb_ports: which ports seem taken towards a backend, of one source (mode nat); index is
 * hints_index(). See datapath/port_hint.h. The data path sets and clears bits, the helper clears
 * those of dead flows. */
struct port_hints {
	__u32 taken[65536 / 32];
	__u32 full; /* tick when a long search found no port; 0: the last one found one */
	__u32 unused[15];
};

/* xlb_fragments: the ports of a fragmented datagram, from its first fragment. */
#define FRAGMENT_OF_ANSWER 0x8000 /* flag: in mode dnat, with 15 bits of the client's address */
struct fragment_key {
	struct address peer;
	__be32 id; /* IPv4: 16 bits */
	__u16 vip; /* its number, or FRAGMENT_OF_ANSWER */
	__u8 protocol; /* as the IP or fragment header has it */
	__u8 unused;
};

struct fragment {
	__be16 peer_port;
	__be16 vip_port;
	__u32 seen; /* tick */
	__u8 protocol;
	__u8 unused[3];
	__be32 id; /* mode nat: that its fragments leave with */
};

/*
 * xlb_own: struct own_key -> __u32, OWN_*: what is the balancer's own, as the helper last saw it. A
 * packet of a client that has such a source is answered in a circle.
 *
 *   an address of the host          address                               OWN_HOST
 *   an address of a backend         address                               OWN_BACKEND
 *   where that backend serves       address, port or ANY_PORT, protocol   OWN_BACKEND
 *   a MAC for which a device takes  mac, ifindex                          OWN_MAC
 *     frames, and
 *   that all of its MACs are here   ifindex                               OWN_MAC
 */
#define OWN_HOST 1
#define OWN_BACKEND 2
#define OWN_MAC 4
struct own_key {
	union {
		struct address address;
		__u8 mac[6];
	};
	__u32 ifindex;
	__be16 port;
	__u8 protocol;
	__u8 unused;
};

#define CONFIG_DENY 1 /* xlb_deny has entries */
#define CONFIG_TRACE 2 /* decisions go to xlb_trace, filtered */
#define CONFIG_NO_FAST_PATH 4 /* every packet takes the slow path: to compare the two */
#define CONFIG_SWEEP 8 /* helper: flows are to be ended, see maps/model/sweep.h */
#define CONFIG_DNAT 16 /* xlb_reals has entries */
#define CONFIG_KNOWS_VIPS 32 /* known_bits has the addresses of xlb_vips */

#define GENERATION_CHANGING 1
#define GENERATION_BY_HAND (1U << 31) /* the helper's numbers are below */

#define HASH_FACTORS 3

#define KNOWN_WORDS 4
/* The bit of an address in known_bits of struct config: word * 64 + bit. */
SHARED __u32 known_bit(__u64 first, __u64 second)
{
	return (first ^ second) * 0x9e3779b97f4a7c15 >> 56;
}

/* xlb_config: entry 0. What is 0 is at its default. */
struct config {
	__u32 tcp_timeout; /* seconds */
	__u32 fin_timeout;
	__u32 udp_timeout;
	__u32 flags; /* CONFIG_* */
	/*
	 * Lets each CPU keep what it found in xlb_vips and xlb_services: it holds as long as this
	 * stays the same. The helper stores GENERATION_CHANGING, with which nothing holds, before
	 * it changes one of these maps, and a new number after. Where the helper was never used
	 * this is 0: what was found holds until the next jiffy.
	 */
	__u32 generation;
	__u32 knows_macs; /* 1: xlb_own has MACs of devices */
	/*
	 * Odd factors of the hash that finds flows, drawn at random by the first packet that takes
	 * the slow path, and kept as long as the map is: flows are where they say. Never shown. So
	 * nobody who chooses addresses and ports knows which of them meet in one bucket.
	 */
	__u64 secret[HASH_FACTORS];
	__u32 census; /* number of the last one, see struct source */
	__u32 pmtu; /* the least path MTU that ICMP errors are relayed with */
	/*
	 * known_bit() of each address of the host that xlb_own has, and with CONFIG_KNOWS_VIPS of
	 * each in xlb_vips; all 0: not known. Most other addresses are told apart from these by it,
	 * without a look into maps. The bit of an address is set before it is in its map.
	 */
	__u64 known_bits[KNOWN_WORDS];
	/* Filter of the trace; what is zero matches all. */
	struct tuple trace; /* peer, peer_port: the client; vip, vip_port, protocol: the service */
};

/* xlb_deny: longest match on the source; IPv4 prefixes are 96 bits longer. Value is not used. */
struct deny_key {
	__u32 length; /* bits, 0 to 128 */
	struct address prefix;
};

/*
 * xlb_live: index is the backend's number. Living flows of a service that picks by them: those with
 * FLOW_COUNTED. The data path counts; the helper sets it to 0 when all flows of the backend end,
 * and to what it has counted itself now and then, as flows that time out are not seen.
 */
struct live {
	__s32 flows;
	__u16 weight; /* of the backend */
	__u16 unused;
};

/* xlb_least: index is the service's number. Written by the helper, for services of
 * SERVICE_LEAST. */
#define LEAST_LISTED 16
struct least {
	__u16 count; /* of backends that get new flows; 0: more than can be listed, or none */
	__u16 unused[3];
	__u16 backend[LEAST_LISTED];
};

#define LIMIT_PER_SOURCE 1 /* `flows` is what each source may begin */

/* xlb_limits: index is the service's number. A source is a client's address, of IPv6 its /64. */
struct limit {
	__u32 pps; /* packets per second and source; 0: no limit */
	__u32 burst; /* packets */
	__u32 flows; /* new flows per second; 0: no limit */
	__u32 flags; /* LIMIT_* */
	__u32 conns; /* flows that a source may have at a time (mode nat); 0: no limit */
	__u32 unused;
	__u64 next_flow; /* data path: ns when the next new flow conforms (GCRA) */
};

enum check_type {
	CHECK_NONE,
	CHECK_TCP,
	CHECK_HTTP,
	CHECK_EXEC,
	CHECK_TYPES,
};

#define CHECK_WORD 128 /* bytes of a path or a name, with the zero at its end */

/*
 * xlb_checks: index is the service's number. How its backends are checked: configuration, which
 * the helper writes, and reads with its lock held. The data path does not look at it.
 */
struct check {
	__u8 type; /* enum check_type */
	__u8 ends_flows; /* on-fail down: those of a backend that fails; else they live on */
	__u8 panic; /* percent: with fewer backends left than that, checks are not believed */
	__u8 unused;
	__u16 status; /* of HTTP; 0: 200 to 399 */
	__be16 port; /* 0: that of the backend, or of the service */
	__u32 interval; /* milliseconds */
	__u32 timeout; /* milliseconds */
	__u32 rise; /* good ones in a row that make a backend ok */
	__u32 fall; /* bad ones in a row that make it failing */
	char word[CHECK_WORD]; /* the path, or the name of the program */
	char host[CHECK_WORD]; /* of HTTP; empty: the address */
};

/* xlb_watcher: entry 0. Written by `xdp-lb watch`, read by the helper. */
struct watcher {
	struct address from[2]; /* what checks come from: IPv4, IPv6; zero: none was given */
	__u32 seen; /* second of CLOCK_MONOTONIC when it was last alive; 0: never */
	__u32 unused;
};

struct source_key {
	struct address source; /* IPv6: its /64 */
	__u32 service;
};

/*
 * xlb_sources: who sends to a service with a limit. A census (maps/model/census.c) writes how many
 * flows each source has, then its number into struct config: a source whose `census` is an older
 * one had none.
 */
struct source {
	__u64 next_packet; /* ns when the next one conforms */
	__u64 next_flow;
	__u32 flows; /* that live, as the census has counted */
	__u32 begun; /* since then; data path */
	__u32 census;
	__u32 unused;
};

/*
 * xlb_sockets: XDP sockets (AF_XDP) that get the packets of services in mode user, put there by the
 * programs that own them. Index: USER_QUEUES times the index of the device (in its network
 * namespace), plus the number of the receive queue that the socket is bound to. Packets that come
 * in by a device or a queue beyond have no socket.
 */
#define USER_QUEUES 64
#define USER_DEVICES 4096
#define USER_SOCKETS (USER_DEVICES * USER_QUEUES)

/* Rules that the data path and the helper both go by. */

/* A multiplication carries each bit upwards, the fold brings the upper half down again. */
SHARED __u64 mix_word(__u64 word, __u64 factor)
{
	__u64 product = word * factor;

	return product ^ product >> 32;
}

/*
 * The hash that finds flows, of a packet's source and of its ports and the address of the pool that
 * it is sent to, as hashed_tail() of the data path makes them one word. Each word is added to what
 * a secret factor made of those before it: no difference of two words makes up for one of two
 * others, whatever the factors. The first word of IPv4 is 0, and costs nothing. The last word is
 * multiplied twice, with a fold between: ports that follow each other, times one factor, are steps
 * of one width, which for one factor of a hundred meet in few buckets.
 */
SHARED __u32 flow_hash(const struct config *config, const __u64 peer[2], __u64 tail)
{
	__u64 hash = mix_word(peer[0], config->secret[0]);

	hash = mix_word(hash + peer[1], config->secret[1]);
	return mix_word(hash + tail, config->secret[2]) * config->secret[2] >> 32;
}

#define SOURCE_STEP 317 /* odd: few sources, of few backends, share no hints */

/* Index in xlb_ports of the flows to a backend that have the source, as in struct flow. */
SHARED __u32 hints_index(__u32 backend, __u32 source)
{
	return (backend + source * SOURCE_STEP) & (PORT_HINTS - 1);
}

/* The word that has a flow's state: packets of both directions change it at the same time. */
#define STATE_SHIFT 16
SHARED __u32 *word_of_state(const struct flow *flow)
{
	return (__u32 *)&flow->generation;
}

/* Whether more than `seconds` lie between the ticks; `then` may be a little in the future, as
 * another CPU saw it. */
SHARED _Bool is_past(__u32 now, __u32 then, __u32 seconds)
{
	return (__s32)(now - then) > (__s32)TICKS_OF(seconds);
}

SHARED __u32 tcp_timeout(const struct config *config)
{
	return config->tcp_timeout ? config->tcp_timeout : DEFAULT_TCP_TIMEOUT;
}

SHARED __u32 fin_timeout(const struct config *config)
{
	return config->fin_timeout ? config->fin_timeout : DEFAULT_FIN_TIMEOUT;
}

SHARED __u32 udp_timeout(const struct config *config)
{
	return config->udp_timeout ? config->udp_timeout : DEFAULT_UDP_TIMEOUT;
}

/* Whether it is a NAT flow of UDP that could be one question and its answer, of a client that may
 * be forged. */
SHARED _Bool is_passing(const struct flow *flow)
{
	return flow->client.protocol == 17 && /* IPPROTO_UDP */
	       (flow->state & (FLOW_NAT | FLOW_RETURNED)) == FLOW_NAT;
}

/*
 * Whether a TCP flow that was reset may live: the RST had no number but the sequence's, which one
 * guess of 22,000 is near. The flow keeps its idle timeout, and its tuple, and gives way to a new
 * one where no other does.
 */
SHARED _Bool is_doubtful(__u8 state)
{
	const __u8 all = FLOW_ESTABLISHED | FLOW_RESET | FLOW_DOUBTFUL;

	return (state & all) == all;
}

SHARED _Bool is_closed(__u8 state)
{
	const __u8 both = FLOW_CLIENT_FIN | FLOW_BACKEND_FIN;

	return (state & both) == both || (state & FLOW_RESET && !is_doubtful(state));
}

SHARED __u32 least_pmtu(const struct config *config)
{
	return config->pmtu ? config->pmtu : DEFAULT_PMTU;
}

/* Seconds that the flow may be idle. */
SHARED __u32 idle_timeout(const struct config *config, const struct flow *flow)
{
	if (flow->client.protocol == 17) { /* IPPROTO_UDP */
		__u32 seconds = udp_timeout(config);

		return is_passing(flow) && seconds > HALF_OPEN_TIMEOUT ? HALF_OPEN_TIMEOUT :
									 seconds;
	}
	if (flow->state & (FLOW_CLIENT_FIN | FLOW_BACKEND_FIN) || is_closed(flow->state))
		return fin_timeout(config);
	if (flow->state & FLOW_ESTABLISHED)
		return tcp_timeout(config);
	return HALF_OPEN_TIMEOUT;
}

#define SETTLE_UNLIMITED 0xffffffff /* `settle` of struct service: no limit of a day */
#define DEFAULT_SETTLE 86400
#define UNIT_SHIFT 12 /* ticks to units of 18 minutes */
#define SETTLE_UNITS 76 /* 23.2 hours, so that with both roundings it is a day at most */

/* What `began` of struct transition is for one that begins now. */
SHARED __u16 unit_of(__u32 now)
{
	return now >> UNIT_SHIFT | 1;
}

/*
 * Whether a slot's transition is over: the administrator's time is up; or nothing has needed the
 * former backend for as long as a flow may be idle; or a day has passed, as ACKs can be forged that
 * keep it going. `settle` is that of struct service.
 */
SHARED _Bool is_transition_over(const struct config *config, __u32 settle,
				const struct transition *transition, __u32 now)
{
	__u32 seconds = tcp_timeout(config);
	__u16 age = unit_of(now) - transition->began;

	if (settle && settle != SETTLE_UNLIMITED)
		return is_past(now, transition->seen, settle);
	return is_past(now, transition->seen, seconds) ||
	       (!settle && transition->began && age >= SETTLE_UNITS);
}

/*
 * What became of a packet: name, XDP action, reason as printed. Every packet has exactly one; it is
 * the index of the counters. Append only, before VERDICTS: dumps of older programs stay readable.
 */
#define VERDICT_LIST(X)                                                                            \
	X(FORWARDED, TX, "forwarded")                                                              \
	X(REDIRECTED, REDIRECT, "forwarded")                                                       \
	X(NOT_IP, PASS, "not-ip")                                                                  \
	X(NO_SERVICE, PASS, "no-service")                                                          \
	X(NO_FLOW, PASS, "no-flow")                                                                \
	X(OTHER_HOST, PASS, "other-host")                                                          \
	X(FRAGMENT_EARLY, PASS, "fragment-early")                                                  \
	X(TOO_MANY_HEADERS, PASS, "too-many-headers")                                              \
	X(MALFORMED, DROP, "malformed")                                                            \
	X(NO_BACKEND, DROP, "no-backend")                                                          \
	X(NO_NEIGHBOUR, DROP, "no-neighbour")                                                      \
	X(NO_PORT, DROP, "no-port")                                                                \
	X(TABLE_FULL, DROP, "table-full")                                                          \
	X(FLOW_GONE, DROP, "flow-gone")                                                            \
	X(TTL_ANSWERED, TX, "ttl")                                                                 \
	X(TTL, DROP, "ttl")                                                                        \
	X(TOO_BIG_ANSWERED, TX, "too-big")                                                         \
	X(TOO_BIG, DROP, "too-big")                                                                \
	X(DENIED, DROP, "denied")                                                                  \
	X(RATE_LIMITED, DROP, "rate-limited")                                                      \
	X(FLOW_LIMITED, DROP, "flow-limited")                                                      \
	X(INTERNAL, ABORTED, "internal")                                                           \
	X(BAD_SOURCE, DROP, "bad-source")                                                          \
	X(SOURCE_ROUTE, DROP, "source-route")                                                      \
	X(TINY_FRAGMENT, DROP, "tiny-fragment")                                                    \
	X(NO_ROUTE, DROP, "no-route")                                                              \
	X(LEFT_TO_HOST, PASS, "left-to-host")                                                      \
	X(TO_SOCKET, REDIRECT, "to-socket")                                                        \
	X(NO_SOCKET, PASS, "no-socket")

/*
 * Why a packet of a VIP takes the slow path: name, as printed. Append only.
 */
#define SLOW_LIST(X)                                                                               \
	X(HEADERS, "headers") /* options, extension headers, two VLAN tags, lengths that lie */    \
	X(FRAGMENT, "fragment")                                                                    \
	X(ICMP, "icmp")                                                                            \
	X(NEW_FLOW, "new-flow") /* mode nat: of no known flow, or TCP SYN */                       \
	X(FLOW_STATE, "flow-state") /* it changes the state of its flow: handshake, FIN, RST */    \
	X(TRANSITION, "transition") /* its slot has moved */                                       \
	X(TTL, "ttl")                                                                              \
	X(TOO_BIG, "too-big")                                                                      \
	X(TRACE, "trace") /* it matches the filter of the trace */                                 \
	X(SWITCHED_OFF, "switched-off") /* CONFIG_NO_FAST_PATH */                                  \
	X(OTHER_MAC, "other-mac") /* not that of the way to its backend; is it ours? */            \
	X(ROUTE, "route") /* mode dnat: the kernel does not know the whole way to the client */

/* clang-format off */
enum verdict {
#define VERDICT_NAME(name, action, reason) VERDICT_##name,
	VERDICT_LIST(VERDICT_NAME)
#undef VERDICT_NAME
	VERDICTS,
	CONTINUE = VERDICTS, /* no verdict yet: the next stage */
#define SLOW_NAME(name, text) SLOW_##name,
	SLOW_LIST(SLOW_NAME)
#undef SLOW_NAME
	SLOW_END,
};
/* clang-format on */

#define SLOW_CAUSES (SLOW_END - CONTINUE - 1)
#define SLOW_ROOM 32 /* causes that struct slow_stats has room for */

/* xlb_slow, per CPU: entry 0. Packets that took the slow path, by cause. */
struct slow_stats {
	__u64 packets[SLOW_ROOM]; /* index: cause - CONTINUE - 1 */
};

#define VERDICT_ROOM 31 /* verdicts that struct service_stats has room for */

struct counter {
	__u64 packets;
	__u64 bytes; /* of frames, from the Ethernet header */
};

/*
 * xlb_svc_stats, per CPU: index is the service's number; 0 counts the packets of no service, and
 * STATS_RETIRED what deleted services had counted (helper). So the totals never go back.
 *
 * What is FORWARDED the data path counts by backend alone, which spares it a counter for each
 * packet. Of a service this is what its backends have forwarded, the former ones too, less what is
 * REDIRECTED; its own counter of FORWARDED is used in STATS_RETIRED only.
 */
#define STATS_NO_SERVICE 0
#define STATS_RETIRED (MAX_SERVICES + 1)
struct service_stats {
	__u64 flows; /* begun */
	__u64 unused;
	struct counter verdict[VERDICT_ROOM];
};

/*
 * xlb_be_stats, per CPU: index is the backend's number. Forwarded packets, either direction.
 * FORMER_BACKENDS plus a service's number: what its deleted backends had counted (helper).
 */
#define FORMER_BACKENDS (MAX_BACKENDS + 1)
struct backend_stats {
	struct counter total;
	__u64 flows; /* begun */
	__u64 unused;
};

/*
 * How a packet came to its backend, or that it has none: name, as printed. Append only.
 */
#define CHOICE_LIST(X)                                                                             \
	X(NONE, "none")                                                                            \
	X(FLOW, "known-flow")                                                                      \
	X(TABLE, "table") /* the slot's backend */                                                 \
	X(FORMER, "former-backend") /* the slot's, before it moved: it is in transition */         \
	X(ANSWER, "answer") /* mode dnat: the backend has sent it */                               \
	X(LEAST, "least") /* the one with the fewest flows */
/* clang-format off */
enum choice {
#define CHOICE_NAME(name, text) CHOICE_##name,
	CHOICE_LIST(CHOICE_NAME)
#undef CHOICE_NAME
	CHOICES,
};
/* clang-format on */

/* xlb_trace (ring buffer): a decision. */
struct event {
	__u64 time; /* ns of CLOCK_MONOTONIC */
	struct tuple tuple; /* of the packet */
	struct address vip;
	__u32 length; /* bytes of the frame */
	__u16 backend;
	__u16 service; /* number */
	__u8 verdict;
	__u8 choice; /* enum choice */
	__u8 from_backend; /* the packet is an answer */
	__u8 unused;
	__u32 ifindex; /* it came in by */
};

/*
 * A dry run: no real packet has metadata, so one that has (BPF_PROG_TEST_RUN) leaves no trace in
 * flows, tables or counters, and the data path writes its decision into the metadata.
 */
struct decision {
	__u16 verdict;
	__u16 choice;
	__u16 backend;
	__u16 service;
	__u16 source; /* that the backend sees, as in struct flow */
	__u16 unused;
};

_Static_assert(sizeof(struct service_key) == 8, "hashed as one word");
_Static_assert(sizeof(struct tuple) == 24, "compared as three words");
_Static_assert(sizeof(struct slots) == 8 && sizeof(struct transition) == 8 &&
		       sizeof(struct member) == 8,
	       "share a table");
_Static_assert(sizeof(struct backend) == 64, "one cache line");
_Static_assert(sizeof(struct flow) == 64, "one cache line");
_Static_assert(sizeof(struct port_hints) % 64 == 0, "whole cache lines");
_Static_assert(sizeof(struct pool) % 8 == 0, "no padding");
_Static_assert(sizeof(struct flow_bucket) == 128, "a cache line for each half");
_Static_assert(sizeof(struct deny_key) == 20 && sizeof(struct source_key) == 20, "no padding");
_Static_assert(sizeof(struct fragment_key) == 24, "no padding");
_Static_assert(sizeof(struct own_key) == 24, "no padding");
_Static_assert(sizeof(struct real_key) == 20 && sizeof(struct answer) == 24, "no padding");
_Static_assert(ADDRESSES <= FRAGMENT_OF_ANSWER, "numbers of VIPs and of the pool fit");
_Static_assert(1 << FLOW_WAY_BITS == FLOW_WAYS, "FLOW_WAY_BITS");
_Static_assert(FLOW_INDEX_BITS < 28, "a pointer keeps four bits or more for its tag");
_Static_assert(MAX_BACKENDS < SLOT_MOVING && ADDRESSES <= 65536 && MAX_POOL < 256, "numbers fit");
_Static_assert(VERDICTS <= VERDICT_ROOM, "room for every verdict");
_Static_assert(SLOW_CAUSES <= SLOW_ROOM, "room for every cause");

#endif
