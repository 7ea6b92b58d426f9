// SPDX-License-Identifier: GPL-2.0
/*
 * A flood of packets, to test what the balancer does under attack. Refuses to run outside of a
 * network namespace.
 *
 *   flood [-u] [-r RATE] [-c COUNT] [-s SOURCE [-n SOURCES] [-b BITS]] [-p PORT]
 *         DEV MAC ADDRESS PORT
 *       sends COUNT SYNs (-u: UDP datagrams of 64 bytes) at RATE packets per second to ADDRESS:PORT
 *       by DEV to MAC, and prints how many. Sources are random, or SOURCES ones from SOURCE on, in
 *       turn; those of IPv6 are each in a /64 of its own (-b: consecutive ones of BITS bits). Their
 *       ports are random, or all -p.
 *   flood -l [-u] [-r RATE] [-c COUNT] DEV MAC ADDRESS PORT
 *       sends one from each "ADDRESS PORT" that standard input lists, or COUNT from them in turn.
 *
 *   -f FLAGS   instead of SYNs: letters of S, A, F, R; with a comma, as S,A: one after the other
 *              from each source, with the same numbers
 *   -t TTL     instead of 64
 *   -g         IPv4: each is the first fragment of a datagram of its own
 *   -m MTU     IPv4: instead, ICMP errors that say "fragmentation needed" about packets from
 *              ADDRESS:PORT to each source, and that its path has this MTU
 */
#define _GNU_SOURCE /* sendmmsg */
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "address.h"

#define BATCH 64
#define FLAGS_AT 13 /* in a TCP header */
#define DATA 64 /* bytes in a datagram */
#define OPTIONS 4 /* bytes: a SYN without MSS is no honest one */

struct transport {
	union {
		struct tcphdr tcp;
		struct udphdr udp;
		struct {
			struct icmphdr header;
			struct iphdr ip;
			struct tcphdr tcp;
		} __attribute__((packed)) error;
	};
	uint8_t rest[DATA];
};

struct frame {
	uint8_t unused[2]; /* so that all behind the Ethernet header is aligned */
	struct ether_header eth;
	union {
		struct {
			struct iphdr ip;
			struct transport transport;
		} v4;
		struct {
			struct ip6_hdr ip;
			struct transport transport;
		} v6;
	};
};

struct flood {
	bool udp, fragments;
	uint8_t flags[4]; /* of TCP, byte 13, one after the other */
	unsigned int phases; /* of these */
	int ttl, mtu; /* mtu 0: no ICMP error */
	unsigned long rate, count, sources;
	int bits; /* the host part of an IPv6 source begins here */
	bool has_source;
	union address source, target;
	union address *list; /* instead: `sources` sources with their ports */
	__be16 port; /* of all sources; 0: random */
	struct frame template;
	size_t length; /* of a frame */
};

static uint64_t random_state;

/* xorshift64*: fast, and the same for nobody. */
static uint64_t random_number(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dULL;
}

static uint32_t add_words(uint32_t sum, const void *data, size_t length)
{
	const uint8_t *byte = data;

	for (size_t i = 0; i + 1 < length; i += 2)
		sum += byte[i] << 8 | byte[i + 1];
	return sum;
}

