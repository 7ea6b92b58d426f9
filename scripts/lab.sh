# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the labs share (setup.sh, teardown.sh, fleet.sh): hosts are network namespaces, whose names
# LAB=name prefixes; the switch is a bridge in one of its own.
. "$(dirname "$(realpath "$0")")/lib.sh"

prefix=${LAB:+$LAB-}
added=() # namespaces that were not there before

roll_back()
{
	local ns

	for ns in "${added[@]}"; do
		end_processes "$ns"
		cmd ip netns del "$ns" || true
	done
}

# What has been added goes again if the script fails.
roll_back_on_failure()
{
	trap '[ $? = 0 ] || roll_back' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

namespace() # NAME
{
	local ns=$prefix$1

	if [ ! -e "/run/netns/$ns" ]; then
		added+=("$ns")
		cmd ip netns add "$ns"
	fi
	cmd "$here/settings.sh" "$ns"
	cmd_in "$ns" ip link set dev lo up
}

has_device() # NS DEV
{
	in_netns "$1" ip link show dev "$2" >/dev/null 2>&1
}

switch() # NAME
{
	local ns=$prefix$1

	has_device "$ns" br0 || cmd_in "$ns" ip link add br0 type bridge mcast_snooping 0
	cmd_in "$ns" ip link set dev br0 up
}

# A pair of devices. A port may still be there whose host has gone: the kernel takes its time.
cable() # HOST DEV OTHER PORT [WORD...]
{
	has_device "$prefix$1" "$2" && return
	in_netns "$prefix$3" ip link del "$4" 2>/dev/null || true
	cmd_in "$prefix$3" ip link add "$4" type veth \
		peer name "$2" "${@:5}" netns "$prefix$1"
}

# Connects a host's device with a port of a switch.
plug() # HOST DEV MAC SWITCH PORT
{
	local ns=$prefix$1 dev=$2 mac=$3 sw=$prefix$4 port=$5

	cable "$1" "$dev" "$4" "$port" address "$mac"
	cmd_in "$ns" ip link set dev "$dev" address "$mac" up
	cmd_in "$sw" ip link set dev "$port" master br0 up
}

# What native XDP on the balancer's veth asks of its peer: a program, without which nothing that is
# sent by XDP_TX or a redirect arrives; no checksum offload, since a packet sent on by XDP has lost
# the state that says its checksum is still to be finished; and no VLAN offload, which has the tags
# travel beside the frame, where XDP does not see them.
balancer_port() # SWITCH PORT HOST DEV
{
	cmd_in "$prefix$1" ip -force link set dev "$2" xdpdrv obj "$(find_built stub.bpf.o)" sec xdp
	cmd_in "$prefix$1" ethtool -K "$2" tx off txvlan off >/dev/null
	cmd_in "$prefix$3" ethtool -K "$4" rxvlan off >/dev/null
}

# With a signal's NAME: at once, without a word.
end_processes() # NS [SIGNAL]
{
	local pids

	pids=$(ip netns pids "$1")
	# shellcheck disable=SC2086 # a word each
	[ -z "$pids" ] || cmd kill ${2:+-"$2"} $pids || true
}

remove_namespace() # NAME [SIGNAL]
{
	local ns=$prefix$1

	[ -e "/run/netns/$ns" ] || return 0
	end_processes "$ns" "${2-}"
	cmd ip netns del "$ns"
}
