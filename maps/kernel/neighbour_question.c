// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <string.h>

#include "kernel/neighbour_question.h"
#include "lib/address.h"

static int ask_arp(int fd, const struct device *device, const struct address *address,
		   const __u8 *to)
{
	static const __u8 broadcast[ETH_ALEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct ether_arp question = { .ea_hdr = {
					      .ar_hrd = htons(ARPHRD_ETHER),
					      .ar_pro = htons(ETH_P_IP),
					      .ar_hln = ETH_ALEN,
					      .ar_pln = 4,
					      .ar_op = htons(ARPOP_REQUEST),
				      } };

	memcpy(question.arp_sha, device->mac, ETH_ALEN);
	memcpy(question.arp_tpa, &address->word[3], 4);
	return link_send(fd, device, ETH_P_ARP, to ? to : broadcast, &question, sizeof(question));
}

static int ask_nd(int fd, const struct device *device, const struct address *address,
		  const __u8 *to)
{
	struct {
		struct ip6_hdr ip;
		struct nd_neighbor_solicit question;
	} packet = {
		.ip = { .ip6_flow = htonl(6 << 28),
			.ip6_plen = htons(sizeof(packet.question)),
			.ip6_nxt = IPPROTO_ICMPV6,
			.ip6_hlim = 255 },
		.question = { .nd_ns_type = ND_NEIGHBOR_SOLICIT },
	};
	__u8 mac[ETH_ALEN] = { 0x33, 0x33, 0xff };
	__u8 *group = packet.ip.ip6_dst.s6_addr;

	memcpy(&packet.question.nd_ns_target, address, sizeof(*address));
	inet_pton(AF_INET6, "ff02::1:ff00:0", group);
	memcpy(group + 13, (const __u8 *)address + 13, 3);
	memcpy(mac + 3, group + 13, 3);
	packet.question.nd_ns_cksum = icmp6_checksum(&packet.ip, sizeof(packet));
	return link_send(fd, device, ETH_P_IPV6, to ? to : mac, &packet, sizeof(packet));
}

int ask_neighbour(int fd, const struct device *device, const struct address *address,
		  const __u8 *to)
{
	return is_ipv4(address) ? ask_arp(fd, device, address, to) :
				  ask_nd(fd, device, address, to);
}
