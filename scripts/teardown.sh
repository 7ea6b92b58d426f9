#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Takes the lab of setup.sh down (LAB=name as there): what runs in its namespaces, a balancer that
# is attached there and its pins, and the namespaces. Also what is left of half a lab.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/lab.sh"

# Takes every XDP program off the balancer's devices: their pins can go only after them.
detach_all() # NS
{
	local dev mode

	for dev in $(in_netns "$1" ip -j link show | jq -r '.[].ifname'); do
		xdp_programs "$1" "$dev" | while read -r mode _; do
			cmd_in "$1" ip link set dev "$dev" "$mode" off
		done
	done
}

need_root
[ ! -e "/run/netns/${prefix}lb" ] || detach_all "${prefix}lb" || true
remove_unused_pins
for name in h1 h2 h3 lb sw; do
	remove_namespace "$name"
done
