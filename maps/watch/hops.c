// SPDX-License-Identifier: GPL-2.0
/*
 * Next hops that have changed. A host that says so by ARP or ND, asked or not, is believed, as the
 * kernel does. Each next hop is asked every 1.8 seconds where it is known to be, and where that is
 * not answered, everybody on the link. Routes that change are looked up anew.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "kernel/neighbour_question.h"
#include "lib/clock.h"
#include "lib/text.h"
#include "model/next_hop.h"
#include "watch/hops.h"
#include "watch/loop.h"

#define TICK_NS (50 * NS_PER_MS)
#define TICKS 36 /* between two questions: 1.8 s */
#define PATIENCE_TICKS 6 /* for an answer, before everybody is asked */
#define SETTLE_NS (100 * NS_PER_MS) /* routes change many at a time */
#define BATCH_NS NS_PER_MS
#define RETRY_NS NS_PER_SECOND

/* What the lookup of the same index says besides. */
struct asking {
	bool is_first; /* of those with this next hop */
	bool is_answered;
};

static struct watch *watch;
static struct hop_lookups lookups; /* of all backends whose MAC is not given; hop: as heard last */
static struct asking *asking;
static struct device *devices;
static int device_count;
static __u64 tick;
static struct timer clock_timer, settle, batch;
static struct io arp = { .fd = -1 }, nd = { .fd = -1 }, routes = { .fd = -1 };

/* Asks the one that is known, or all on the link. From no address: so nobody learns, or refuses,
 * one of ours that is a VIP. */
static void ask(const struct hop_lookup *lookup, bool everybody)
{
	const struct device *device = find_device(devices, device_count, lookup->ifindex);
	const __u8 *to = everybody || !is_resolved(&lookup->hop) ? NULL : lookup->hop.mac;

	if (!device)
		return;
	ask_neighbour(is_ipv4(&lookup->next) ? arp.fd : nd.fd, device, &lookup->next, to);
}

static void ask_in_turn(__u64 now)
{
	for (__u64 i = now % TICKS; i < lookups.count; i += TICKS) {
		asking[i].is_answered = false;
		if (asking[i].is_first)
			ask(&lookups.lookup[i], false);
	}
	for (__u64 i = (now - PATIENCE_TICKS) % TICKS; i < lookups.count; i += TICKS) {
		if (asking[i].is_first && !asking[i].is_answered)
			ask(&lookups.lookup[i], true);
	}
}

/* Ticks that are late are made up for, but for whole rounds. */
static void expire_clock(struct timer *timer)
{
	__u64 now = nanosecond_now() / TICK_NS;

	if (now - tick > TICKS)
		tick = now - TICKS;
	while (tick < now)
		ask_in_turn(++tick);
	timer_set(timer, (now + 1) * TICK_NS);
}

/* The kernel's own packets go there, too: checks are among them. */
static void tell_kernel(int ifindex, const struct address *address, const __u8 *mac)
{
	struct neighbour known;
	int netlink = netlink_open();

	if (netlink < 0)
		return;
	if (!netlink_neighbour(netlink, ifindex, address, &known) && known.state &&
	    !(known.state & (NUD_PERMANENT | NUD_NOARP)) && memcmp(known.mac, mac, ETH_ALEN) != 0)
		netlink_set_neighbour(netlink, ifindex, address, mac);
	close(netlink);
}

/* Somebody says that an address is at a MAC. */
static void hear(const struct address *address, const __u8 *mac, int ifindex)
{
	static const __u8 zero[ETH_ALEN];
	bool is_news = false;

	if (mac[0] & 1 || !memcmp(mac, zero, sizeof(zero)))
		return;
	for (unsigned int i = 0; i < lookups.count; i++) {
		struct hop_lookup *lookup = &lookups.lookup[i];

		if (lookup->ifindex != ifindex || !lookup->is_ethernet ||
		    !same_address(&lookup->next, address))
			continue;
		asking[i].is_answered = true;
		is_news |= memcmp(lookup->hop.mac, mac, ETH_ALEN) != 0;
		memcpy(lookup->hop.mac, mac, ETH_ALEN);
	}
	if (is_news) {
		tell_kernel(ifindex, address, mac);
		timer_set(&batch, nanosecond_now() + BATCH_NS);
	}
}

/* Receives a packet that others have sent; returns its length, or -1 when there is none. */
static ssize_t receive(int fd, void *packet, size_t size, struct sockaddr_ll *from)
{
	socklen_t length = sizeof(*from);

	return recvfrom(fd, packet, size, 0, (struct sockaddr *)from, &length);
}

