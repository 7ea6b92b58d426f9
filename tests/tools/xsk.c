// SPDX-License-Identifier: GPL-2.0
/*
 * A program behind a service in mode user, by XDP sockets (AF_XDP) and nothing but <linux/if_xdp.h>.
 * Native or generic, zero-copy or not: it is the same program.
 *
 *   xsk answer|count MAP DEV [QUEUES]
 *
 * Takes the packets of DEV's first QUEUES (1) receive queues, from the pinned MAP, which is
 * xlb_sockets, and checks each to the last byte: lengths, IPv4 header and UDP checksums. `answer`
 * sends UDP datagrams back to where they came from. Prints "ready" when the sockets are in their
 * places; and, when it is ended by SIGINT or SIGTERM:
 *
 *   received N wrong N answered N rate N       (packets a second from the first to the last)
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_xdp.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "address.h"

/* The index of a socket in the map: the device's times this, plus the queue's. See maps/xdp_lb.h. */
#define USER_QUEUES 64

#define FRAME_SIZE 2048
#define FRAMES 4096 /* of a queue: as many as each of its rings has room for */
#define BATCH 64
#define TTL 64
#define PAUSE 100 /* ms, after which frames that were sent late are looked for */
#define PATIENCE 1000 /* ms to wait for a queue that another socket has just left */

/* One of the four rings that a socket shares with the kernel. */
struct ring {
	uint32_t *producer, *consumer, *flags;
	void *entries; /* struct xdp_desc, or of fill and completion uint64_t */
};

struct queue {
	int fd;
	uint8_t *frames;
	struct ring fill, completion, receive, transmit;
};

static struct {
	uint64_t received, wrong, answered, first, last;
} counts;

static bool does_answer;
static volatile sig_atomic_t is_over;

static void stop(int number)
{
	(void)number;
	is_over = 1;
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

/* Rings */

static uint32_t filled(const struct ring *ring)
{
	return __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE) - *ring->consumer;
}

static void put_frame(struct ring *ring, uint64_t frame)
{
	((uint64_t *)ring->entries)[*ring->producer % FRAMES] = frame;
	__atomic_store_n(ring->producer, *ring->producer + 1, __ATOMIC_RELEASE);
}

static void drop_first(struct ring *ring)
{
	__atomic_store_n(ring->consumer, *ring->consumer + 1, __ATOMIC_RELEASE);
}

static void map_ring(int fd, struct ring *ring, const struct xdp_ring_offset *offset, int name,
		     off_t at, size_t entry)
{
	int size = FRAMES;
	uint8_t *memory;

	if (setsockopt(fd, SOL_XDP, name, &size, sizeof(size)))
		die("size of a ring");
	memory = mmap(NULL, offset->desc + FRAMES * entry, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_POPULATE, fd, at);
	if (memory == MAP_FAILED)
		die("memory of a ring");
	ring->producer = (uint32_t *)(memory + offset->producer);
	ring->consumer = (uint32_t *)(memory + offset->consumer);
	ring->flags = (uint32_t *)(memory + offset->flags);
	ring->entries = memory + offset->desc;
}

/* Sockets */

static void bind_queue(const struct queue *queue, int ifindex, int number)
{
	struct sockaddr_xdp address = {
		.sxdp_family = AF_XDP,
		.sxdp_flags = XDP_USE_NEED_WAKEUP,
		.sxdp_ifindex = ifindex,
		.sxdp_queue_id = number,
	};

	for (int waited = 0; bind(queue->fd, (struct sockaddr *)&address, sizeof(address));
	     waited++) {
		if (errno != EBUSY || waited == PATIENCE)
			die("bind");
		usleep(1000);
	}
}

