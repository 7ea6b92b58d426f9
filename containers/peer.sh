#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# peer.sh PID [DEV]: finds the peer, in this network namespace, of the veth DEV (eth0) of the container
# whose process is PID, and prepares it for native XDP there: scripts/setup.sh says why. To be run
# where the engine's bridge is, each time the container was started.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/../scripts/lib.sh"

in_container() # COMMAND...: this host's programs, in the container's network namespace
{
	nsenter --net="/proc/$pid/ns/net" -- "$@"
}

# By its index: a name says nothing. An index of another namespace's may be there as well, so the
# device must in turn name the container's as its peer.
find_peer()
{
	local own other

	read -r own other < <(in_container ip -j link show dev "$dev" |
		jq -r '.[0] | "\(.ifindex) \(.link_index // 0)"')
	ip -j -d link show type veth | jq -r --argjson own "$own" --argjson other "$other" \
		'.[] | select(.ifindex == $other and .link_index == $own) | .ifname'
}

[ $# = 1 ] || [ $# = 2 ] || usage "$program PID [DEV]"
[[ $1 =~ ^[1-9][0-9]*$ ]] || usage "$program PID [DEV]: bad PID '$1'"
pid=$1 dev=${2-eth0}
need_root
[ -e "/proc/$pid/ns/net" ] || die "no process $pid"
in_container ip link show dev "$dev" >/dev/null 2>&1 || die "process $pid has no device '$dev'"
stub=$(realpath "$here/..")/stub.bpf.o
[ -e "$stub" ] || die "stub.bpf.o is not built: run 'make'"
peer=$(find_peer)
[ -n "$peer" ] || die "$dev of process $pid has no veth peer in this network namespace"
cmd ip -force link set dev "$peer" xdpdrv obj "$stub" sec xdp
cmd ethtool -K "$peer" tx off txvlan off >/dev/null
in_container ethtool -K "$dev" rxvlan off >/dev/null
