// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_link.h>

#include "doctor/finding.h"
#include "doctor/program.h"
#include "kernel/bpf.h"
#include "model/attachment.h"

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

bool is_native(const struct device *device)
{
	return device->program && device->xdp_mode != XDP_ATTACHED_SKB;
}

bool is_generic(const struct device *device)
{
	return device->program && device->xdp_mode == XDP_ATTACHED_SKB;
}

__u32 mtu_of(const struct patient *patient, const struct device *device)
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

const char *section_for(__u32 mtu)
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

struct shell generic_off(const struct port *port)
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

void check_mode(struct patient *patient)
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