static uint16_t finish_sum(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

static size_t transport_length(const struct flood *flood)
{
	if (flood->mtu)
		return sizeof(((struct transport *)NULL)->error);
	return flood->udp ? sizeof(struct udphdr) + DATA : sizeof(struct tcphdr) + OPTIONS;
}

static void fill_transport(const struct flood *flood, struct transport *transport, int port)
{
	static const uint8_t mss[OPTIONS] = { 2, 4, 1460 >> 8, 1460 & 0xff };

	if (flood->mtu) {
		transport->error.header.type = ICMP_DEST_UNREACH;
		transport->error.header.code = ICMP_FRAG_NEEDED;
		transport->error.header.un.frag.mtu = htons(flood->mtu);
		transport->error.ip.version = 4;
		transport->error.ip.ihl = 5;
		transport->error.ip.ttl = 60;
		transport->error.ip.protocol = IPPROTO_TCP;
		transport->error.ip.tot_len = htons(1500);
		transport->error.ip.saddr = flood->target.v4.sin_addr.s_addr;
		transport->error.tcp.source = htons(port);
		transport->error.tcp.doff = sizeof(struct tcphdr) / 4;
		return;
	}
	if (flood->udp) {
		transport->udp.dest = htons(port);
		transport->udp.len = htons(transport_length(flood));
		return;
	}
	transport->tcp.dest = htons(port);
	transport->tcp.doff = transport_length(flood) / 4;
	((uint8_t *)&transport->tcp)[FLAGS_AT] = flood->flags[0];
	transport->tcp.window = htons(64240);
	memcpy(&transport->tcp + 1, mss, sizeof(mss));
}

static void fill_template(struct flood *flood, const uint8_t *mac, const uint8_t *own, int port)
{
	struct frame *frame = &flood->template;
	int protocol = flood->mtu ? IPPROTO_ICMP : flood->udp ? IPPROTO_UDP : IPPROTO_TCP;

	memcpy(frame->eth.ether_dhost, mac, ETH_ALEN);
	memcpy(frame->eth.ether_shost, own, ETH_ALEN);
	if (flood->target.any.sa_family == AF_INET) {
		frame->eth.ether_type = htons(ETHERTYPE_IP);
		flood->length = sizeof(frame->eth) + sizeof(struct iphdr) + transport_length(flood);
		frame->v4.ip.version = 4;
		frame->v4.ip.ihl = 5;
		frame->v4.ip.ttl = flood->ttl;
		frame->v4.ip.frag_off = htons(flood->fragments ? IP_MF : 0);
		frame->v4.ip.protocol = protocol;
		frame->v4.ip.tot_len = htons(flood->length - sizeof(frame->eth));
		frame->v4.ip.daddr = flood->target.v4.sin_addr.s_addr;
		fill_transport(flood, &frame->v4.transport, port);
		return;
	}
	frame->eth.ether_type = htons(ETHERTYPE_IPV6);
	flood->length = sizeof(frame->eth) + sizeof(struct ip6_hdr) + transport_length(flood);
	frame->v6.ip.ip6_flow = htonl(6 << 28);
	frame->v6.ip.ip6_plen = htons(transport_length(flood));
	frame->v6.ip.ip6_nxt = protocol;
	frame->v6.ip.ip6_hlim = flood->ttl;
	frame->v6.ip.ip6_dst = flood->target.v6.sin6_addr;
	fill_transport(flood, &frame->v6.transport, port);
}

static __be16 random_port(void)
{
	return htons(1024 + (random_number() >> 32) % 64512);
}

/* Random IPv4 sources are of 11.0.0.0 to 126.255.255.255: not the lab's, and no
 * address that a host would drop; IPv6 ones of 2001:db8::/32. */
static union address random_source(int family)
{
	union address source = { .any.sa_family = family };
	uint32_t *word = source.v6.sin6_addr.s6_addr32, random = random_number() >> 32;

	if (family == AF_INET) {
		random = (random & 0xffffff) | (11 + (random >> 24) % 116) << 24;
		source.v4.sin_addr.s_addr = htonl(random);
		return source;
	}
	word[0] = htonl(0x20010db8);
	for (int i = 1; i < 4; i++)
		word[i] = random_number() >> 32;
	return source;
}

/* The source, number `step`, of those that follow one another. */
static union address stepped_source(const struct flood *flood, unsigned long step)
{
	union address source = flood->source;
	uint32_t *word = &source.v6.sin6_addr.s6_addr32[(flood->bits - 1) / 32];

	if (source.any.sa_family == AF_INET)
		word = &source.v4.sin_addr.s_addr;
	*word = htonl(ntohl(*word) + step);
	return source;
}

/* Address and port that packet `number` comes from. */
static union address source_of(const struct flood *flood, unsigned long number)
{
	union address source;

	number /= flood->phases;
	if (flood->list)
		return flood->list[number % flood->sources];
	source = flood->has_source ? stepped_source(flood, number % flood->sources) :
				     random_source(flood->target.any.sa_family);
	source.v4.sin_port = flood->port ? flood->port : random_port();
	return source;
}

/* Ports, sequence number, checksum. `sum` is that of the addresses. */
static void finish_transport(const struct flood *flood, struct transport *transport, __be16 port,
			     unsigned long number, uint32_t sum)
{
	static uint64_t numbers; /* sequence and acknowledgement */
	size_t length = transport_length(flood);

	sum += length + (flood->udp ? IPPROTO_UDP : IPPROTO_TCP);
	if (flood->udp) {
		transport->udp.source = port;
		transport->udp.check = 0;
		transport->udp.check = finish_sum(add_words(sum, transport, length));
		if (!transport->udp.check)
			transport->udp.check = 0xffff;
		return;
	}
	transport->tcp.source = port;
	((uint8_t *)&transport->tcp)[FLAGS_AT] = flood->flags[number % flood->phases];
	if (number % flood->phases == 0)
		numbers = random_number();
	transport->tcp.seq = numbers >> 32;
	transport->tcp.ack_seq = numbers;
	transport->tcp.check = 0;
	transport->tcp.check = finish_sum(add_words(sum, transport, length));
}

/* Of an error about a packet to the source. */
static void finish_error(struct transport *transport, __be32 client, __be16 port)
{
	size_t length = sizeof(transport->error);

	transport->error.ip.daddr = client;
	transport->error.ip.check = 0;
	transport->error.ip.check = finish_sum(
		add_words(0, &transport->error.ip, sizeof(transport->error.ip)));
	transport->error.tcp.dest = port;
	transport->error.tcp.seq = random_number() >> 32;
	transport->error.header.checksum = 0;
	transport->error.header.checksum = finish_sum(add_words(0, transport, length));
}

static void make_frame(const struct flood *flood, struct frame *frame, unsigned long number)
{
	union address source = source_of(flood, number);
	__be16 port = source.v4.sin_port; /* at the same place in both families */

	if (flood->target.any.sa_family == AF_INET) {
		struct iphdr *ip = &frame->v4.ip;

		ip->saddr = source.v4.sin_addr.s_addr;
		ip->id = random_number() >> 32;
		ip->check = 0;
		ip->check = finish_sum(add_words(0, ip, sizeof(*ip)));
		if (flood->mtu)
			finish_error(&frame->v4.transport, ip->saddr, port);
		else
			finish_transport(flood, &frame->v4.transport, port, number,
					 add_words(0, &ip->saddr, 8));
	} else {
		struct ip6_hdr *ip = &frame->v6.ip;

		ip->ip6_src = source.v6.sin6_addr;
		finish_transport(flood, &frame->v6.transport, port, number,
				 add_words(0, &ip->ip6_src, 32));
	}
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Sends packets from number `first` on, at most BATCH. Returns how many went.
 */
static unsigned long send_batch(const struct flood *flood, int fd, unsigned long first,
				unsigned long count)
{
	static struct frame frames[BATCH];
	static struct iovec parts[BATCH];
	static struct mmsghdr messages[BATCH];
	int sent;

	if (count > BATCH)
		count = BATCH;
	for (unsigned long i = 0; i < count; i++) {
		frames[i] = flood->template;
		make_frame(flood, &frames[i], first + i);
		parts[i] = (struct iovec){ &frames[i].eth, flood->length };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
	}
	sent = sendmmsg(fd, messages, count, 0);
	if (sent < 0 && errno != ENOBUFS && errno != EAGAIN)
		die("sendmmsg");
	return sent < 0 ? 0 : sent;
}

static void send_all(const struct flood *flood, int fd)
{
	static const struct timespec moment = { .tv_nsec = 100000 };
	double start = seconds(), time;
	unsigned long sent = 0;

	while (sent < flood->count) {
		unsigned long due = flood->count;

		if (flood->rate)
			due = (seconds() - start) * flood->rate;
		if (due > flood->count)
			due = flood->count;
		if (due > sent)
			sent += send_batch(flood, fd, sent, due - sent);
		else
			nanosleep(&moment, NULL);
	}
	time = seconds() - start;
	printf("sent %lu in %.1f s, %.0f/s\n", sent, time, sent / time);
}

static bool in_namespace(void)
{
	struct stat own, first;

	return !stat("/proc/self/ns/net", &own) && !stat("/proc/1/ns/net", &first) &&
	       own.st_ino != first.st_ino;
}

/* A socket that sends by the device; `own` becomes the device's address. */
static int open_device(const char *name, uint8_t *own)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_ifindex = if_nametoindex(name) };
	socklen_t length = sizeof(address);
	int fd = socket(AF_PACKET, SOCK_RAW, 0); /* protocol 0: it receives nothing */

	if (!address.sll_ifindex || fd < 0 || bind(fd, (struct sockaddr *)&address, length) ||
	    getsockname(fd, (struct sockaddr *)&address, &length))
		die(name);
	memcpy(own, address.sll_addr, ETH_ALEN);
	return fd;
}

