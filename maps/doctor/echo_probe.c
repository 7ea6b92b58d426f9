// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <unistd.h>

#include "doctor/echo_probe.h"
#include "kernel/link.h"
#include "lib/address.h"

#define PATIENCE_MS 500
#define BATCH 64
#define HOPS 4 /* to the backend and back, over a router if need be; then it ends */

/* Behind the ICMP header: tells our pings, and which one it is. */
struct mark {
	__u32 pid, number;
};

struct ping4 {
	struct iphdr ip;
	struct icmphdr icmp;
	struct mark mark;
};

struct ping6 {
	struct ip6_hdr ip;
	struct icmp6_hdr icmp;
	struct mark mark;
};

struct probes {
	struct echo_probe *probe;
	unsigned int count;
};

static int send_ping4(int fd, const struct device *device, const struct echo_probe *probe,
		      __u32 number)
{
	struct ping4 ping = {
		.ip = { .version = 4,
			.ihl = sizeof(ping.ip) / 4,
			.tot_len = htons(sizeof(ping)),
			.ttl = HOPS,
			.protocol = IPPROTO_ICMP,
			.saddr = probe->from.word[3],
			.daddr = probe->to.word[3] },
		.icmp.type = ICMP_ECHO,
		.mark = { getpid(), number },
	};

	ping.ip.check = internet_checksum(&ping.ip, sizeof(ping.ip), 0);
	ping.icmp.checksum = internet_checksum(&ping.icmp, sizeof(ping) - sizeof(ping.ip), 0);
	return link_send(fd, device, ETH_P_IP, probe->mac, &ping, sizeof(ping));
}

static int send_ping6(int fd, const struct device *device, const struct echo_probe *probe,
		      __u32 number)
{
	struct ping6 ping = {
		.ip = { .ip6_flow = htonl(6 << 28),
			.ip6_plen = htons(sizeof(ping) - sizeof(ping.ip)),
			.ip6_nxt = IPPROTO_ICMPV6,
			.ip6_hlim = HOPS },
		.icmp.icmp6_type = ICMP6_ECHO_REQUEST,
		.mark = { getpid(), number },
	};

	memcpy(&ping.ip.ip6_src, &probe->from, sizeof(probe->from));
	memcpy(&ping.ip.ip6_dst, &probe->to, sizeof(probe->to));
	ping.icmp.icmp6_cksum = icmp6_checksum(&ping.ip, sizeof(ping));
	return link_send(fd, device, ETH_P_IPV6, probe->mac, &ping, sizeof(ping));
}

/* The mark of a ping, which is a request still; NULL: it is none. */
static const struct mark *find_mark(const struct link_packet *packet)
{
	const struct ping4 *v4 = packet->data;
	const struct ping6 *v6 = packet->data;

	if (packet->protocol == ETH_P_IP && packet->length >= sizeof(*v4) &&
	    v4->ip.ihl == sizeof(v4->ip) / 4 && v4->ip.protocol == IPPROTO_ICMP &&
	    v4->icmp.type == ICMP_ECHO)
		return &v4->mark;
	if (packet->protocol == ETH_P_IPV6 && packet->length >= sizeof(*v6) &&
	    v6->ip.ip6_nxt == IPPROTO_ICMPV6 && v6->icmp.icmp6_type == ICMP6_ECHO_REQUEST)
		return &v6->mark;
	return NULL;
}

static void receive_ping(const struct link_packet *packet, void *argument)
{
	const struct mark *mark = find_mark(packet);
	struct probes *probes = argument;

	if (mark && mark->pid == (__u32)getpid() && mark->number < probes->count)
		probes->probe[mark->number].is_returned = true;
}

int run_echo_probes(const struct device *device, struct echo_probe *list, unsigned int count)
{
	int fds[] = { link_open(device, ETH_P_IP), link_open(device, ETH_P_IPV6) };
	int result = fds[0] < 0 ? fds[0] : fds[1] < 0 ? fds[1] : 0;
	struct probes probes = { list, count };

	for (unsigned int i = 0; i < count && !result; i++) {
		result = is_ipv4(&list[i].to) ? send_ping4(fds[0], device, &list[i], i) :
						send_ping6(fds[1], device, &list[i], i);
		if (i % BATCH == BATCH - 1)
			link_receive(fds, 0, receive_ping, &probes);
	}
	if (!result)
		link_receive(fds, PATIENCE_MS, receive_ping, &probes);
	for (int i = 0; i < LINK_SOCKETS; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	return result;
}
