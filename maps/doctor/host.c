// SPDX-License-Identifier: GPL-2.0
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <linux/magic.h>
#include <linux/rtnetlink.h>

#include "cmd/options.h"
#include "doctor/finding.h"
#include "doctor/host.h"
#include "doctor/vip.h"
#include "doctor/command_line.h"
#include "kernel/bpf.h"
#include "lib/text.h"

#define BPFFS "/sys/fs/bpf"

static bool is_bpffs_mounted(void)
{
	struct statfs status;

	return !statfs(BPFFS, &status) && status.f_type == BPF_FS_MAGIC;
}

/* Whether /sys is one of `ip netns exec`, which names it after the namespace. */
static bool is_sys_of_netns(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	char path[PATH_MAX] = "";
	const struct mntent *entry;

	while (mounts && (entry = getmntent(mounts))) {
		if (!strcmp(entry->mnt_dir, "/sys"))
			snprintf(path, sizeof(path), "/run/netns/%s", entry->mnt_fsname);
	}
	if (mounts)
		endmntent(mounts);
	return *path && !access(path, F_OK);
}

void check_bpffs(struct exam *exam)
{
	struct command_line command = { .s = "mount -t bpf bpf " BPFFS };

	if (is_bpffs_mounted())
		return;
	if (!is_sys_of_netns()) {
		report(exam, "bpffs", CERTAIN, &command, "the maps cannot be pinned",
		       "bpffs is not mounted on " BPFFS);
		return;
	}
	command = (struct command_line){ .s = "findmnt /sys", .purpose = SHOWS };
	report(exam, "bpffs", CERTAIN, &command,
	       "the pins of the maps are not seen; nsenter --net=/run/netns/NAME keeps the mounts",
	       "bpffs is not mounted on " BPFFS " of 'ip netns exec'");
}

/* A map of the balancer, and what is pinned under its name. */
struct pin {
	__u32 id;
	char name[16];
	__u32 pinned; /* id of that; 0: nothing is */
};

static __u32 pinned_id(const char *directory, const char *name)
{
	struct bpf_map_info info;
	char path[400];
	int map, result;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	map = map_open_pin(path);
	if (map < 0)
		return 0;
	result = map_info(map, &info);
	close(map);
	return result ? 0 : info.id;
}

/* Returns how many of the balancer's maps are pinned in the directory. */
static int read_pins(const struct balancer *balancer, const char *directory, struct pin *pins)
{
	struct bpf_map_info info;
	int count = 0;

	for (int i = 0; i < MAPS; i++) {
		memset(&pins[i], 0, sizeof(pins[i]));
		if (map_info(balancer->map[i], &info))
			continue;
		pins[i].id = info.id;
		memcpy(pins[i].name, info.name, sizeof(info.name));
		pins[i].pinned = pinned_id(directory, info.name);
		count += pins[i].pinned == pins[i].id;
	}
	return count;
}

/* Whether another balancer, that is attached somewhere, has its pins there. */
static bool are_of_another(const struct balancer *balancer, const char *directory)
{
	__u32 id = pinned_id(directory, "xlb_services");
	struct place *places = NULL;
	bool found = false;
	int count;

	if (!id || id == balancer->id)
		return false;
	count = find_places(NULL, &places);
	for (int i = 0; i < count; i++)
		found |= places[i].balancer == id;
	free(places);
	return found;
}

/* A loop over what is missing; a name that stands for another map is removed first. */
static struct command_line pin_command(const char *directory, const struct pin *pins)
{
	struct command_line line = { .s = "" };

	append(&line, "mkdir -p %s; for m in", directory);
	for (int i = 0; i < MAPS; i++) {
		if (pins[i].id && pins[i].pinned != pins[i].id)
			append(&line, " %u:%s", pins[i].id, pins[i].name);
	}
	append(&line, "; do rm -f %s/${m#*:}; bpftool map pin id ${m%%:*} %s/${m#*:}; done",
	       directory, directory);
	return line;
}

void check_pins(struct exam *exam, const struct balancer *balancer)
{
	const char *directories[] = { BPFFS "/tc/globals", BPFFS "/xdp/globals",
				      options.selection.pins };
	const char *best = directories[0];
	struct pin pins[MAPS];
	struct command_line command;
	int most = 0;

	for (unsigned int i = 0; i < sizeof(directories) / sizeof(*directories); i++) {
		int count = directories[i] ? read_pins(balancer, directories[i], pins) : 0;

		if (count == MAPS)
			return;
		if (count > most) {
			most = count;
			best = directories[i];
		}
	}
	if (!is_bpffs_mounted() || are_of_another(balancer, best))
		return;
	read_pins(balancer, best, pins);
	command = pin_command(best, pins);
	report(exam, "pins", CERTAIN, &command,
	       "a program that replaces this one begins with empty maps",
	       "pins gone: %d of the %d maps of the balancer on %s are not in %s", MAPS - most,
	       MAPS, exam->subject.device.name, best);
}

