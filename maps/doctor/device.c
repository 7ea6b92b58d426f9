// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "doctor/device.h"
#include "doctor/finding.h"
#include "doctor/program.h"
#include "doctor/shell_command.h"

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