/* Reads "ADDRESS PORT" lines: the sources, of one packet each. */
static void read_list(struct flood *flood)
{
	char address[64];
	int port;

	flood->sources = 0;
	while (scanf("%63s %d", address, &port) == 2) {
		flood->list = realloc(flood->list, (flood->sources + 1) * sizeof(*flood->list));
		if (!flood->list)
			die("realloc");
		flood->list[flood->sources++] = parse_address(address, port);
	}
	flood->count = flood->sources;
}

static void usage(void)
{
	fprintf(stderr, "usage: flood [-l] [-u] [-r RATE] [-c COUNT] "
			"[-s SOURCE [-n SOURCES] [-b BITS]] [-p PORT] "
			"[-f FLAGS] [-t TTL] [-g] [-m MTU] DEV MAC ADDRESS PORT\n");
	exit(2);
}

/* Letters, with commas between what is sent one after the other. */
static void read_flags(struct flood *flood, const char *text)
{
	static const char letters[] = "FSR.A"; /* from the lowest bit on */

	memset(flood->flags, 0, sizeof(flood->flags));
	flood->phases = 1;
	for (; *text; text++) {
		const char *letter = strchr(letters, *text);

		if (*text == ',')
			flood->phases++;
		if (letter && flood->phases <= sizeof(flood->flags))
			flood->flags[flood->phases - 1] |= 1 << (letter - letters);
	}
	if (flood->phases > sizeof(flood->flags))
		usage();
}

