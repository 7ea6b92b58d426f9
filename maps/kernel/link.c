// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if_packet.h>

#include "kernel/link.h"
#include "lib/clock.h"

int link_open(const struct device *device, int protocol)
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

int link_send(int fd, const struct device *device, int protocol, const __u8 *mac,
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

/* Reads what has come. Frames that this host sent are skipped. */
static void read_packets(int fd, void (*receive)(const struct link_packet *packet, void *argument),
			 void *argument)
{
	__u8 data[128] __attribute__((aligned(4)));
	struct sockaddr_ll from;
	socklen_t size = sizeof(from);
	ssize_t length;

	while ((length = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &size)) >=
	       0) {
		struct link_packet packet = { ntohs(from.sll_protocol), data, length,
					      from.sll_addr };

		size = sizeof(from);
		if (from.sll_pkttype != PACKET_OUTGOING)
			receive(&packet, argument);
	}
}

void link_receive(const int fds[LINK_SOCKETS], unsigned int milliseconds,
		  void (*receive)(const struct link_packet *packet, void *argument), void *argument)
{
	struct pollfd poll_fds[LINK_SOCKETS] = { { fds[0], POLLIN, 0 }, { fds[1], POLLIN, 0 } };
	long end = nanosecond_now() / 1000000 + milliseconds, left;

	do {
		left = end - (long)(nanosecond_now() / 1000000);
		if (poll(poll_fds, LINK_SOCKETS, left > 0 ? left : 0) < 0 && errno != EINTR)
			return;
		for (int i = 0; i < LINK_SOCKETS; i++)
			read_packets(fds[i], receive, argument);
	} while (left > 0);
}

__u16 internet_checksum(const void *data, size_t length, __u32 sum)
{
	const __u8 *byte = data;
	__u16 word;

	for (size_t i = 0; i + sizeof(word) <= length; i += sizeof(word)) {
		memcpy(&word, byte + i, sizeof(word));
		sum += word;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

__u16 icmp6_checksum(const struct ip6_hdr *packet, size_t length)
{
	size_t addresses = 2 * sizeof(packet->ip6_src), payload = length - sizeof(*packet);

	return internet_checksum(&packet->ip6_src, addresses + payload,
				 htons(payload) + htons(IPPROTO_ICMPV6));
}
