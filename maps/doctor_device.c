// SPDX-License-Identifier: GPL-2.0
/* doctor: the device, its program, its driver, and the other end of a veth. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_link.h>

#include "bpf.h"
#include "doctor.h"

/* Of a page, what the kernel keeps for itself around a frame that a program in section xdp gets. */
#define XDP_HEADROOM 256
#define SHARED_INFO 320
#define ETHERNET_HEADER 14

/* Drivers that run XDP themselves. The kernel tells since 6.3 only, and not by ethtool. */
static const char *const native_drivers[] = {
	"veth",		 "virtio_net", "tun",		"ena",	   "gve",	"hv_netvsc",
	"vif",		 "bnxt_en",    "i40e",		"iavf",	   "ice",	"igb",
	"igc",		 "ixgbe",      "ixgbevf",	"mlx4_en", "mlx5_core", "nfp",
	"qede",		 "sfc",	       "idpf",		"ionic",   "mvneta",	"mvpp2",
	"fsl_dpaa2_eth", "fsl_enetc",  "thunder-nicvf", "stmmac",
};

void close_port(struct port *port)
{
	if (port->ethtool >= 0)
		close(port->ethtool);
	netns_close(&port->netns);
}

bool is_native(const struct device *device)
{
	return device->program && device->xdp_mode != XDP_ATTACHED_SKB;
}

static bool is_generic(const struct device *device)
{
	return device->program && device->xdp_mode == XDP_ATTACHED_SKB;
}

/* Opens the port's sockets in its namespace. */
static int open_port(struct port *port, int *netlink)
{
	int way_back = netns_enter(&port->netns);

	if (way_back < 0)
		return way_back;
	*netlink = netlink_open();
	port->ethtool = ethtool_open();
	netns_leave(way_back);
	return *netlink < 0 ? *netlink : port->ethtool < 0 ? port->ethtool : 0;
}

static bool take_device(const struct device *devices, int count, const char *name,
			struct device *device)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(devices[i].name, name))
			continue;
		*device = devices[i];
		return true;
	}
	return false;
}

enum status examine_device(struct patient *patient)
{
	const char *netns = options.selection.netns, *name = options.selection.device;
	struct port *port = &patient->port;
	int result;

	if (geteuid())
		return fail(FAILED, "not permitted: xdp-lb must be run as root");
	if (netns_open(netns, &port->netns))
		return fail(FAILED, "'%.64s': no such network namespace", netns ? netns : "");
	result = open_port(port, &patient->netlink);
	if (!result)
		result = netlink_devices(patient->netlink, &patient->devices);
	if (result < 0)
		return fail(FAILED, "cannot list devices: %s", strerror(-result));
	patient->device_count = result;
	if (!take_device(patient->devices, result, name, &port->device))
		return fail(FAILED, "'%.64s': no such device", name);
	ethtool_driver(port->ethtool, name, patient->driver);
	patient->has_peer = open_peer(patient, &port->device, &patient->peer);
	return DONE;
}

/* Looks for the peer in the namespace of `port`; its sockets stay open if it is there. */
static bool find_peer(struct port *port, int ifindex)
{
	struct device *devices = NULL;
	const struct device *found;
	int netlink = -1, count = open_port(port, &netlink);

	if (!count)
		count = netlink_devices(netlink, &devices);
	found = count > 0 ? find_device(devices, count, ifindex) : NULL;
	if (found)
		port->device = *found;
	if (netlink >= 0)
		close(netlink);
	free(devices);
	return found;
}

bool open_peer(const struct patient *patient, const struct device *device, struct port *peer)
{
	struct netns *list;
	int count;
	bool found = false;

	memset(peer, 0, sizeof(*peer));
	peer->ethtool = -1;
	if (strcmp(device->kind, "veth") || !device->peer)
		return false;
	count = netns_list(&list);
	for (int i = 0; i < count && !found; i++) {
		bool same = list[i].inode == patient->port.netns.inode;

		if (device->peer_elsewhere ?
			    netlink_nsid(patient->netlink, list[i].fd) != device->peer_nsid :
			    !same)
			continue;
		peer->netns = list[i];
		list[i].fd = -1;
		found = find_peer(peer, device->peer);
		if (!found)
			close_port(peer);
	}
	if (count > 0)
		netns_free(list, count);
	return found;
}

