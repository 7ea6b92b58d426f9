// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip6.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <linux/if_packet.h>

#include "doctor/address_probe.h"
#include "lib/address.h"

#define PATIENCE_MS 500 /* an answer takes as long as the link does */

struct solicitation {
	struct ip6_hdr ip;
	struct nd_neighbor_solicit ask;
};

static int open_packets(const struct device *device, int protocol)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = device->ifindex,
	};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		fd = -1;
	}
	return fd < 0 ? -errno : fd;
}

static int send_packet(int fd, const struct device *device, int protocol, const __u8 *mac,
		       const void *packet, size_t length)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = device->ifindex,
		.sll_halen = ETH_ALEN,
	};

	memcpy(to.sll_addr, mac, ETH_ALEN);
	return sendto(fd, packet, length, 0, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

static int ask_arp(int fd, const struct device *device, const struct address *address)
{
	static const __u8 everybody[ETH_ALEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct ether_arp ask = { .ea_hdr = {
					 .ar_hrd = htons(ARPHRD_ETHER),
					 .ar_pro = htons(ETH_P_IP),
					 .ar_hln = ETH_ALEN,
					 .ar_pln = 4,
					 .ar_op = htons(ARPOP_REQUEST),
				 } };

	memcpy(ask.arp_sha, device->mac, ETH_ALEN);
	memcpy(ask.arp_tpa, &address->word[3], 4);
	return send_packet(fd, device, ETH_P_ARP, everybody, &ask, sizeof(ask));
}

static __u16 checksum(const struct solicitation *packet)
{
	const __u16 *word = (const __u16 *)&packet->ip.ip6_src;
	__u32 sum = htons(sizeof(packet->ask)) + htons(IPPROTO_ICMPV6);

	for (size_t i = 0; i < (32 + sizeof(packet->ask)) / 2; i++)
		sum += word[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

static int ask_nd(int fd, const struct device *device, const struct address *address)
{
	struct solicitation packet = {
		.ip = { .ip6_flow = htonl(6 << 28),
			.ip6_plen = htons(sizeof(packet.ask)),
			.ip6_nxt = IPPROTO_ICMPV6,
			.ip6_hlim = 255 },
		.ask = { .nd_ns_type = ND_NEIGHBOR_SOLICIT },
	};
	__u8 mac[ETH_ALEN] = { 0x33, 0x33, 0xff };
	__u8 *group = packet.ip.ip6_dst.s6_addr;

	memcpy(&packet.ask.nd_ns_target, address, sizeof(*address));
	inet_pton(AF_INET6, "ff02::1:ff00:0", group);
	memcpy(group + 13, (const __u8 *)address + 13, 3);
	memcpy(mac + 3, group + 13, 3);
	packet.ask.nd_ns_cksum = checksum(&packet);
	return send_packet(fd, device, ETH_P_IPV6, mac, &packet, sizeof(packet));
}

static void note_owner(struct owner *owners, unsigned int count, const struct address *address,
		       const __u8 *mac)
{
	for (unsigned int i = 0; i < count; i++) {
		if (!same_address(&owners[i].address, address))
			continue;
		owners[i].is_there = true;
		memcpy(owners[i].mac, mac, ETH_ALEN);
	}
}

static void hear_arp(const void *packet, size_t length, struct owner *owners, unsigned int count)
{
	const struct ether_arp *answer = packet;
	struct address address = { .word[2] = htonl(0xffff) };

	if (length < sizeof(*answer) || answer->ea_hdr.ar_op != htons(ARPOP_REPLY))
		return;
	memcpy(&address.word[3], answer->arp_spa, 4);
	note_owner(owners, count, &address, answer->arp_sha);
}

/* The MAC is what the frame came from: an advertisement need not have it. */
static void hear_nd(const void *packet, size_t length, const __u8 *mac, struct owner *owners,
		    unsigned int count)
{
	const struct {
		struct ip6_hdr ip;
		struct nd_neighbor_advert say;
	} *answer = packet;
	struct address address;

	if (length < sizeof(*answer) || answer->ip.ip6_nxt != IPPROTO_ICMPV6 ||
	    answer->say.nd_na_type != ND_NEIGHBOR_ADVERT)
		return;
	memcpy(&address, &answer->say.nd_na_target, sizeof(address));
	note_owner(owners, count, &address, mac);
}

/* Reads what has come. Frames of this host are not heard. */
static void hear(int fd, struct owner *owners, unsigned int count)
{
	__u8 packet[128] __attribute__((aligned(4)));
	struct sockaddr_ll from;
	socklen_t size = sizeof(from);
	ssize_t length;

	while ((length = recvfrom(fd, packet, sizeof(packet), 0, (struct sockaddr *)&from,
				  &size)) >= 0) {
		size = sizeof(from);
		if (from.sll_pkttype == PACKET_OUTGOING)
			continue;
		if (from.sll_protocol == htons(ETH_P_ARP))
			hear_arp(packet, length, owners, count);
		else
			hear_nd(packet, length, from.sll_addr, owners, count);
	}
}

static long milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Listens on both sockets until the time is over. */
static void await_answers(const int *fds, struct owner *owners, unsigned int count)
{
	struct pollfd poll_fds[2] = { { fds[0], POLLIN, 0 }, { fds[1], POLLIN, 0 } };
	long end = milliseconds() + PATIENCE_MS, left;

	while ((left = end - milliseconds()) > 0) {
		if (poll(poll_fds, 2, left) < 0 && errno != EINTR)
			return;
		hear(fds[0], owners, count);
		hear(fds[1], owners, count);
	}
}

int find_owners(const struct device *device, struct owner *owners, unsigned int count)
{
	int fds[2] = { open_packets(device, ETH_P_ARP), open_packets(device, ETH_P_IPV6) };
	int result = fds[0] < 0 ? fds[0] : fds[1] < 0 ? fds[1] : 0;

	for (unsigned int i = 0; i < count && !result; i++) {
		const struct address *address = &owners[i].address;

		result = is_ipv4(address) ? ask_arp(fds[0], device, address) :
					    ask_nd(fds[1], device, address);
		if (i % 64 == 63)
			hear(fds[0], owners, count);
	}
	if (!result)
		await_answers(fds, owners, count);
	for (int i = 0; i < 2; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	return result;
}
