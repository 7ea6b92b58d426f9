#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Takes the lab of setup.sh down (LAB=name as there): what runs in its namespaces, a balancer that
# is attached there and its pins, and the namespaces. Also what is left of half a lab.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/lib.sh"

prefix=${LAB:+$LAB-}

end_processes() # NS
{
	local pids

	pids=$(ip netns pids "$1")
	# shellcheck disable=SC2086 # a word each
	[ -z "$pids" ] || cmd kill $pids || true
}

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
	ns=$prefix$name
	[ -e "/run/netns/$ns" ] || continue
	end_processes "$ns"
	cmd ip netns del "$ns"
done