/* The largest frame that the device may meet: a veth gets what its peer sends. */
static __u32 mtu_of(const struct patient *patient, const struct device *device)
{
	bool is_patient = device->ifindex == patient->port.device.ifindex;

	if (is_patient && patient->has_peer && patient->peer.device.mtu > device->mtu)
		return patient->peer.device.mtu;
	return device->mtu;
}

/* Whether frames of this size need a program in section xdp.frags. */
static bool is_large(__u32 mtu)
{
	return mtu > sysconf(_SC_PAGESIZE) - XDP_HEADROOM - SHARED_INFO - ETHERNET_HEADER;
}

static const char *section_for(__u32 mtu)
{
	return is_large(mtu) ? "xdp.frags" : "xdp";
}

static bool takes_native(const struct patient *patient, const struct device *device)
{
	char driver[DRIVER_NAME];

	ethtool_driver(patient->port.ethtool, device->name, driver);
	for (unsigned int i = 0; i < sizeof(native_drivers) / sizeof(*native_drivers); i++) {
		if (!strcmp(driver, native_drivers[i]))
			return true;
	}
	return false;
}

struct shell attach_command(const struct patient *patient, const struct device *device,
			    const char *words)
{
	bool native = takes_native(patient, device);

	return run_in(&patient->port.netns, "ip %slink set dev %s %s obj %s sec %s", words,
		      quoted(device->name).s, native ? "xdpdrv" : "xdpgeneric",
		      path_of("xdp_lb.bpf.o").s,
		      native ? section_for(mtu_of(patient, device)) : "xdp");
}

static struct shell generic_off(const struct port *port)
{
	return run_in(&port->netns, "ip link set dev %s xdpgeneric off",
		      quoted(port->device.name).s);
}

/* The name of a program; "" if it cannot be read. */
static void read_program_name(__u32 program, char *name)
{
	struct bpf_prog_info info;
	__u32 maps = 0;
	int fd = program_open_id(program);

	*name = '\0';
	if (fd < 0)
		return;
	if (!program_info(fd, &info, NULL, &maps))
		memcpy(name, info.name, sizeof(info.name));
	close(fd);
}

/* The link that holds the program on the device; 0: none does. */
static __u32 find_link(const struct device *device)
{
	struct bpf_link_info info;
	__u32 id = 0;

	while (!link_next_id(&id)) {
		int link = link_open_id(id), result;

		if (link < 0)
			continue;
		result = link_info(link, &info);
		close(link);
		if (!result && info.type == BPF_LINK_TYPE_XDP && info.prog_id == device->program &&
		    (int)info.xdp.ifindex == device->ifindex)
			return id;
	}
	return 0;
}

/* What takes somebody else's program off, by how it was put there, and ours on. */
static struct shell replace_command(const struct patient *patient)
{
	const struct device *device = &patient->port.device;
	struct shell off = generic_off(&patient->port);
	__u32 link = find_link(device);

	if (!strcmp(patient->program, "xdp_dispatcher"))
		off = run_in(&patient->port.netns, "xdp-loader unload %s --all",
			     quoted(device->name).s);
	else if (link)
		snprintf(off.s, sizeof(off.s), "bpftool link detach id %u", link);
	else if (is_native(device))
		return attach_command(patient, device, "-force ");
	return both(off, attach_command(patient, device, ""));
}

