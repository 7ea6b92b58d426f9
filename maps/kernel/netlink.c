// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "kernel/netlink.h"
#include "lib/address.h"

#define ANSWER_SIZE 65536 /* the kernel fills dumps in portions of up to 32 KiB */
#define PATIENCE 5 /* seconds for the kernel's answer */

struct request {
	struct nlmsghdr header;
	char body[256];
};

/* Called for each message of an answer. */
typedef int (*receiver)(struct nlmsghdr *message, void *argument);

int netlink_open(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	struct timeval patience = { .tv_sec = PATIENCE };
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int error;

	if (netlink < 0)
		return -errno;
	if (setsockopt(netlink, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    bind(netlink, (struct sockaddr *)&address, sizeof(address))) {
		error = -errno;
		close(netlink);
		return error;
	}
	return netlink;
}

/* Starts a request with its fixed part, of `size` bytes, zeroed. Returns where that is. */
static void *start_request(struct request *request, __u16 type, __u16 flags, size_t size)
{
	memset(request, 0, sizeof(*request));
	request->header.nlmsg_type = type;
	request->header.nlmsg_flags = NLM_F_REQUEST | flags;
	request->header.nlmsg_len = NLMSG_LENGTH(size);
	return NLMSG_DATA(&request->header);
}

static void add_attribute(struct request *request, __u16 type, const void *value, size_t size)
{
	size_t at = NLMSG_ALIGN(request->header.nlmsg_len);
	struct rtattr *attribute = (struct rtattr *)((char *)request + at);

	attribute->rta_type = type;
	attribute->rta_len = RTA_LENGTH(size);
	if (size)
		memcpy(RTA_DATA(attribute), value, size);
	request->header.nlmsg_len = at + RTA_ALIGN(attribute->rta_len);
}

/* Sorts the attributes from `first` on into an array by type. */
static void sort_attributes(struct rtattr *first, int length, struct rtattr **by_type, int types)
{
	for (int i = 0; i < types; i++)
		by_type[i] = NULL;
	for (; RTA_OK(first, length); first = RTA_NEXT(first, length)) {
		int type = first->rta_type & NLA_TYPE_MASK;

		if (type < types)
			by_type[type] = first;
	}
}

static __u32 number_of(const struct rtattr *attribute)
{
	__u32 number = 0;

	if (attribute && RTA_PAYLOAD(attribute) >= sizeof(number))
		memcpy(&number, RTA_DATA(attribute), sizeof(number));
	return number;
}

/* Reads one portion of the answer. Returns 1 when it is complete, 0 if there is more, or -errno. */
static int receive_portion(int netlink, char *buffer, receiver receive, void *argument)
{
	int length = recv(netlink, buffer, ANSWER_SIZE, 0);
	struct nlmsghdr *message = (struct nlmsghdr *)buffer;
	int result = 0;

	if (length < 0)
		return errno == EINTR ? 0 : errno == EAGAIN ? -ETIMEDOUT : -errno;
	for (; NLMSG_OK(message, (unsigned int)length); message = NLMSG_NEXT(message, length)) {
		if (message->nlmsg_type == NLMSG_DONE)
			return 1;
		if (message->nlmsg_type == NLMSG_ERROR) {
			result = ((struct nlmsgerr *)NLMSG_DATA(message))->error;
			return result ? result : 1;
		}
		if (receive)
			result = receive(message, argument);
		if (result)
			return result;
	}
	return 0;
}

/* Sends a request and hands each message of the answer to `receive`. A request that is not a dump
 * is asked to be acknowledged, so that every answer has an end. */
static int ask(int netlink, struct request *request, receiver receive, void *argument)
{
	char *buffer = malloc(ANSWER_SIZE);
	int result = 0;

	if (!buffer)
		return -ENOMEM;
	if ((request->header.nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		request->header.nlmsg_flags |= NLM_F_ACK;
	if (send(netlink, request, request->header.nlmsg_len, 0) < 0)
		result = -errno;
	while (!result)
		result = receive_portion(netlink, buffer, receive, argument);
	free(buffer);
	return result < 0 ? result : 0;
}

struct device_list {
	struct device *device;
	int count;
};

static void read_xdp(struct rtattr *xdp, struct device *device)
{
	static const __u16 ids[] = { IFLA_XDP_PROG_ID, IFLA_XDP_DRV_PROG_ID, IFLA_XDP_SKB_PROG_ID,
				     IFLA_XDP_HW_PROG_ID };
	struct rtattr *by_type[IFLA_XDP_MAX + 1];

	sort_attributes(RTA_DATA(xdp), RTA_PAYLOAD(xdp), by_type, IFLA_XDP_MAX + 1);
	if (by_type[IFLA_XDP_ATTACHED])
		device->xdp_mode = *(__u8 *)RTA_DATA(by_type[IFLA_XDP_ATTACHED]);
	for (unsigned int i = 0; i < sizeof(ids) / sizeof(*ids) && !device->program; i++)
		device->program = number_of(by_type[ids[i]]);
}

static void read_kind(struct rtattr *info, struct device *device)
{
	struct rtattr *by_type[IFLA_INFO_MAX + 1];
	size_t size;

	sort_attributes(RTA_DATA(info), RTA_PAYLOAD(info), by_type, IFLA_INFO_MAX + 1);
	if (!by_type[IFLA_INFO_KIND])
		return;
	size = RTA_PAYLOAD(by_type[IFLA_INFO_KIND]);
	if (size >= sizeof(device->kind))
		size = sizeof(device->kind) - 1;
	memcpy(device->kind, RTA_DATA(by_type[IFLA_INFO_KIND]), size);
}

static void read_device(struct nlmsghdr *message, struct device *device)
{
	struct ifinfomsg *link = NLMSG_DATA(message);
	struct rtattr *by_type[IFLA_MAX + 1], *name, *mac;

	sort_attributes(IFLA_RTA(link), IFLA_PAYLOAD(message), by_type, IFLA_MAX + 1);
	memset(device, 0, sizeof(*device));
	device->ifindex = link->ifi_index;
	device->is_ethernet = link->ifi_type == ARPHRD_ETHER;
	device->is_up = link->ifi_flags & IFF_UP;
	name = by_type[IFLA_IFNAME];
	if (name && RTA_PAYLOAD(name) <= sizeof(device->name))
		memcpy(device->name, RTA_DATA(name), RTA_PAYLOAD(name));
	mac = by_type[IFLA_ADDRESS];
	if (mac && RTA_PAYLOAD(mac) == sizeof(device->mac))
		memcpy(device->mac, RTA_DATA(mac), sizeof(device->mac));
	device->mtu = number_of(by_type[IFLA_MTU]);
	device->master = number_of(by_type[IFLA_MASTER]);
	device->peer = number_of(by_type[IFLA_LINK]);
	device->peer_elsewhere = by_type[IFLA_LINK_NETNSID];
	device->peer_nsid = number_of(by_type[IFLA_LINK_NETNSID]);
	device->rx_queues = number_of(by_type[IFLA_NUM_RX_QUEUES]);
	device->tx_queues = number_of(by_type[IFLA_NUM_TX_QUEUES]);
	if (by_type[IFLA_LINKINFO])
		read_kind(by_type[IFLA_LINKINFO], device);
	if (by_type[IFLA_XDP])
		read_xdp(by_type[IFLA_XDP], device);
}

static int receive_device(struct nlmsghdr *message, void *argument)
{
	struct device_list *list = argument;
	struct device *longer;

	if (message->nlmsg_type != RTM_NEWLINK)
		return 0;
	longer = realloc(list->device, (list->count + 1) * sizeof(*longer));
	if (!longer)
		return -ENOMEM;
	list->device = longer;
	read_device(message, &longer[list->count++]);
	return 0;
}

int netlink_devices(int netlink, struct device **devices)
{
	struct device_list list = { NULL, 0 };
	struct request request;
	int result;

	start_request(&request, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
	result = ask(netlink, &request, receive_device, &list);
	if (result) {
		free(list.device);
		return result;
	}
	*devices = list.device;
	return list.count;
}

const struct device *find_device(const struct device *devices, int count, int ifindex)
{
	for (int i = 0; i < count; i++) {
		if (devices[i].ifindex == ifindex)
			return &devices[i];
	}
	return NULL;
}

/* Adds an attribute whose value is the attributes that are added until it is closed. */
static struct rtattr *open_nest(struct request *request, __u16 type)
{
	struct rtattr *nest = (struct rtattr *)((char *)request +
						NLMSG_ALIGN(request->header.nlmsg_len));

	add_attribute(request, type | NLA_F_NESTED, NULL, 0);
	return nest;
}

static void close_nest(struct request *request, struct rtattr *nest)
{
	nest->rta_len = (char *)request + NLMSG_ALIGN(request->header.nlmsg_len) - (char *)nest;
}

int netlink_swap_xdp(int netlink, const struct device *device, int program, int former)
{
	static const __u32 modes[] = {
		[XDP_ATTACHED_DRV] = XDP_FLAGS_DRV_MODE,
		[XDP_ATTACHED_SKB] = XDP_FLAGS_SKB_MODE,
		[XDP_ATTACHED_HW] = XDP_FLAGS_HW_MODE,
	};
	__s32 descriptor = program, expected = former;
	struct request request;
	struct ifinfomsg *link;
	struct rtattr *nest;
	__u32 flags;

	if (device->xdp_mode >= sizeof(modes) / sizeof(*modes) || !modes[device->xdp_mode])
		return -EOPNOTSUPP;
	flags = modes[device->xdp_mode] | XDP_FLAGS_REPLACE;
	link = start_request(&request, RTM_SETLINK, 0, sizeof(*link));
	link->ifi_index = device->ifindex;
	nest = open_nest(&request, IFLA_XDP);
	add_attribute(&request, IFLA_XDP_FD, &descriptor, sizeof(descriptor));
	add_attribute(&request, IFLA_XDP_FLAGS, &flags, sizeof(flags));
	add_attribute(&request, IFLA_XDP_EXPECTED_FD, &expected, sizeof(expected));
	close_nest(&request, nest);
	return ask(netlink, &request, NULL, NULL);
}

static int receive_nsid(struct nlmsghdr *message, void *argument)
{
	struct rtgenmsg *answer = NLMSG_DATA(message);
	struct rtattr *by_type[NETNSA_MAX + 1];
	size_t fixed = NLMSG_ALIGN(sizeof(*answer));

	if (message->nlmsg_type != RTM_NEWNSID)
		return 0;
	sort_attributes((struct rtattr *)((char *)answer + fixed), NLMSG_PAYLOAD(message, fixed),
			by_type, NETNSA_MAX + 1);
	if (by_type[NETNSA_NSID])
		*(int *)argument = number_of(by_type[NETNSA_NSID]);
	return 0;
}

int netlink_nsid(int netlink, int netns)
{
	struct request request;
	__u32 descriptor = netns;
	int nsid = -1;

	start_request(&request, RTM_GETNSID, 0, NLMSG_ALIGN(sizeof(struct rtgenmsg)));
	add_attribute(&request, NETNSA_FD, &descriptor, sizeof(descriptor));
	ask(netlink, &request, receive_nsid, &nsid);
	return nsid;
}

/* The part of an address that the kernel takes: 4 bytes of an IPv4 address, 16 of an IPv6 one. */
static const void *raw_address(const struct address *address, int *family, size_t *size)
{
	bool ipv4 = is_ipv4(address);

	*family = ipv4 ? AF_INET : AF_INET6;
	*size = ipv4 ? 4 : 16;
	return &address->word[ipv4 ? 3 : 0];
}

static void add_address(struct request *request, __u16 type, const struct address *address)
{
	int family;
	size_t size;
	const void *raw = raw_address(address, &family, &size);

	add_attribute(request, type, raw, size);
}

static void set_address(struct address *address, const void *raw, size_t size)
{
	memset(address, 0, sizeof(*address));
	if (size == 4) {
		address->word[2] = htonl(0xffff);
		memcpy(&address->word[3], raw, 4);
	} else if (size == 16) {
		memcpy(address, raw, 16);
	}
}

struct address_list {
	struct address *address;
	int count;
};

/* Of a point-to-point device IFA_ADDRESS is the other end's. */
static int receive_address(struct nlmsghdr *message, void *argument)
{
	struct ifaddrmsg *found = NLMSG_DATA(message);
	struct rtattr *by_type[IFA_MAX + 1], *own;
	struct address_list *list = argument;
	struct address *longer;

	if (message->nlmsg_type != RTM_NEWADDR)
		return 0;
	sort_attributes(IFA_RTA(found), IFA_PAYLOAD(message), by_type, IFA_MAX + 1);
	own = by_type[IFA_LOCAL] ? by_type[IFA_LOCAL] : by_type[IFA_ADDRESS];
	if (!own)
		return 0;
	longer = realloc(list->address, (list->count + 1) * sizeof(*longer));
	if (!longer)
		return -ENOMEM;
	list->address = longer;
	set_address(&longer[list->count++], RTA_DATA(own), RTA_PAYLOAD(own));
	return 0;
}

int netlink_addresses(int netlink, struct address **addresses)
{
	struct address_list list = { NULL, 0 };
	struct request request;
	int result;

	start_request(&request, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
	result = ask(netlink, &request, receive_address, &list);
	if (result) {
		free(list.address);
		return result;
	}
	*addresses = list.address;
	return list.count;
}

static void read_gateway(struct rtattr **by_type, struct route *route)
{
	struct rtattr *gateway = by_type[RTA_GATEWAY], *via = by_type[RTA_VIA];

	if (gateway)
		set_address(&route->next, RTA_DATA(gateway), RTA_PAYLOAD(gateway));
	else if (via && RTA_PAYLOAD(via) > sizeof(struct rtvia))
		set_address(&route->next, ((struct rtvia *)RTA_DATA(via))->rtvia_addr,
			    RTA_PAYLOAD(via) - sizeof(struct rtvia));
}

static int receive_route(struct nlmsghdr *message, void *argument)
{
	struct rtattr *by_type[RTA_MAX + 1], *metrics[RTAX_MAX + 1];
	struct rtmsg *found = NLMSG_DATA(message);
	struct route *route = argument;

	if (message->nlmsg_type != RTM_NEWROUTE)
		return 0;
	sort_attributes(RTM_RTA(found), RTM_PAYLOAD(message), by_type, RTA_MAX + 1);
	route->type = found->rtm_type;
	route->ifindex = number_of(by_type[RTA_OIF]);
	read_gateway(by_type, route);
	if (!by_type[RTA_METRICS])
		return 0;
	sort_attributes(RTA_DATA(by_type[RTA_METRICS]), RTA_PAYLOAD(by_type[RTA_METRICS]), metrics,
			RTAX_MAX + 1);
	route->mtu = number_of(metrics[RTAX_MTU]);
	return 0;
}

int netlink_route(int netlink, const struct address *to, struct route *route)
{
	struct request request;
	struct rtmsg *wanted = start_request(&request, RTM_GETROUTE, 0, sizeof(*wanted));
	int family;
	size_t size;

	raw_address(to, &family, &size);
	wanted->rtm_family = family;
	wanted->rtm_dst_len = size * 8;
	add_address(&request, RTA_DST, to);
	memset(route, 0, sizeof(*route));
	route->next = *to;
	return ask(netlink, &request, receive_route, route);
}

/* A source is judged before the destination where that is everybody. */
bool netlink_drops_source(int netlink, const struct address *source, int ifindex)
{
	const __be32 everybody = INADDR_BROADCAST;
	struct request request;
	struct rtmsg *wanted = start_request(&request, RTM_GETROUTE, 0, sizeof(*wanted));
	struct route route;
	int result;

	wanted->rtm_family = AF_INET;
	wanted->rtm_dst_len = wanted->rtm_src_len = sizeof(everybody) * 8;
	add_attribute(&request, RTA_DST, &everybody, sizeof(everybody));
	add_address(&request, RTA_SRC, source);
	add_attribute(&request, RTA_IIF, &ifindex, sizeof(ifindex));
	result = ask(netlink, &request, receive_route, &route);
	return result == -EINVAL || result == -EXDEV;
}

struct blackhole_list {
	__u32 table;
	struct blackhole *route;
	int count;
};

static int receive_blackhole(struct nlmsghdr *message, void *argument)
{
	struct rtattr *by_type[RTA_MAX + 1];
	struct rtmsg *found = NLMSG_DATA(message);
	struct blackhole_list *list = argument;
	struct blackhole *longer;

	if (message->nlmsg_type != RTM_NEWROUTE || found->rtm_type != RTN_BLACKHOLE ||
	    found->rtm_protocol != ROUTE_PROTOCOL)
		return 0;
	sort_attributes(RTM_RTA(found), RTM_PAYLOAD(message), by_type, RTA_MAX + 1);
	if (!by_type[RTA_DST] || number_of(by_type[RTA_TABLE]) != list->table)
		return 0;
	longer = realloc(list->route, (list->count + 1) * sizeof(*longer));
	if (!longer)
		return -ENOMEM;
	list->route = longer;
	longer += list->count++;
	set_address(&longer->to, RTA_DATA(by_type[RTA_DST]), RTA_PAYLOAD(by_type[RTA_DST]));
	longer->table = list->table;
	longer->metric = number_of(by_type[RTA_PRIORITY]);
	return 0;
}

/* A table that has never had a route is not there. */
static int dump_blackholes(int netlink, int family, struct blackhole_list *list)
{
	struct request request;
	struct rtmsg *wanted = start_request(&request, RTM_GETROUTE, NLM_F_DUMP, sizeof(*wanted));
	int result;

	wanted->rtm_family = family;
	wanted->rtm_type = RTN_BLACKHOLE;
	wanted->rtm_protocol = ROUTE_PROTOCOL;
	add_attribute(&request, RTA_TABLE, &list->table, sizeof(list->table));
	result = ask(netlink, &request, receive_blackhole, list);
	return result == -ENOENT ? 0 : result;
}

int netlink_blackholes(int netlink, __u32 table, struct blackhole **routes)
{
	struct blackhole_list list = { .table = table };
	int yes = 1, result;

	/* Else the kernel hands over all that it has, of all tables. */
	setsockopt(netlink, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &yes, sizeof(yes));
	result = dump_blackholes(netlink, AF_INET, &list);
	if (!result)
		result = dump_blackholes(netlink, AF_INET6, &list);
	if (result) {
		free(list.route);
		return result;
	}
	*routes = list.route;
	return list.count;
}

static int change_blackhole(int netlink, __u16 type, __u16 flags, const struct blackhole *route)
{
	struct request request;
	struct rtmsg *wanted = start_request(&request, type, flags, sizeof(*wanted));
	int family;
	size_t size;

	raw_address(&route->to, &family, &size);
	wanted->rtm_family = family;
	wanted->rtm_dst_len = size * 8;
	wanted->rtm_protocol = ROUTE_PROTOCOL;
	wanted->rtm_scope = RT_SCOPE_UNIVERSE;
	wanted->rtm_type = RTN_BLACKHOLE;
	add_address(&request, RTA_DST, &route->to);
	add_attribute(&request, RTA_TABLE, &route->table, sizeof(route->table));
	add_attribute(&request, RTA_PRIORITY, &route->metric, sizeof(route->metric));
	return ask(netlink, &request, NULL, NULL);
}

int netlink_add_blackhole(int netlink, const struct blackhole *route)
{
	return change_blackhole(netlink, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route);
}

int netlink_delete_blackhole(int netlink, const struct blackhole *route)
{
	return change_blackhole(netlink, RTM_DELROUTE, 0, route);
}

/* Starts a request about a neighbour. */
static struct ndmsg *start_neighbour(struct request *request, __u16 type, __u16 flags, int ifindex,
				     const struct address *address)
{
	struct ndmsg *wanted = start_request(request, type, flags, sizeof(*wanted));
	int family;
	size_t size;

	raw_address(address, &family, &size);
	wanted->ndm_family = family;
	wanted->ndm_ifindex = ifindex;
	add_address(request, NDA_DST, address);
	return wanted;
}

static int receive_neighbour(struct nlmsghdr *message, void *argument)
{
	struct ndmsg *found = NLMSG_DATA(message);
	struct neighbour *neighbour = argument;
	struct rtattr *by_type[NDA_MAX + 1], *mac;

	if (message->nlmsg_type != RTM_NEWNEIGH)
		return 0;
	sort_attributes((struct rtattr *)((char *)found + NLMSG_ALIGN(sizeof(*found))),
			NLMSG_PAYLOAD(message, sizeof(*found)), by_type, NDA_MAX + 1);
	neighbour->state = found->ndm_state;
	mac = by_type[NDA_LLADDR];
	if (mac && RTA_PAYLOAD(mac) == sizeof(neighbour->mac))
		memcpy(neighbour->mac, RTA_DATA(mac), sizeof(neighbour->mac));
	return 0;
}

int netlink_neighbour(int netlink, int ifindex, const struct address *address,
		      struct neighbour *neighbour)
{
	struct request request;
	int result;

	memset(neighbour, 0, sizeof(*neighbour));
	start_neighbour(&request, RTM_GETNEIGH, 0, ifindex, address);
	result = ask(netlink, &request, receive_neighbour, neighbour);
	return result == -ENOENT ? 0 : result;
}

int netlink_probe(int netlink, int ifindex, const struct address *address, bool anew)
{
	struct request request;
	struct ndmsg *entry;
	int result;

	if (anew) { /* what failed is asked for by broadcast, at once */
		entry = start_neighbour(&request, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE,
					ifindex, address);
		entry->ndm_state = NUD_FAILED;
		result = ask(netlink, &request, NULL, NULL);
		if (result)
			return result;
	}
	entry = start_neighbour(&request, RTM_NEWNEIGH, NLM_F_CREATE, ifindex, address);
	entry->ndm_flags = NTF_USE;
	return ask(netlink, &request, NULL, NULL);
}

int netlink_set_neighbour(int netlink, int ifindex, const struct address *address, const __u8 *mac)
{
	struct request request;
	struct ndmsg *entry = start_neighbour(&request, RTM_NEWNEIGH, NLM_F_REPLACE, ifindex,
					      address);

	entry->ndm_state = NUD_REACHABLE;
	add_attribute(&request, NDA_LLADDR, mac, 6);
	return ask(netlink, &request, NULL, NULL);
}

int netlink_set_up(int netlink, int ifindex)
{
	struct request request;
	struct ifinfomsg *link = start_request(&request, RTM_NEWLINK, 0, sizeof(*link));

	link->ifi_index = ifindex;
	link->ifi_flags = IFF_UP;
	link->ifi_change = IFF_UP;
	return ask(netlink, &request, NULL, NULL);
}

/* Begins an attribute that others are in; end_nest() with what it returns ends it. */
static struct rtattr *begin_nest(struct request *request, __u16 type)
{
	size_t at = NLMSG_ALIGN(request->header.nlmsg_len);

	add_attribute(request, type, NULL, 0);
	return (struct rtattr *)((char *)request + at);
}

static void end_nest(const struct request *request, struct rtattr *nest)
{
	nest->rta_len = (char *)request + request->header.nlmsg_len - (char *)nest;
}

int netlink_add_macvlan(int netlink, const char *name, int on, int netns)
{
	__u32 mode = MACVLAN_MODE_BRIDGE, lower = on, descriptor = netns;
	struct rtattr *info, *data;
	struct request request;

	start_request(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	add_attribute(&request, IFLA_IFNAME, name, strlen(name) + 1);
	add_attribute(&request, IFLA_LINK, &lower, sizeof(lower));
	add_attribute(&request, IFLA_NET_NS_FD, &descriptor, sizeof(descriptor));
	info = begin_nest(&request, IFLA_LINKINFO);
	add_attribute(&request, IFLA_INFO_KIND, "macvlan", sizeof("macvlan") - 1);
	data = begin_nest(&request, IFLA_INFO_DATA);
	add_attribute(&request, IFLA_MACVLAN_MODE, &mode, sizeof(mode));
	end_nest(&request, data);
	end_nest(&request, info);
	return ask(netlink, &request, NULL, NULL);
}
