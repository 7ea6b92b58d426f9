#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Brings up the lab: five network namespaces, nothing on the host. LAB=name prefixes their names.
# What is there already is kept and put right, so that it can be run again at any time.
#
#    h1 the client      h2 backend        h3 backend        lb the balancer
#    veth0 10.0.0.1     veth3 10.0.0.2    veth5 10.0.0.3    veth6 10.0.0.10
#    fd00:10::1         fd00:10::2        fd00:10::3        fd00:10::10
#      |                  |                 |                 |
#    veth1              veth2             veth4             veth7
#    +--------------------- br0, in namespace sw ---------------------+
set -euo pipefail
. "$(dirname "$(realpath "$0")")/lib.sh"

prefix=${LAB:+$LAB-}
added=()

roll_back()
{
	local ns

	for ns in "${added[@]}"; do
		cmd ip netns del "$ns" || true
	done
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

switch()
{
	in_netns "$sw" ip link show dev br0 >/dev/null 2>&1 ||
		cmd_in "$sw" ip link add br0 type bridge mcast_snooping 0
	cmd_in "$sw" ip link set dev br0 up
}

host() # NAME DEV PORT NUMBER
{
	local ns=$prefix$1 dev=$2 port=$3 number=$4 mac

	mac=de:ad:be:ef:00:$(printf %02d "$number")
	in_netns "$ns" ip link show dev "$dev" >/dev/null 2>&1 ||
		cmd_in "$sw" ip link add "$port" type veth \
			peer name "$dev" address "$mac" netns "$ns"
	cmd_in "$ns" ip link set dev "$dev" address "$mac" up
	cmd_in "$sw" ip link set dev "$port" master br0 up
	cmd_in "$ns" ip addr replace "10.0.0.$number/24" dev "$dev"
	cmd_in "$ns" ip addr replace "fd00:10::$number/64" dev "$dev" nodad
}

# What native XDP on the balancer's veth asks of its peer: a program, without which nothing that is
# sent by XDP_TX or a redirect arrives; no checksum offload, since a packet sent on by XDP has lost
# the state that says its checksum is still to be finished; and no VLAN offload, which has the tags
# travel beside the frame, where XDP does not see them.
balancer_port() # PORT HOST DEV
{
	cmd_in "$sw" ip -force link set dev "$1" xdpdrv obj "$stub" sec xdp
	cmd_in "$sw" ethtool -K "$1" tx off txvlan off >/dev/null
	cmd_in "$prefix$2" ethtool -K "$3" rxvlan off >/dev/null
}

need_root
stub=$(find_built stub.bpf.o)
sw=${prefix}sw
trap '[ $? = 0 ] || roll_back' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

for name in sw h1 h2 h3 lb; do
	namespace "$name"
done
switch
host h1 veth0 veth1 1
host h2 veth3 veth2 2
host h3 veth5 veth4 3
host lb veth6 veth7 10
balancer_port veth7 lb veth6
