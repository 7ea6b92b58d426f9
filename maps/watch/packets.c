// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE /* unshare, setns */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/if_packet.h>

#include "kernel/link.h"
#include "lib/text.h"
#include "model/check_address.h"
#include "model/next_hop.h"
#include "watch/http.h"
#include "watch/packets.h"

#define FIRST_PORT 0xf000 /* above those that the kernel gives away; up to 65535 */
#define PORTS 0x1000
#define MOST_PACKET 1500
#define HOPS 64 /* to a backend, by a tunnel: routers may be between */
/* Who has the VIP takes it. Who forwards instead would send it back here, and another backend would
 * answer. */
#define HOPS_TO_VIP 1
#define WINDOW 65535
#define MACVLAN "xdp-lb-watch"

/* Sockets that checks are sent and answered by. */
struct wire {
	struct io ip, ip6, arp; /* fd -1: not open */
	int ifindex; /* to send by; 0: that of the backend's next hop */
	struct address from[2]; /* IPv4, IPv6; zero: none */
	__u8 mac[ETH_ALEN]; /* that answers for `from` */
};

static struct wire host = { .ip.fd = -1, .ip6.fd = -1, .arp.fd = -1 };
static struct wire own = { .ip.fd = -1, .ip6.fd = -1, .arp.fd = -1 }; /* the macvlan */
static struct attempt *by_port[PORTS];
static int device_of_balancer;

/* A TCP segment with what is in front of it, as it is built. */
struct draft {
	__u8 bytes[MOST_PACKET];
	size_t length;
};

static int family_of(const struct address *address)
{
	return is_ipv4(address) ? 0 : 1;
}

static const struct wire *wire_of(const struct target *target)
{
	int family = family_of(&target->at.address);

	if (!is_zero_address(&own.from[family]) && own.ip.fd >= 0)
		return &own;
	if (target->check.type == CHECK_TCP && !is_zero_address(&host.from[family]) &&
	    host.ip.fd >= 0)
		return &host;
	return NULL;
}

bool can_send_packets(const struct target *target)
{
	return wire_of(target);
}

static __u32 sum_of(const void *data, size_t length)
{
	const __u8 *byte = data;
	__u32 sum = 0;

	for (size_t i = 0; i < length; i++)
		sum += i % 2 ? byte[i] : byte[i] << 8;
	return sum;
}