static void open_queue(struct queue *queue, int ifindex, int number)
{
	struct xdp_umem_reg memory = { .len = FRAMES * FRAME_SIZE, .chunk_size = FRAME_SIZE };
	struct xdp_mmap_offsets at;
	socklen_t size = sizeof(at);

	queue->fd = socket(AF_XDP, SOCK_RAW, 0);
	queue->frames = mmap(NULL, memory.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
	memory.addr = (uintptr_t)queue->frames;
	if (queue->fd < 0 || queue->frames == MAP_FAILED ||
	    setsockopt(queue->fd, SOL_XDP, XDP_UMEM_REG, &memory, sizeof(memory)) ||
	    getsockopt(queue->fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &size))
		die("AF_XDP");
	map_ring(queue->fd, &queue->fill, &at.fr, XDP_UMEM_FILL_RING, XDP_UMEM_PGOFF_FILL_RING,
		 sizeof(uint64_t));
	map_ring(queue->fd, &queue->completion, &at.cr, XDP_UMEM_COMPLETION_RING,
		 XDP_UMEM_PGOFF_COMPLETION_RING, sizeof(uint64_t));
	map_ring(queue->fd, &queue->receive, &at.rx, XDP_RX_RING, XDP_PGOFF_RX_RING,
		 sizeof(struct xdp_desc));
	map_ring(queue->fd, &queue->transmit, &at.tx, XDP_TX_RING, XDP_PGOFF_TX_RING,
		 sizeof(struct xdp_desc));
	for (uint64_t i = 0; i < FRAMES; i++)
		put_frame(&queue->fill, i * FRAME_SIZE);
	bind_queue(queue, ifindex, number);
}

/* From here on the queue's packets come. */
static void enter_queue(const char *path, int ifindex, int number, int fd)
{
	uint32_t key = ifindex * USER_QUEUES + number;
	union bpf_attr attr = { .pathname = (uintptr_t)path };
	int map = syscall(SYS_bpf, BPF_OBJ_GET, &attr, sizeof(attr));

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = map;
	attr.key = (uintptr_t)&key;
	attr.value = (uintptr_t)&fd;
	if (map < 0 || syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr)))
		die(path);
	close(map);
}

/* Packets */

static uint32_t sum_of(const void *data, size_t length, uint32_t sum)
{
	const uint8_t *byte = data;

	for (; length > 1; length -= 2, byte += 2)
		sum += byte[0] << 8 | byte[1];
	if (length)
		sum += byte[0] << 8;
	return sum;
}

