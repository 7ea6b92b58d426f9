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
. "$(dirname "$(realpath "$0")")/lab.sh"

host() # NAME DEV PORT NUMBER
{
	local ns=$prefix$1 dev=$2 port=$3 number=$4 mac

	mac=de:ad:be:ef:00:$(printf %02d "$number")
	plug "$1" "$dev" "$mac" sw "$port"
	cmd_in "$ns" ip addr replace "10.0.0.$number/24" dev "$dev"
	cmd_in "$ns" ip addr replace "fd00:10::$number/64" dev "$dev" nodad
}

need_root
roll_back_on_failure

for name in sw h1 h2 h3 lb; do
	namespace "$name"
done
switch sw
host h1 veth0 veth1 1
host h2 veth3 veth2 2
host h3 veth5 veth4 3
host lb veth6 veth7 10
balancer_port sw veth7 lb veth6