static __u16 fold(__u32 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

static void *extend(struct draft *draft, size_t size)
{
	void *at = draft->bytes + draft->length;

	memset(at, 0, size);
	draft->length += size;
	return at;
}

/* An IP header in front of `payload` bytes. */
static void add_ip(struct draft *draft, const struct address *from, const struct address *to,
		   __u8 protocol, __u8 hops, size_t payload)
{
	if (is_ipv4(to)) {
		struct iphdr *ip = extend(draft, sizeof(*ip));

		*ip = (struct iphdr){
			.version = 4,
			.ihl = sizeof(*ip) / 4,
			.tot_len = htons(sizeof(*ip) + payload),
			.frag_off = htons(IP_DF),
			.ttl = hops,
			.protocol = protocol,
			.saddr = from->word[3],
			.daddr = to->word[3],
		};
		ip->check = fold(sum_of(ip, sizeof(*ip)));
	} else {
		struct ip6_hdr *ip = extend(draft, sizeof(*ip));

		ip->ip6_flow = htonl(6 << 28);
		ip->ip6_plen = htons(payload);
		ip->ip6_nxt = protocol;
		ip->ip6_hlim = hops;
		memcpy(&ip->ip6_src, from, sizeof(*from));
		memcpy(&ip->ip6_dst, to, sizeof(*to));
	}
}

/* Where tunnelled packets say that they are from, as in the data path. */
static struct address tunnel_source(const struct address *to)
{
	struct address from = { .word[0] = htonl(0x01000000), .word[3] = htonl(1) };

	if (is_ipv4(to))
		from = (struct address){ .word[2] = htonl(0xffff), .word[3] = htonl(0xac100001) };
	return from;
}

static size_t ip_size(const struct address *address)
{
	return is_ipv4(address) ? sizeof(struct iphdr) : sizeof(struct ip6_hdr);
}

static void add_tunnel(struct draft *draft, const struct target *target, size_t payload)
{
	struct address from = tunnel_source(&target->real.address);

	add_ip(draft, &from, &target->real.address,
	       is_ipv4(&target->at.address) ? IPPROTO_IPIP : IPPROTO_IPV6, HOPS,
	       ip_size(&target->at.address) + payload);
}

/* What a segment says. */
struct segment {
	__u32 sequence, acknowledged;
	bool is_syn, is_reset, is_ack;
	const void *data;
	size_t length;
};

static void add_tcp(struct draft *draft, const struct attempt *attempt, const struct address *from,
		    const struct segment *segment)
{
	const struct endpoint *to = &attempt->target->at;
	size_t size = sizeof(struct tcphdr) + segment->length;
	struct tcphdr *tcp = extend(draft, size);
	__u32 sum = IPPROTO_TCP + size;

	tcp->source = htons(attempt->port);
	tcp->dest = to->port;
	tcp->seq = htonl(segment->sequence);
	tcp->ack_seq = htonl(segment->acknowledged);
	tcp->doff = sizeof(*tcp) / 4;
	tcp->syn = segment->is_syn;
	tcp->rst = segment->is_reset;
	tcp->ack = segment->is_ack;
	tcp->psh = segment->length > 0;
	tcp->window = htons(WINDOW);
	if (segment->length)
		memcpy(tcp + 1, segment->data, segment->length);
	/* An IPv4 address as ::ffff:a.b.c.d: both have ffff, which is 0 in a sum. */
	sum += sum_of(from, sizeof(*from)) + sum_of(&to->address, sizeof(to->address));
	tcp->check = fold(sum + sum_of(tcp, size));
}

static int send_segment(const struct attempt *attempt, const struct segment *segment)
{
	const struct target *target = attempt->target;
	const struct wire *wire = wire_of(target);
	size_t size = sizeof(struct tcphdr) + segment->length;
	struct draft draft = { .length = 0 };
	struct device device = { 0 };
	bool outer4 = is_ipv4(&target->at.address);
	const struct address *from;

	if (!wire)
		return -EADDRNOTAVAIL;
	from = &wire->from[family_of(&target->at.address)];
	if (target->mode == MODE_IPIP) {
		add_tunnel(&draft, target, size);
		outer4 = is_ipv4(&target->real.address);
	}
	add_ip(&draft, from, &target->at.address, IPPROTO_TCP, HOPS_TO_VIP, size);
	add_tcp(&draft, attempt, from, segment);
	device.ifindex = wire->ifindex	     ? wire->ifindex :
			 target->hop.ifindex ? (int)target->hop.ifindex :
					       device_of_balancer;
	return link_send(outer4 ? wire->ip.fd : wire->ip6.fd, &device,
			 outer4 ? ETH_P_IP : ETH_P_IPV6, target->hop.mac, draft.bytes,
			 draft.length);
}

void start_packets(struct attempt *attempt)
{
	static unsigned int turn;
	int result;

	attempt->port = 0;
	for (int i = 0; i < PORTS && !attempt->port; i++) {
		if (!by_port[++turn % PORTS])
			attempt->port = FIRST_PORT + turn % PORTS;
	}
	if (!attempt->port) {
		attempt->end(attempt, "too many checks at a time");
		return;
	}
	by_port[attempt->port - FIRST_PORT] = attempt;
	if (!is_resolved(&attempt->target->hop)) {
		attempt->end(attempt, "its next hop is not known");
		return;
	}
	if (getrandom(&attempt->sequence, sizeof(attempt->sequence), GRND_NONBLOCK) < 0)
		attempt->sequence = turn;
	result = send_segment(attempt,
			      &(struct segment){ .sequence = attempt->sequence, .is_syn = true });
	if (result)
		attempt->end(attempt, strerror(-result));
}

void drop_packets(struct attempt *attempt)
{
	if (attempt->port)
		by_port[attempt->port - FIRST_PORT] = NULL;
}

/* Takes leave of the backend, which then forgets the connection. */
static void reset(const struct attempt *attempt, __u32 sequence)
{
	send_segment(attempt, &(struct segment){ .sequence = sequence, .is_reset = true });
}

static void send_request(struct attempt *attempt)
{
	char request[HTTP_REQUEST_SIZE];
	size_t length = http_request(attempt->target, request);
	struct segment segment = {
		.sequence = attempt->sequence,
		.acknowledged = attempt->expected,
		.is_ack = true,
		.data = request,
		.length = length,
	};
	int result = send_segment(attempt, &segment);

	attempt->is_sent = true;
	attempt->sequence += length;
	if (result)
		attempt->end(attempt, strerror(-result));
}

static void receive_syn_ack(struct attempt *attempt, const struct tcphdr *tcp)
{
	attempt->sequence++;
	attempt->expected = ntohl(tcp->seq) + 1;
	if (attempt->target->check.type == CHECK_HTTP) {
		send_request(attempt);
		return;
	}
	reset(attempt, attempt->sequence);
	attempt->end(attempt, NULL);
}

static void receive_data(struct attempt *attempt, const struct tcphdr *tcp, size_t length)
{
	size_t header = tcp->doff * 4, room = sizeof(attempt->answer) - attempt->received;
	size_t data = length > header ? length - header : 0, taken = data < room ? data : room;

	if (ntohl(tcp->seq) != attempt->expected || (!data && !tcp->fin))
		return;
	memcpy(attempt->answer + attempt->received, (const __u8 *)tcp + header, taken);
	attempt->received += taken;
	attempt->expected += data;
	if (!tcp->fin && attempt->received < HTTP_STATUS_END) {
		send_segment(attempt, &(struct segment){ .sequence = attempt->sequence,
							 .acknowledged = attempt->expected,
							 .is_ack = true });
		return;
	}
	reset(attempt, attempt->sequence);
	attempt->end(attempt,
		     http_fault(&attempt->target->check, attempt->answer, attempt->received));
}

/* What does not acknowledge our SYN is no answer to it. */
static void receive_first(struct attempt *attempt, const struct tcphdr *tcp)
{
	if (!tcp->ack || ntohl(tcp->ack_seq) != attempt->sequence + 1)
		return;
	if (tcp->rst)
		attempt->end(attempt, "Connection refused");
	else if (tcp->syn)
		receive_syn_ack(attempt, tcp);
}

/* A reset counts where it is expected only (RFC 5961); it may come without ACK. */
static void receive_later(struct attempt *attempt, const struct tcphdr *tcp, size_t length)
{
	if (!tcp->rst)
		receive_data(attempt, tcp, length);
	else if (ntohl(tcp->seq) == attempt->expected)
		attempt->end(attempt, "reset by the backend");
}

static void receive_tcp(const struct address *from, const void *data, size_t length)
{
	const struct tcphdr *tcp = data;
	struct attempt *attempt;

	if (length < sizeof(*tcp) || ntohs(tcp->dest) < FIRST_PORT)
		return;
	attempt = by_port[ntohs(tcp->dest) - FIRST_PORT];
	if (!attempt || !same_address(from, &attempt->target->at.address) ||
	    tcp->source != attempt->target->at.port)
		return;
	if (attempt->is_sent)
		receive_later(attempt, tcp, length);
	else
		receive_first(attempt, tcp);
}

static void answer_arp(const struct ether_arp *question)
{
	struct ether_arp answer = *question;
	const struct device device = { .ifindex = own.ifindex };

	if (question->ea_hdr.ar_op != htons(ARPOP_REQUEST) || is_zero_address(&own.from[0]) ||
	    memcmp(question->arp_tpa, &own.from[0].word[3], 4) != 0)
		return;
	answer.ea_hdr.ar_op = htons(ARPOP_REPLY);
	memcpy(answer.arp_tha, question->arp_sha, ETH_ALEN);
	memcpy(answer.arp_tpa, question->arp_spa, 4);
	memcpy(answer.arp_sha, own.mac, ETH_ALEN);
	memcpy(answer.arp_spa, &own.from[0].word[3], 4);
	link_send(own.arp.fd, &device, ETH_P_ARP, question->arp_sha, &answer, sizeof(answer));
}

struct solicitation {
	struct ip6_hdr ip;
	struct nd_neighbor_solicit question;
};

static void answer_nd(const struct solicitation *heard, size_t length, const __u8 *mac)
{
	struct {
		struct ip6_hdr ip;
		struct nd_neighbor_advert advert;
		struct nd_opt_hdr option;
		__u8 mac[ETH_ALEN];
	} answer = {
		.ip = { .ip6_flow = htonl(6 << 28),
			.ip6_plen = htons(sizeof(answer) - sizeof(answer.ip)),
			.ip6_nxt = IPPROTO_ICMPV6,
			.ip6_hlim = 255,
			.ip6_dst = heard->ip.ip6_src },
		.advert.nd_na_type = ND_NEIGHBOR_ADVERT,
		.advert.nd_na_flags_reserved = ND_NA_FLAG_SOLICITED | ND_NA_FLAG_OVERRIDE,
		.advert.nd_na_target = heard->question.nd_ns_target,
		.option = { ND_OPT_TARGET_LINKADDR, 1 },
	};
	const struct device device = { .ifindex = own.ifindex };

	if (length < sizeof(*heard) || heard->question.nd_ns_type != ND_NEIGHBOR_SOLICIT ||
	    is_zero_address(&own.from[1]) || heard->ip.ip6_hlim != 255 ||
	    memcmp(&heard->question.nd_ns_target, &own.from[1], sizeof(own.from[1])) != 0 ||
	    IN6_IS_ADDR_UNSPECIFIED(&heard->ip.ip6_src))
		return;
	memcpy(&answer.ip.ip6_src, &own.from[1], sizeof(own.from[1]));
	memcpy(answer.mac, own.mac, ETH_ALEN);
	answer.advert.nd_na_cksum = icmp6_checksum(&answer.ip, sizeof(answer));
	link_send(own.ip6.fd, &device, ETH_P_IPV6, mac, &answer, sizeof(answer));
}

static void receive_ip4(const void *packet, size_t length)
{
	struct address from = { .word[2] = htonl(0xffff) };
	const struct iphdr *ip = packet;
	size_t header = ip->ihl * 4, total = ntohs(ip->tot_len);

	if (length < sizeof(*ip) || ip->protocol != IPPROTO_TCP || total > length || total < header)
		return;
	from.word[3] = ip->saddr;
	receive_tcp(&from, (const __u8 *)packet + header, total - header);
}

static void receive_ip6(const void *packet, size_t length, const __u8 *mac)
{
	const struct ip6_hdr *ip = packet;
	struct address from;

	if (length < sizeof(*ip))
		return;
	memcpy(&from, &ip->ip6_src, sizeof(from));
	if (ip->ip6_nxt == IPPROTO_ICMPV6)
		answer_nd(packet, length, mac);
	else if (ip->ip6_nxt == IPPROTO_TCP && ntohs(ip->ip6_plen) <= length - sizeof(*ip))
		receive_tcp(&from, ip + 1, ntohs(ip->ip6_plen));
}

static void wire_ready(struct io *io, __u32 events)
{
	__u8 packet[MOST_PACKET] __attribute__((aligned(8)));
	struct sockaddr_ll from = { 0 };
	socklen_t size = sizeof(from);
	ssize_t length;

	(void)events;
	while ((length = recvfrom(io->fd, packet, sizeof(packet), 0, (struct sockaddr *)&from,
				  &size)) >= 0) {
		size = sizeof(from);
		if (from.sll_pkttype == PACKET_OUTGOING)
			continue;
		if (from.sll_protocol == htons(ETH_P_IP))
			receive_ip4(packet, length);
		else if (from.sll_protocol == htons(ETH_P_IPV6))
			receive_ip6(packet, length, from.sll_addr);
		else if (length >= (ssize_t)sizeof(struct ether_arp))
			answer_arp((const void *)packet);
	}
}

/* Lets through TCP to our ports alone. */
static int filter_tcp(int fd, bool ipv4)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ipv4 ? offsetof(struct iphdr, protocol) :
							  offsetof(struct ip6_hdr, ip6_nxt)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 5),
		ipv4 ? (struct sock_filter)BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0) :
		       (struct sock_filter)BPF_STMT(BPF_LDX | BPF_W | BPF_IMM,
						    sizeof(struct ip6_hdr)),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, offsetof(struct tcphdr, dest)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FIRST_PORT, 0, 2),
		BPF_STMT(BPF_RET | BPF_K, MOST_PACKET),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog filter = { sizeof(program) / sizeof(*program), program };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) ? -errno : 0;
}

