// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <string.h>
#include <unistd.h>

#include "doctor/address_probe.h"
#include "kernel/neighbour_question.h"
#include "lib/address.h"

#define PATIENCE_MS 500 /* an answer takes as long as the link does */
#define BATCH 64 /* questions before answers are read: a socket's buffer holds few */

struct claims {
	struct address_claim *claim;
	unsigned int count;
};

static void note_claim(struct claims *claims, const struct address *address, const __u8 *mac)
{
	for (unsigned int i = 0; i < claims->count; i++) {
		if (!same_address(&claims->claim[i].address, address))
			continue;
		claims->claim[i].is_claimed = true;
		memcpy(claims->claim[i].mac, mac, ETH_ALEN);
	}
}

static void receive_arp(const struct link_packet *packet, struct claims *claims)
{
	const struct ether_arp *answer = packet->data;
	struct address address = { .word[2] = htonl(0xffff) };

	if (packet->length < sizeof(*answer) || answer->ea_hdr.ar_op != htons(ARPOP_REPLY))
		return;
	memcpy(&address.word[3], answer->arp_spa, 4);
	note_claim(claims, &address, answer->arp_sha);
}

/* The MAC is what the frame came from: an advertisement need not have it. */
static void receive_nd(const struct link_packet *packet, struct claims *claims)
{
	const struct {
		struct ip6_hdr ip;
		struct nd_neighbor_advert advert;
	} *answer = packet->data;
	struct address address;

	if (packet->length < sizeof(*answer) || answer->ip.ip6_nxt != IPPROTO_ICMPV6 ||
	    answer->advert.nd_na_type != ND_NEIGHBOR_ADVERT)
		return;
	memcpy(&address, &answer->advert.nd_na_target, sizeof(address));
	note_claim(claims, &address, packet->mac);
}

static void receive_answer(const struct link_packet *packet, void *argument)
{
	if (packet->protocol == ETH_P_ARP)
		receive_arp(packet, argument);
	else
		receive_nd(packet, argument);
}

int find_claims(const struct device *device, struct address_claim *list, unsigned int count)
{
	int fds[] = { link_open(device, ETH_P_ARP), link_open(device, ETH_P_IPV6) };
	int result = fds[0] < 0 ? fds[0] : fds[1] < 0 ? fds[1] : 0;
	struct claims claims = { list, count };

	for (unsigned int i = 0; i < count && !result; i++) {
		const struct address *address = &list[i].address;

		result = ask_neighbour(fds[is_ipv4(address) ? 0 : 1], device, address, NULL);
		if (i % BATCH == BATCH - 1)
			link_receive(fds, 0, receive_answer, &claims);
	}
	if (!result)
		link_receive(fds, PATIENCE_MS, receive_answer, &claims);
	for (int i = 0; i < LINK_SOCKETS; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	return result;
}