static void read_options(struct flood *flood, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "lugr:c:s:n:b:p:f:t:m:")) != -1) {
		switch (option) {
		case 'l':
			read_list(flood);
			break;
		case 'p':
			flood->port = htons(atoi(optarg));
			break;
		case 'u':
			flood->udp = true;
			break;
		case 'g':
			flood->fragments = true;
			break;
		case 'f':
			read_flags(flood, optarg);
			break;
		case 't':
			flood->ttl = atoi(optarg);
			break;
		case 'm':
			flood->mtu = atoi(optarg);
			break;
		case 'r':
			flood->rate = strtoul(optarg, NULL, 10);
			break;
		case 'c':
			flood->count = strtoul(optarg, NULL, 10);
			break;
		case 's':
			flood->source = parse_address(optarg, 0);
			flood->has_source = true;
			break;
		case 'n':
			flood->sources = strtoul(optarg, NULL, 10);
			break;
		case 'b':
			flood->bits = atoi(optarg);
			break;
		default:
			usage();
		}
	}
	if (argc - optind != 4 || !flood->sources || flood->bits < 1 || flood->bits > 128)
		usage();
}

int main(int argc, char **argv)
{
	struct flood flood = {
		.count = 1000,
		.sources = 1,
		.bits = 64,
		.ttl = 64,
		.flags = { TH_SYN },
		.phases = 1,
	};
	uint8_t mac[ETH_ALEN], own[ETH_ALEN];
	int port, fd;

	read_options(&flood, argc, argv);
	argv += optind;
	if (!in_namespace()) {
		fprintf(stderr, "flood: only inside of a network namespace\n");
		return 2;
	}
	if (sscanf(argv[1], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3],
		   &mac[4], &mac[5]) != 6)
		usage();
	port = atoi(argv[3]);
	flood.target = parse_address(argv[2], port);
	random_state = (uint64_t)time(NULL) << 32 ^ (uint64_t)getpid() << 8 ^ 1;
	fd = open_device(argv[0], own);
	fill_template(&flood, mac, own, port);
	send_all(&flood, fd);
	return 0;
}