static int open_socket(struct io *io, int ifindex, int protocol)
{
	const struct device device = { .ifindex = ifindex };

	io->fd = link_open(&device, protocol);
	io->ready = wire_ready;
	return io->fd < 0 ? io->fd : loop_add(io, EPOLLIN);
}

static void close_wire(struct wire *wire)
{
	struct io *all[] = { &wire->ip, &wire->ip6, &wire->arp, NULL };

	for (unsigned int i = 0; all[i]; i++) {
		if (all[i]->fd < 0)
			continue;
		loop_remove(all[i]);
		close(all[i]->fd);
		all[i]->fd = -1;
	}
}

static int open_host(void)
{
	int result = open_socket(&host.ip, 0, ETH_P_IP);

	if (!result)
		result = open_socket(&host.ip6, 0, ETH_P_IPV6);
	if (!result)
		result = filter_tcp(host.ip.fd, true);
	return result ? result : filter_tcp(host.ip6.fd, false);
}

/* Has the device take frames to any group: those of ND. */
static int join_all(int fd, int ifindex)
{
	struct packet_mreq request = { .mr_ifindex = ifindex, .mr_type = PACKET_MR_ALLMULTI };

	return setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof(request)) ?
		       -errno :
		       0;
}

/* In the namespace of the macvlan. */
static int open_own(void)
{
	const struct device *device = NULL;
	struct device *devices = NULL;
	int netlink = netlink_open(), count, result;

	if (netlink < 0)
		return netlink;
	own.ifindex = if_nametoindex(MACVLAN);
	result = netlink_set_up(netlink, own.ifindex);
	count = netlink_devices(netlink, &devices);
	device = find_device(devices, count, own.ifindex);
	if (device)
		memcpy(own.mac, device->mac, ETH_ALEN);
	free(devices);
	close(netlink);
	if (result || !device)
		return result ? result : -ENODEV;
	result = open_socket(&own.arp, own.ifindex, ETH_P_ARP);
	if (!result)
		result = open_socket(&own.ip, own.ifindex, ETH_P_IP);
	if (!result)
		result = open_socket(&own.ip6, own.ifindex, ETH_P_IPV6);
	return result ? result : join_all(own.ip6.fd, own.ifindex);
}