static void arp_ready(struct io *io, __u32 events)
{
	struct address address = { .word[2] = htonl(0xffff) };
	struct sockaddr_ll from;
	struct ether_arp heard;
	ssize_t length;

	(void)events;
	while ((length = receive(io->fd, &heard, sizeof(heard), &from)) >= 0) {
		memcpy(&address.word[3], heard.arp_spa, 4);
		if (length >= (ssize_t)sizeof(heard) && from.sll_pkttype != PACKET_OUTGOING)
			hear(&address, heard.arp_sha, from.sll_ifindex);
	}
}

/* The MAC is what the frame came from: an advertisement need not have it. */
static void nd_ready(struct io *io, __u32 events)
{
	struct {
		struct ip6_hdr ip;
		struct nd_neighbor_advert advert;
	} heard;
	struct sockaddr_ll from;
	struct address address;
	ssize_t length;

	(void)events;
	while ((length = receive(io->fd, &heard, sizeof(heard), &from)) >= 0) {
		memcpy(&address, &heard.advert.nd_na_target, sizeof(address));
		if (length >= (ssize_t)sizeof(heard) && from.sll_pkttype != PACKET_OUTGOING &&
		    heard.ip.ip6_hlim == 255)
			hear(&address, from.sll_addr, from.sll_ifindex);
	}
}

static void routes_ready(struct io *io, __u32 events)
{
	char message[8192];

	(void)events;
	while (recv(io->fd, message, sizeof(message), 0) > 0 || errno == ENOBUFS)
		;
	timer_set(&settle, nanosecond_now() + SETTLE_NS);
}

static bool is_behind_gateway(const struct config_backend *backend)
{
	const struct hop_lookup *lookup = backend->mac_given ? NULL :
							       find_lookup(&lookups, backend);

	return lookup && has_gateway(lookup);
}

/* What is to be written of a backend; NULL: nothing. A gateway is no next hop of `dsr`. */
static const struct hop_lookup *news_of(const struct config_service *service,
					const struct config_backend *backend)
{
	const struct hop_lookup *lookup = backend->mac_given ? NULL :
							       find_lookup(&lookups, backend);

	if (!lookup || !is_resolved(&lookup->hop) ||
	    (service->mode == MODE_DSR && has_gateway(lookup)) ||
	    (!memcmp(&backend->hop, &lookup->hop, sizeof(lookup->hop)) &&
	     backend->mtu == lookup->mtu))
		return NULL;
	return lookup;
}

static bool has_news(struct configuration *config)
{
	for_each_service(service, config) {
		for_each_record(record, service) {
			if (news_of(service, record))
				return true;
		}
	}
	return false;
}

static enum status write_hops(struct configuration *config, const struct request *request)
{
	(void)request;
	for_each_service(service, config) {
		for_each_record(backend, service) {
			const struct hop_lookup *lookup = news_of(service, backend);

			if (!lookup)
				continue;
			warn("%s of %s: next hop %s, was %s", text_of_real(&backend->real).s,
			     text_of_vip(&service->vip).s, text_of_mac(lookup->hop.mac).s,
			     is_resolved(&backend->hop) ? text_of_mac(backend->hop.mac).s :
							  "not known");
			set_next_hop(backend, lookup);
		}
	}
	return DONE;
}

static void expire_batch(struct timer *timer)
{
	struct change change = { .change = write_hops };

	if (watch->has_balancer && has_news(&watch->config) && watch_change(watch, &change))
		timer_set(timer, nanosecond_now() + RETRY_NS);
}

/* The first of those with the same next hop is asked for all. */
static bool is_first(unsigned int index)
{
	const struct hop_lookup *lookup = &lookups.lookup[index];

	if (!lookup->is_ethernet || lookup->type != RTN_UNICAST)
		return false;
	for (unsigned int i = 0; i < index && has_gateway(lookup); i++) {
		if (lookups.lookup[i].ifindex == lookup->ifindex &&
		    same_address(&lookups.lookup[i].next, &lookup->next))
			return false;
	}
	return true;
}

/* Ways that are new have the MAC of their backend, or are asked for at once. */
static void begin_asking(struct configuration *config)
{
	free(asking);
	asking = calloc(lookups.count + 1, sizeof(*asking));
	if (!asking)
		lookups.count = 0;
	for (unsigned int i = 0; i < lookups.count; i++)
		asking[i] = (struct asking){ is_first(i), true };
	for_each_service(service, config) {
		for_each_record(backend, service) {
			struct hop_lookup *lookup = find_lookup(&lookups, backend);

			if (lookup && !backend->mac_given && !is_resolved(&lookup->hop) &&
			    same_address(&lookup->next, &lookup->to))
				memcpy(lookup->hop.mac, backend->hop.mac, ETH_ALEN);
		}
	}
	for (unsigned int i = 0; i < lookups.count; i++) {
		if (asking[i].is_first && !is_resolved(&lookups.lookup[i].hop))
			ask(&lookups.lookup[i], true);
	}
}

