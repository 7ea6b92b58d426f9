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

need_root
if in_netns "${prefix}lb" ip link show dev veth6 >/dev/null 2>&1; then
	"$here/detach.sh" -n "${prefix}lb" veth6
fi
for name in h1 h2 h3 lb sw; do
	ns=$prefix$name
	[ -e "/run/netns/$ns" ] || continue
	end_processes "$ns"
	cmd ip netns del "$ns"
done