/* A macvlan on the device whose link the address is on, in a namespace that our sockets alone
 * hold. */
static int make_own(const struct address *from)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), netlink = netlink_open();
	struct route route = { 0 };
	int result = home < 0 || netlink < 0 ? -EMFILE : netlink_route(netlink, from, &route);
	int apart;

	if (!result && unshare(CLONE_NEWNET))
		result = -errno;
	apart = result ? -1 : open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (apart >= 0) {
		setns(home, CLONE_NEWNET);
		result = netlink_add_macvlan(netlink, MACVLAN, route.ifindex, apart);
		if (!result && !setns(apart, CLONE_NEWNET))
			result = open_own();
		setns(home, CLONE_NEWNET);
		close(apart);
	}
	if (home >= 0)
		close(home);
	if (netlink >= 0)
		close(netlink);
	return result;
}

static void open_wires(struct watch *watch)
{
	const struct request *request = watch->request;
	int result = open_host();

	if (result)
		warn("cannot check by packets: %s", strerror(-result));
	if (!request->from_count)
		return;
	memset(own.from, 0, sizeof(own.from));
	for (unsigned int i = 0; i < request->from_count; i++)
		own.from[family_of(&request->from[i])] = request->from[i];
	result = make_own(&request->from[0]);
	if (!result)
		return;
	warn("cannot check from %s: %s", text_of_address(&request->from[0]).s, strerror(-result));
	close_wire(&own);
}

static void find_host_addresses(struct watch *watch)
{
	struct address like = { .word[2] = htonl(0xffff) };

	memset(host.from, 0, sizeof(host.from));
	find_host_address(&watch->balancer, &watch->config, &like, device_of_balancer,
			  &host.from[0]);
	memset(&like, 0, sizeof(like));
	find_host_address(&watch->balancer, &watch->config, &like, device_of_balancer,
			  &host.from[1]);
}

static bool has_such_checks(const struct watch *watch)
{
	for_each_service(service, &watch->config) {
		if (service->check.type &&
		    is_checked_by_vip(&watch->balancer, service, &service->check))
			return true;
	}
	return false;
}

static void follow_packets(struct watch *watch)
{
	static __u32 balancer;

	if (!watch->has_balancer || balancer != watch->balancer.id) {
		close_wire(&host);
		close_wire(&own);
	}
	balancer = watch->has_balancer ? watch->balancer.id : 0;
	if (!watch->has_balancer || !has_such_checks(watch))
		return;
	device_of_balancer = watch->balancer.place.ifindex;
	if (host.ip.fd < 0)
		open_wires(watch);
	find_host_addresses(watch);
}

const struct part packets = { .follow = follow_packets };
