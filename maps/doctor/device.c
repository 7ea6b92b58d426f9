// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "doctor/device.h"
#include "doctor/finding.h"
#include "doctor/program.h"
#include "doctor/command_line.h"

static void check_state(struct exam *exam)
{
	const struct device *device = &exam->subject.device;
	struct command_line command;

	if (device->is_up)
		return;
	command = run_in(&exam->subject.netns, "ip link set dev %s up", quoted(device->name).s);
	report(exam, "down", CERTAIN, &command, "it neither receives nor sends", "%s is down",
	       device->name);
}

/* Drivers that need further queues for what XDP sends: one for each CPU, or as many again. */
static void check_nic_queues(struct exam *exam)
{
	const struct device *device = &exam->subject.device;
	__u32 cpus = sysconf(_SC_NPROCESSORS_CONF), most;
	bool virtio = !strcmp(exam->driver, "virtio_net");
	struct channels channels;
	struct command_line command;

	if (!virtio && strcmp(exam->driver, "ena") && strcmp(exam->driver, "gve"))
		return;
	if (!virtio && is_native(device)) /* it was not refused */
		return;
	if (ethtool_channels(exam->subject.ethtool, device->name, &channels))
		return;
	most = channels.max_combined / 2;
	if (virtio)
		most = channels.max_combined > cpus ? channels.max_combined - cpus : 0;
	if (channels.combined <= most)
		return;
	command = run_in(&exam->subject.netns, "ethtool -L %s combined %u", quoted(device->name).s,
			 most);
	if (!most)
		snprintf(command.s, sizeof(command.s),
			 "(QEMU) -netdev tap,queues=%u,... -device "
			 "virtio-net-pci,mq=on,vectors=%u,...",
			 2 * cpus, 4 * cpus + 2);
	command.purpose = MENDS_AT_REST; /* it resets the device */
	report(exam, "queues", CERTAIN, &command,
	       virtio ? "XDP needs one more for each CPU; else it sends under a lock, or not at "
			"all" :
			"native XDP needs as many again, and is refused without them",
	       "too few queues for XDP on %s: %u in use, of %u", device->name, channels.combined,
	       channels.max_combined);
}

/* A veth takes a native program only if each queue that its peer sends by has one here. */
static void check_veth_queues(struct exam *exam)
{
	const struct device *device = &exam->subject.device, *peer = &exam->peer.device;
	struct channels here, there;
	struct command_line command;

	if (ethtool_channels(exam->subject.ethtool, device->name, &here) ||
	    ethtool_channels(exam->peer.ethtool, peer->name, &there) || here.rx >= there.tx)
		return;
	if (here.max_rx >= there.tx)
		command = run_in(&exam->subject.netns, "ethtool -L %s rx %u",
				 quoted(device->name).s, there.tx);
	else
		command = run_in(&exam->peer.netns, "ethtool -L %s tx %u", quoted(peer->name).s,
				 here.rx);
	report(exam, "queues", CERTAIN, &command, "native XDP is refused until it has as many",
	       "too few queues for XDP on %s: it receives by %u, its peer %s sends by %u",
	       device->name, here.rx, peer->name, there.tx);
}

static void check_rx_vlan(struct exam *exam)
{
	const struct netns_device *subject = &exam->subject;
	struct command_line command;

	if (ethtool_rx_vlan(subject->ethtool, subject->device.name) <= 0)
		return;
	command = run_in(&subject->netns, "ethtool -K %s rxvlan off",
			 quoted(subject->device.name).s);
	if (!*subject->device.kind) /* hardware: some drivers reset the device */
		command.purpose = MENDS_AT_REST;
	report(exam, "vlan", CERTAIN, &command,
	       "the balancer does not see the tag, and sends packets on without it",
	       "VLAN offload (rxvlan) of %s hides tags", subject->device.name);
}

void check_stub(struct exam *exam, const struct netns_device *peer, const struct device *device)
{
	__u32 mtu = device->mtu > peer->device.mtu ? device->mtu : peer->device.mtu;
	struct command_line command;

	if (is_native(&peer->device))
		return;
	command = run_in(&peer->netns, "ip link set dev %s xdpdrv obj %s sec %s",
			 quoted(peer->device.name).s, path_of("stub.bpf.o").s, section_for(mtu));
	if (is_generic(&peer->device))
		command = both(generic_off(peer), command);
	report(exam, "stub", CERTAIN, &command,
	       "a veth receives what its peer sends by XDP only if a native program (the stub) "
	       "runs on it",
	       "no stub on %s, the peer of %s", peer->device.name, device->name);
}

static void check_peer_offloads(struct exam *exam)
{
	const struct netns_device *peer = &exam->peer;
	struct command_line command;

	if (ethtool_tx_checksum(peer->ethtool, peer->device.name) > 0) {
		command = run_in(&peer->netns, "ethtool -K %s tx off", quoted(peer->device.name).s);
		report(exam, "tx-checksum", CERTAIN, &command,
		       "packets come with unfinished checksums, and are dropped after native XDP "
		       "has "
		       "sent them on",
		       "tx checksum offload is on at %s, the peer of %s", peer->device.name,
		       exam->subject.device.name);
	}
	if (ethtool_tx_vlan(peer->ethtool, peer->device.name) > 0) {
		command = run_in(&peer->netns, "ethtool -K %s txvlan off",
				 quoted(peer->device.name).s);
		report(exam, "vlan", CERTAIN, &command,
		       "tags come beside the frame, and packets are sent on without them",
		       "VLAN offload (txvlan) of %s, the peer of %s, hides tags", peer->device.name,
		       exam->subject.device.name);
	}
}

static void check_peer_mtu(struct exam *exam)
{
	const struct netns_device *here = &exam->subject, *peer = &exam->peer, *less;
	__u32 mtu = mtu_of(exam, &exam->subject.device);
	struct command_line command;

	if (here->device.mtu == peer->device.mtu)
		return;
	less = here->device.mtu < peer->device.mtu ? here : peer;
	command = run_in(&less->netns, "ip link set dev %s mtu %u", quoted(less->device.name).s,
			 mtu);
	report(exam, "mtu", CERTAIN, &command,
	       "a veth silently drops frames that are longer than its MTU",
	       "MTU %u of %s, but %u of its peer %s", here->device.mtu, here->device.name,
	       peer->device.mtu, peer->device.name);
}

static void check_peer(struct exam *exam)
{
	const struct device *device = &exam->subject.device;

	if (!exam->peer.device.is_up) {
		struct command_line command = run_in(&exam->peer.netns, "ip link set dev %s up",
						     quoted(exam->peer.device.name).s);

		report(exam, "down", CERTAIN, &command, "it neither receives nor sends",
		       "%s, the peer of %s, is down", exam->peer.device.name, device->name);
	}
	if (!is_native(device))
		check_veth_queues(exam);
	if (!is_generic(device)) {
		check_stub(exam, &exam->peer, device);
		check_peer_offloads(exam);
	}
	check_peer_mtu(exam);
}

void check_device(struct exam *exam)
{
	check_state(exam);
	check_mode(exam);
	check_nic_queues(exam);
	check_rx_vlan(exam);
	if (exam->has_peer)
		check_peer(exam);
}
