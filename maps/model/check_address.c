// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>

#include "lib/clock.h"
#include "model/check_address.h"
#include "model/discover.h"

bool is_checked_by_vip(const struct balancer *balancer, const struct config_service *service,
		       const struct check *check)
{
	return has_data_path(balancer) && check->type != CHECK_EXEC &&
	       (service->mode == MODE_DSR || service->mode == MODE_IPIP);
}

bool watch_age(const struct balancer *balancer, __u32 *seconds)
{
	__u32 seen = balancer->watcher->seen;

	*seconds = second_now() - seen;
	return seen;
}

bool is_vip(const struct configuration *config, const struct address *address)
{
	for_each_service(service, config) {
		if (same_address(&service->vip.address, address))
			return true;
	}
	return false;
}

/* The address of an interface, if others can reach it. */
bool read_interface_address(const struct ifaddrs *entry, struct address *address)
{
	const struct sockaddr_in6 *v6 = (const void *)entry->ifa_addr;
	const struct sockaddr_in *v4 = (const void *)entry->ifa_addr;

	memset(address, 0, sizeof(*address));
	if (!entry->ifa_addr || entry->ifa_flags & IFF_LOOPBACK || !(entry->ifa_flags & IFF_UP))
		return false;
	if (entry->ifa_addr->sa_family == AF_INET) {
		address->word[2] = htonl(0xffff);
		memcpy(&address->word[3], &v4->sin_addr, 4);
		return true;
	}
	memcpy(address, &v6->sin6_addr, sizeof(*address));
	return entry->ifa_addr->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr);
}

static bool choose_address(const struct ifaddrs *entry, const struct configuration *config,
			   const struct address *like, int ifindex, struct address *found)
{
	bool is_found = false, is_best = false;
	struct address address;

	for (; entry && !is_best; entry = entry->ifa_next) {
		if (!read_interface_address(entry, &address) ||
		    is_ipv4(&address) != is_ipv4(like) || is_vip(config, &address))
			continue;
		is_best = (int)if_nametoindex(entry->ifa_name) == ifindex;
		if (is_best || !is_found)
			*found = address;
		is_found = true;
	}
	return is_found;
}

bool find_host_address(struct balancer *balancer, const struct configuration *config,
		       const struct address *like, int ifindex, struct address *found)
{
	struct ifaddrs *list = NULL;
	bool is_found;
	int previous;

	if (place_balancer(balancer))
		return false;
	previous = netns_enter(&balancer->netns);
	if (previous < 0)
		return false;
	is_found = !getifaddrs(&list) && choose_address(list, config, like, ifindex, found);
	freeifaddrs(list);
	netns_leave(previous);
	return is_found;
}
