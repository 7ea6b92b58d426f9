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

bool is_native(const struct device *device)
{
	return device->program && device->xdp_mode != XDP_ATTACHED_SKB;
}

bool is_generic(const struct device *device)
{
	return device->program && device->xdp_mode == XDP_ATTACHED_SKB;
}

__u32 mtu_of(const struct exam *exam, const struct device *device)
{
	bool is_examined = device->ifindex == exam->subject.device.ifindex;

	if (is_examined && exam->has_peer && exam->peer.device.mtu > device->mtu)
		return exam->peer.device.mtu;
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

/* Without a mode the kernel takes the driver's own XDP, and the generic one where it has none. */
struct command_line attach_command(const struct exam *exam, const struct device *device,
				   const char *words)
{
	return run_in(&exam->subject.netns, "ip %slink set dev %s xdp obj %s sec %s", words,
		      quoted(device->name).s, path_of("xdp_lb.bpf.o").s,
		      section_for(mtu_of(exam, device)));
}

struct command_line generic_off(const struct netns_device *subject)
{
	return run_in(&subject->netns, "ip link set dev %s xdpgeneric off",
		      quoted(subject->device.name).s);
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
static struct command_line replace_command(const struct exam *exam)
{
	const struct device *device = &exam->subject.device;
	struct command_line off = generic_off(&exam->subject);
	__u32 link = find_link(device);

	if (!strcmp(exam->program, "xdp_dispatcher"))
		off = run_in(&exam->subject.netns, "xdp-loader unload %s --all",
			     quoted(device->name).s);
	else if (link)
		snprintf(off.s, sizeof(off.s), "bpftool link detach id %u", link);
	else if (is_native(device))
		return attach_command(exam, device, "-force ");
	return both(off, attach_command(exam, device, ""));
}

void check_program(struct exam *exam)
{
	const struct device *device = &exam->subject.device;
	struct place *places = NULL;
	struct command_line command;
	int count;

	if (!device->program) {
		command = attach_command(exam, device, "");
		report(exam, "not-attached", CERTAIN, &command,
		       "nothing balances until it is attached", "no XDP program on %s",
		       device->name);
		return;
	}
	read_program_name(device->program, exam->program);
	count = find_places(&exam->subject.netns, &places);
	for (int i = 0; i < count; i++)
		exam->is_ours |= places[i].ifindex == device->ifindex;
	free(places);
	if (exam->is_ours)
		return;
	command = with_purpose(replace_command(exam), MENDS_AT_REST);
	report(exam, "another-program", CERTAIN, &command,
	       "a device runs one XDP program, and this one is not the balancer; whatever it does "
	       "ends when it is replaced",
	       "another program on %s, id %u, '%s'", device->name, device->program, exam->program);
}

/* Whether it is our program of section xdp, which takes frames of one page only. */
static bool is_one_page_program(const struct exam *exam)
{
	return exam->is_ours && !strcmp(exam->program, "xdp_lb");
}

void check_mode(struct exam *exam)
{
	const struct device *device = &exam->subject.device;
	bool generic = is_generic(device), too_large;
	struct command_line command;

	too_large = is_one_page_program(exam) && is_large(mtu_of(exam, device));
	if (!exam->is_ours || !exam->takes_native || (!generic && !too_large))
		return;
	command = attach_command(exam, device, generic ? "" : "-force ");
	if (generic)
		command = with_purpose(both(generic_off(&exam->subject), command), MENDS_AT_REST);
	if (too_large)
		report(exam, "mtu", CERTAIN, &command,
		       "native mode needs section xdp.frags for frames larger than a page",
		       "MTU %u is too large for the section xdp that %s runs%s",
		       mtu_of(exam, device), device->name, generic ? " in generic mode" : "");
	else
		report(exam, "generic", CERTAIN, &command,
		       "native mode, which this driver has, is faster; while it is switched the "
		       "balancer is off for a moment, and the host resets connections",
		       "XDP on %s is in generic mode", device->name);
}