void check_program(struct patient *patient)
{
	const struct device *device = &patient->port.device;
	struct place *places = NULL;
	struct shell command;
	int count;

	if (!device->program) {
		command = attach_command(patient, device, "");
		report(patient, "not-attached", &command, "nothing balances until it is attached",
		       "no XDP program on %s", device->name);
		return;
	}
	read_program_name(device->program, patient->program);
	count = find_places(&patient->port.netns, &places);
	for (int i = 0; i < count; i++)
		patient->is_ours |= places[i].ifindex == device->ifindex;
	free(places);
	if (patient->is_ours)
		return;
	command = replace_command(patient);
	report(patient, "another-program", &command,
	       "a device runs one XDP program, and this one is not the balancer",
	       "another program on %s, id %u, '%s'", device->name, device->program,
	       patient->program);
}

/* Whether it is our program of section xdp, which takes frames of one page only. */
static bool is_one_page_program(const struct patient *patient)
{
	return patient->is_ours && !strcmp(patient->program, "xdp_lb");
}

static void check_mode(struct patient *patient)
{
	const struct device *device = &patient->port.device;
	bool generic = is_generic(device), too_large;
	struct shell command;

	too_large = is_one_page_program(patient) && is_large(mtu_of(patient, device));
	if (!patient->is_ours || !takes_native(patient, device) || (!generic && !too_large))
		return;
	command = attach_command(patient, device, generic ? "" : "-force ");
	if (generic)
		command = both(generic_off(&patient->port), command);
	if (too_large)
		report(patient, "mtu", &command,
		       "native mode takes frames of one page in section xdp, and larger ones in "
		       "section xdp.frags",
		       "MTU %u is too large for the section xdp that %s runs%s",
		       mtu_of(patient, device), device->name, generic ? " in generic mode" : "");
	else
		report(patient, "generic", &command,
		       "slower than native mode, which this driver has; switching takes a moment "
		       "in which the host resets connections",
		       "XDP on %s is in generic mode", device->name);
}

static void check_state(struct patient *patient)
{
	const struct device *device = &patient->port.device;
	struct shell command;

	if (device->is_up)
		return;
	command = run_in(&patient->port.netns, "ip link set dev %s up", quoted(device->name).s);
	report(patient, "down", &command, "no packet comes or goes", "%s is down", device->name);
}

/* Drivers that want a queue of its own for what each CPU sends by XDP. */
static void check_nic_queues(struct patient *patient)
{
	const struct device *device = &patient->port.device;
	__u32 cpus = sysconf(_SC_NPROCESSORS_CONF), most;
	bool virtio = !strcmp(patient->driver, "virtio_net");
	struct channels channels;
	struct shell command;

	if (!virtio && strcmp(patient->driver, "ena") && strcmp(patient->driver, "gve"))
		return;
	if (ethtool_channels(patient->port.ethtool, device->name, &channels))
		return;
	most = channels.max_combined / 2;
	if (virtio)
		most = channels.max_combined > cpus ? channels.max_combined - cpus : 0;
	if (channels.combined <= most)
		return;
	command = run_in(&patient->port.netns, "ethtool -L %s combined %u", quoted(device->name).s,
			 most);
	if (!most)
		snprintf(command.s, sizeof(command.s),
			 "(QEMU) -netdev tap,queues=%u,... -device "
			 "virtio-net-pci,mq=on,vectors=%u,...",
			 2 * cpus, 4 * cpus + 2);
	report(patient, "queues", &command,
	       virtio ? "XDP wants one more for each CPU, or sends under a lock, or not at all" :
			"XDP wants as many again, or is refused",
	       "too few queues for XDP on %s: %u in use, of %u", device->name, channels.combined,
	       channels.max_combined);
}

/* A veth takes a native program only if each queue that its peer sends by has one here. */
static void check_veth_queues(struct patient *patient)
{
	const struct device *device = &patient->port.device, *peer = &patient->peer.device;
	struct channels here, there;
	struct shell command;

	if (ethtool_channels(patient->port.ethtool, device->name, &here) ||
	    ethtool_channels(patient->peer.ethtool, peer->name, &there) || here.rx >= there.tx)
		return;
	if (here.max_rx >= there.tx)
		command = run_in(&patient->port.netns, "ethtool -L %s rx %u",
				 quoted(device->name).s, there.tx);
	else
		command = run_in(&patient->peer.netns, "ethtool -L %s tx %u", quoted(peer->name).s,
				 here.rx);
	report(patient, "queues", &command, "native XDP is refused unless it has as many",
	       "too few queues for XDP on %s: it receives by %u, its peer %s sends by %u",
	       device->name, here.rx, peer->name, there.tx);
}