void check_ip(struct exam *exam)
{
	static const struct command_line command = { .s = "apt-get install --reinstall iproute2" };
	char line[200] = "";
	FILE *ip = popen("ip -V 2>/dev/null", "re");

	if (ip) {
		if (!fgets(line, sizeof(line), ip))
			*line = '\0';
		pclose(ip);
	}
	line[strcspn(line, "\n")] = '\0';
	if (!*line)
		report(exam, "ip", CERTAIN, &command, "`ip link` attaches the balancer",
		       "there is no ip command");
	else if (!strstr(line, "libbpf"))
		report(exam, "ip", CERTAIN, &command,
		       "it cannot load the balancer, nor find its pins",
		       "ip without libbpf: '%.100s'", line);
}

static bool is_routed(const struct config_service *service, bool ipv4)
{
	return service->mode == MODE_DNAT && !has_via(service) &&
	       is_ipv4(&service->vip.address) == ipv4;
}

/* A service of the family whose answers the kernel routes; NULL: there is none. */
static const struct config_service *routed_service(const struct configuration *config, bool ipv4)
{
	for_each_service(service, config) {
		if (is_routed(service, ipv4))
			return service;
	}
	return NULL;
}

/* A setting of a device, a digit; '1' if it is not to be read. */
static int setting_of(const struct exam *exam, int family, const char *device, const char *setting)
{
	int previous = netns_enter(&exam->subject.netns), c;
	char path[200];
	FILE *file;

	if (previous < 0)
		return '1';
	snprintf(path, sizeof(path), "/proc/sys/net/ipv%d/conf/%s/%s", family, device, setting);
	file = fopen(path, "re");
	c = file ? fgetc(file) : '1';
	if (file)
		fclose(file);
	netns_leave(previous);
	return c;
}

static bool is_on(const struct exam *exam, int family, const char *device, const char *setting)
{
	return setting_of(exam, family, device, setting) != '0';
}

static bool is_loose(const struct exam *exam, const char *device)
{
	return setting_of(exam, 4, device, "rp_filter") == '2';
}

#define LEFT_TO_HOST                                                                               \
	"while the host does not know the MAC address of the way to a client, answers that come "  \
	"in by this device are left to it, and it drops them"

static void report_own_source(struct exam *exam, const struct config_service *service)
{
	const char *device = exam->subject.device.name;
	struct command_line command = run_in(&exam->subject.netns,
					     "sysctl -w net.ipv4.conf.%s.accept_local=1", device);

	report(exam, "accept-local", POSSIBLE, &command, LEFT_TO_HOST,
	       "%s takes no packets from %s, which is an address of this host (%s, mode dnat)",
	       device, text_of_address(&service->vip.address).s, text_of_vip(&service->vip).s);
}

static bool takes_own_sources(const struct exam *exam)
{
	return is_on(exam, 4, exam->subject.device.name, "accept_local") ||
	       is_on(exam, 4, "all", "accept_local");
}

/* Loose reverse path filtering is enough for a VIP that there is a way to, if the device has an
 * address. */
static void report_filtered_source(struct exam *exam, const struct config_service *service,
				   bool is_reachable)
{
	const char *device = exam->subject.device.name;
	struct text vip = text_of_address(&service->vip.address);
	struct command_line command;
	bool is_strict = !is_loose(exam, device) && !is_loose(exam, "all");

	if (is_reachable && is_strict) {
		command = run_in(&exam->subject.netns, "sysctl -w net.ipv4.conf.%s.rp_filter=2",
				 device);
	} else {
		command = run_in(&exam->subject.netns,
				 "ip route get 255.255.255.255 from %s iif %s", vip.s, device);
		command.purpose = SHOWS;
	}
	report(exam, "rp-filter", POSSIBLE, &command, LEFT_TO_HOST,
	       "%s takes no packets from %s, by rp_filter (%s, mode dnat)%s", device, vip.s,
	       text_of_vip(&service->vip).s,
	       !is_reachable ? ": there is no way to that address; give the service `via`" :
	       is_strict     ? "" :
			       ", loose as that is; give the service `via`");
}

/* IPv4: what the host itself forwards has a VIP as its source by then. */
static void check_source_validation(struct exam *exam, const struct configuration *config)
{
	for_each_service(service, config) {
		const struct address *vip = &service->vip.address;
		struct route route;
		bool is_known, is_own;

		if (!is_routed(service, true) ||
		    !netlink_drops_source(exam->netlink, vip, exam->subject.device.ifindex))
			continue;
		is_known = !netlink_route(exam->netlink, vip, &route);
		is_own = is_known && route.type == RTN_LOCAL;
		if (is_own && !takes_own_sources(exam))
			report_own_source(exam, service);
		else
			report_filtered_source(exam, service,
					       is_own || (is_known && route.type == RTN_UNICAST));
		return;
	}
}

void check_forwarding(struct exam *exam, const struct configuration *config)
{
	const char *device = exam->subject.device.name;

	for (int family = 4; family <= 6; family += 2) {
		struct command_line command = run_in(&exam->subject.netns,
						     "sysctl -w net.ipv%d.conf.%s.forwarding=1",
						     family, family == 4 ? device : "all");

		if (routed_service(config, family == 4) &&
		    !is_on(exam, family, device, "forwarding"))
			report(exam, "forwarding", CERTAIN, &command,
			       "answers in mode dnat without via are dropped (no-route)",
			       "%s does not forward IPv%d", device, family);
	}
	check_source_validation(exam, config);
}