static uint16_t checksum(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

/* What is found of a datagram. */
struct datagram {
	struct ether_header *eth;
	struct iphdr *v4;
	struct ip6_hdr *v6;
	struct udphdr *udp;
	size_t length; /* from the UDP header on */
};

/* Over the datagram and its pseudo-header. */
static uint32_t sum_datagram(const struct datagram *datagram)
{
	uint32_t sum = IPPROTO_UDP + datagram->length;

	if (datagram->v4)
		sum = sum_of(&datagram->v4->saddr, 8, sum);
	else
		sum = sum_of(&datagram->v6->ip6_src, 32, sum);
	return sum_of(datagram->udp, datagram->length, sum);
}

static bool parse_ipv4(struct datagram *datagram, size_t left)
{
	struct iphdr *ip = (struct iphdr *)(datagram->eth + 1);

	if (left < sizeof(*ip) || ip->ihl != 5 || ntohs(ip->tot_len) > left ||
	    ntohs(ip->tot_len) < sizeof(*ip) || ip->protocol != IPPROTO_UDP ||
	    checksum(sum_of(ip, sizeof(*ip), 0)))
		return false;
	datagram->v4 = ip;
	datagram->udp = (struct udphdr *)(ip + 1);
	datagram->length = ntohs(ip->tot_len) - sizeof(*ip);
	return true;
}

static bool parse_ipv6(struct datagram *datagram, size_t left)
{
	struct ip6_hdr *ip = (struct ip6_hdr *)(datagram->eth + 1);

	if (left < sizeof(*ip) || ntohs(ip->ip6_plen) > left - sizeof(*ip) ||
	    ip->ip6_nxt != IPPROTO_UDP)
		return false;
	datagram->v6 = ip;
	datagram->udp = (struct udphdr *)(ip + 1);
	datagram->length = ntohs(ip->ip6_plen);
	return true;
}

/* Whether it is a datagram without a fault. One of IPv4 may have no checksum. */
static bool parse(struct datagram *datagram, uint8_t *frame, size_t length)
{
	size_t left = length - sizeof(struct ether_header);

	*datagram = (struct datagram){ .eth = (struct ether_header *)frame };
	if (length < sizeof(struct ether_header))
		return false;
	if (datagram->eth->ether_type == htons(ETHERTYPE_IP)   ? !parse_ipv4(datagram, left) :
	    datagram->eth->ether_type == htons(ETHERTYPE_IPV6) ? !parse_ipv6(datagram, left) :
								 true)
		return false;
	if (datagram->length < sizeof(*datagram->udp) ||
	    ntohs(datagram->udp->uh_ulen) != datagram->length)
		return false;
	if (datagram->v4 && !datagram->udp->uh_sum)
		return true;
	return !checksum(sum_datagram(datagram));
}

static void swap(void *a, void *b, size_t size)
{
	uint8_t kept[sizeof(struct in6_addr)];

	memcpy(kept, a, size);
	memcpy(a, b, size);
	memcpy(b, kept, size);
}

/* Back to where it came from, with the same data. */
static void turn_around(const struct datagram *datagram)
{
	swap(datagram->eth->ether_dhost, datagram->eth->ether_shost, ETH_ALEN);
	swap(&datagram->udp->uh_sport, &datagram->udp->uh_dport, sizeof(in_port_t));
	if (datagram->v4) {
		swap(&datagram->v4->saddr, &datagram->v4->daddr, sizeof(struct in_addr));
		datagram->v4->ttl = TTL;
		datagram->v4->check = 0;
		datagram->v4->check = htons(checksum(sum_of(datagram->v4, 20, 0)));
	} else {
		swap(&datagram->v6->ip6_src, &datagram->v6->ip6_dst, sizeof(struct in6_addr));
		datagram->v6->ip6_hlim = TTL;
	}
	datagram->udp->uh_sum = 0;
	datagram->udp->uh_sum = htons(checksum(sum_datagram(datagram)));
	if (!datagram->udp->uh_sum)
		datagram->udp->uh_sum = 0xffff;
}

/* A packet that came: to be sent back, or its frame to be filled again. */
static void take_packet(struct queue *queue, const struct xdp_desc *packet)
{
	struct datagram datagram;

	counts.received++;
	if (!parse(&datagram, queue->frames + packet->addr, packet->len)) {
		counts.wrong++;
	} else if (does_answer) {
		struct ring *out = &queue->transmit;

		turn_around(&datagram);
		((struct xdp_desc *)out->entries)[*out->producer % FRAMES] = *packet;
		__atomic_store_n(out->producer, *out->producer + 1, __ATOMIC_RELEASE);
		counts.answered++;
		return;
	}
	put_frame(&queue->fill, packet->addr / FRAME_SIZE * FRAME_SIZE);
}

/* Frames whose packets are sent are filled again. */
static void reuse_frames(struct queue *queue)
{
	const struct ring *sent = &queue->completion;

	for (; filled(sent); drop_first(&queue->completion))
		put_frame(&queue->fill, ((uint64_t *)sent->entries)[*sent->consumer % FRAMES]);
}

/* Has the kernel send what waits: it does some packets at a time. */
static void send_answers(struct queue *queue)
{
	struct ring *out = &queue->transmit;

	while (*out->producer != __atomic_load_n(out->consumer, __ATOMIC_ACQUIRE) && !is_over &&
	       __atomic_load_n(out->flags, __ATOMIC_ACQUIRE) & XDP_RING_NEED_WAKEUP)
		sendto(queue->fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
}

static void serve_queue(struct queue *queue)
{
	struct ring *in = &queue->receive;
	uint32_t count = filled(in);

	reuse_frames(queue);
	if (count)
		counts.last = now();
	if (!counts.first)
		counts.first = counts.last;
	for (uint32_t i = 0; i < count && i < BATCH; i++) {
		take_packet(queue, &((struct xdp_desc *)in->entries)[*in->consumer % FRAMES]);
		drop_first(in);
	}
	send_answers(queue);
	if (__atomic_load_n(queue->fill.flags, __ATOMIC_ACQUIRE) & XDP_RING_NEED_WAKEUP)
		recvfrom(queue->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

static void serve(struct queue *queues, int count)
{
	struct pollfd wait[USER_QUEUES];

	for (int i = 0; i < count; i++)
		wait[i] = (struct pollfd){ .fd = queues[i].fd, .events = POLLIN };
	while (!is_over) {
		poll(wait, count, PAUSE);
		for (int i = 0; i < count; i++)
			serve_queue(&queues[i]);
	}
}

int main(int argc, char **argv)
{
	int count = argc == 5 ? atoi(argv[4]) : 1, ifindex;
	static struct queue queues[USER_QUEUES];
	double seconds;

	if (argc < 4 || argc > 5 || count < 1 || count > USER_QUEUES) {
		fprintf(stderr, "usage: xsk answer|count MAP DEV [QUEUES]\n");
		return 2;
	}
	does_answer = !strcmp(argv[1], "answer");
	ifindex = if_nametoindex(argv[3]);
	if (!ifindex)
		die(argv[3]);
	signal(SIGINT, stop);
	signal(SIGTERM, stop);
	for (int i = 0; i < count; i++) {
		open_queue(&queues[i], ifindex, i);
		enter_queue(argv[2], ifindex, i, queues[i].fd);
	}
	printf("ready\n");
	fflush(stdout);
	serve(queues, count);
	seconds = (counts.last - counts.first) / 1e9;
	printf("received %lu wrong %lu answered %lu rate %.0f\n", counts.received, counts.wrong,
	       counts.answered, seconds > 0 ? counts.received / seconds : 0);
	return 0;
}