static void check_rx_vlan(struct patient *patient)
{
	const struct port *port = &patient->port;
	struct shell command;

	if (ethtool_rx_vlan(port->ethtool, port->device.name) <= 0)
		return;
	command = run_in(&port->netns, "ethtool -K %s rxvlan off", quoted(port->device.name).s);
	report(patient, "vlan", &command,
	       "the balancer does not see the tag, and would answer without it",
	       "VLAN offload (rxvlan) of %s hides tags", port->device.name);
}

void check_stub(struct patient *patient, const struct port *peer, const struct device *device)
{
	__u32 mtu = device->mtu > peer->device.mtu ? device->mtu : peer->device.mtu;
	struct shell command;

	if (is_native(&peer->device))
		return;
	command = run_in(&peer->netns, "ip link set dev %s xdpdrv obj %s sec %s",
			 quoted(peer->device.name).s, path_of("stub.bpf.o").s, section_for(mtu));
	if (is_generic(&peer->device))
		command = both(generic_off(peer), command);
	report(patient, "stub", &command,
	       "a veth takes what is sent to it by XDP only if it runs a native program (the stub)",
	       "no stub on %s, the peer of %s", peer->device.name, device->name);
}

static void check_peer_offloads(struct patient *patient)
{
	const struct port *peer = &patient->peer;
	struct shell command;

	if (ethtool_tx_checksum(peer->ethtool, peer->device.name) > 0) {
		command = run_in(&peer->netns, "ethtool -K %s tx off", quoted(peer->device.name).s);
		report(patient, "tx-checksum", &command,
		       "what native XDP sends on has an unfinished checksum, and is thrown away",
		       "tx checksum offload is on at %s, the peer of %s", peer->device.name,
		       patient->port.device.name);
	}
	if (ethtool_tx_vlan(peer->ethtool, peer->device.name) > 0) {
		command = run_in(&peer->netns, "ethtool -K %s txvlan off",
				 quoted(peer->device.name).s);
		report(patient, "vlan", &command,
		       "tags come beside the frame, and what is sent on has none",
		       "VLAN offload (txvlan) of %s, the peer of %s, hides tags", peer->device.name,
		       patient->port.device.name);
	}
}

static void check_peer_mtu(struct patient *patient)
{
	const struct port *here = &patient->port, *peer = &patient->peer, *less;
	__u32 mtu = mtu_of(patient, &patient->port.device);
	struct shell command;

	if (here->device.mtu == peer->device.mtu)
		return;
	less = here->device.mtu < peer->device.mtu ? here : peer;
	command = run_in(&less->netns, "ip link set dev %s mtu %u", quoted(less->device.name).s,
			 mtu);
	report(patient, "mtu", &command, "a veth drops frames that are too long for it silently",
	       "MTU %u of %s, but %u of its peer %s", here->device.mtu, here->device.name,
	       peer->device.mtu, peer->device.name);
}

static void check_peer(struct patient *patient)
{
	const struct device *device = &patient->port.device;

	if (!patient->peer.device.is_up) {
		struct shell command = run_in(&patient->peer.netns, "ip link set dev %s up",
					      quoted(patient->peer.device.name).s);

		report(patient, "down", &command, "no packet comes or goes",
		       "%s, the peer of %s, is down", patient->peer.device.name, device->name);
	}
	if (!is_native(device))
		check_veth_queues(patient);
	if (!is_generic(device)) {
		check_stub(patient, &patient->peer, device);
		check_peer_offloads(patient);
	}
	check_peer_mtu(patient);
}

void check_device(struct patient *patient)
{
	check_state(patient);
	check_mode(patient);
	check_nic_queues(patient);
	check_rx_vlan(patient);
	if (patient->has_peer)
		check_peer(patient);
}
