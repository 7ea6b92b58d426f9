/* SPDX-License-Identifier: GPL-2.0 */
/* Packets on a link, by packet sockets of the current network namespace. */
#ifndef KERNEL_LINK_H
#define KERNEL_LINK_H

#include <stddef.h>
#include <netinet/ip6.h>

#include "kernel/netlink.h"

/* Both families at once: ARP or IPv4, and IPv6. */
#define LINK_SOCKETS 2

/* What was received: an IP or ARP packet, and the MAC that its frame came from. */
struct link_packet {
	int protocol; /* ETH_P_* */
	const void *data;
	size_t length;
	const __u8 *mac;
};

/* Opens a socket for what comes in by the device. Returns it, or -errno. */
int link_open(const struct device *device, int protocol);
int link_send(int fd, const struct device *device, int protocol, const __u8 *mac,
	      const void *packet, size_t length);

/* Calls `receive` for each packet until the time is over; of 0 ms: for those that have come. */
void link_receive(const int fds[LINK_SOCKETS], unsigned int milliseconds,
		  void (*receive)(const struct link_packet *packet, void *argument),
		  void *argument);

/* The internet checksum of `length` bytes, an even number. */
__u16 internet_checksum(const void *data, size_t length, __u32 sum);
/* The same of an ICMPv6 packet, whose header follows the IPv6 header. */
__u16 icmp6_checksum(const struct ip6_hdr *packet, size_t length);

#endif