/* If there is none for want of memory or of an answer, all are looked up anew, later. */
static enum status find_new_routes(int added)
{
	enum status status = added < 0 ? FAILED : DONE;
	struct trial trial;

	free(devices);
	devices = NULL;
	device_count = 0;
	begin_trial(&trial);
	if (!status)
		status = find_routes(&lookups, &watch->balancer, &devices, &device_count);
	end_trial(&trial);
	if (!status)
		return DONE;
	lookups.count = 0; /* `asking` is not as long */
	timer_set(&settle, nanosecond_now() + RETRY_NS);
	return status;
}

/* The backends of `dsr` that are behind a gateway now. Returns how many. */
static unsigned int visit_gateways(bool says)
{
	unsigned int count = 0;

	for_each_service(service, &watch->config) {
		for_each_backend(backend, service) {
			if (service->mode != MODE_DSR || !is_behind_gateway(backend))
				continue;
			count++;
			if (says)
				warn("%s of %s: its route leads over a gateway now, and mode dsr "
				     "needs it on the link; kept as it was",
				     text_of_real(&backend->real).s, text_of_vip(&service->vip).s);
		}
	}
	return count;
}

/* When there are more of them. */
static void say_gateways(void)
{
	static unsigned int said;
	unsigned int count = visit_gateways(false);

	if (count > said)
		visit_gateways(true);
	said = count;
}

/* Looks up the routes of backends that are new. */
static void look_up(void)
{
	struct configuration copy;
	int added;

	if (!config_copy(&copy, &watch->config))
		return;
	for_each_service(service, &copy) {
		for_each_record(record, service)
			record->is_pending = !record->mac_given && !record->needs_no_hop;
	}
	added = collect_lookups(&lookups, &copy);
	if (added && !find_new_routes(added)) {
		begin_asking(&watch->config);
		timer_set(&batch, nanosecond_now() + BATCH_NS);
	}
	say_gateways();
	config_free(&copy);
}

static void expire_settle(struct timer *timer)
{
	(void)timer;
	lookups.count = 0;
	if (watch->has_balancer)
		look_up();
}

static int open_packets(struct io *io, int protocol, void (*ready)(struct io *, __u32))
{
	static const struct device any;

	io->fd = link_open(&any, protocol);
	io->ready = ready;
	return io->fd < 0 ? io->fd : 0;
}

/* Lets through advertisements alone. */
static int filter_advertisements(int fd)
{
	static struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offsetof(struct ip6_hdr, ip6_nxt)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, sizeof(struct ip6_hdr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_ADVERT, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 256),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog filter = { sizeof(program) / sizeof(*program), program };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) ? -errno : 0;
}

static int open_routes(void)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE |
			     RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
	};

	routes.ready = routes_ready;
	routes.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (routes.fd < 0)
		return -errno;
	return bind(routes.fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
}

static void close_io(struct io *io)
{
	if (io->fd < 0)
		return;
	loop_remove(io);
	close(io->fd);
	io->fd = -1;
}

static void close_all(void)
{
	close_io(&arp);
	close_io(&nd);
	close_io(&routes);
	timer_clear(&clock_timer);
	timer_clear(&settle);
	timer_clear(&batch);
	lookups.count = 0;
}

static void open_all(void)
{
	int result = open_packets(&arp, ETH_P_ARP, arp_ready);

	if (!result)
		result = open_packets(&nd, ETH_P_IPV6, nd_ready);
	if (!result)
		result = filter_advertisements(nd.fd);
	if (!result)
		result = open_routes();
	if (!result)
		result = loop_add(&arp, EPOLLIN);
	if (!result)
		result = loop_add(&nd, EPOLLIN);
	if (!result)
		result = loop_add(&routes, EPOLLIN);
	if (result)
		warn("next hops are not followed: %s", strerror(-result));
	else
		timer_set(&clock_timer, nanosecond_now() + TICK_NS);
}

static void follow_hops(struct watch *changed)
{
	static __u32 balancer;

	watch = changed;
	if (!watch->has_balancer || balancer != watch->balancer.id)
		close_all();
	balancer = watch->has_balancer ? watch->balancer.id : 0;
	if (!watch->has_balancer)
		return;
	if (arp.fd < 0)
		open_all();
	look_up();
}

static enum status start_hops(struct watch *started)
{
	watch = started;
	clock_timer.expire = expire_clock;
	settle.expire = expire_settle;
	batch.expire = expire_batch;
	return DONE;
}

const struct part hops = {
	.start = start_hops,
	.follow = follow_hops,
};
