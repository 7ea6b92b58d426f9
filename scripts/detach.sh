#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# detach.sh [-n NETNS] DEV: takes the balancer off a device; and removes the pins of its maps, if
# no program that is loaded, on whatever device in whatever namespace, uses them. With the last device
# of the namespace go the routes by which its addresses are announced.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/lib.sh"

readonly ANNOUNCED=120 # ROUTE_PROTOCOL in maps/kernel/netlink.h

ns=''

detach() # MODE ID
{
	is_balancer "$2" ||
		die "$dev has XDP program id $2, which is not this balancer: nothing was changed"
	cmd_in "$ns" ip link set dev "$dev" "$1" off
	echo "xdp-lb is detached from $dev${ns:+ in $ns}"
}

# What `xdp-lb watch announce` has announced is there no more: routes of its own protocol.
withdraw_addresses()
{
	local family other id

	while read -r other; do
		for id in $(xdp_programs "$ns" "$other" | cut -d ' ' -f 2); do
			! is_balancer "$id" || return 0
		done
	done < <(in_netns "$ns" ip -j link show | jq -r '.[].ifname')
	for family in 4 6; do
		[ -z "$(in_netns "$ns" ip "-$family" route show table all proto $ANNOUNCED)" ] ||
			cmd_in "$ns" ip "-$family" route flush table all proto $ANNOUNCED
	done
}

while getopts n: option; do
	case $option in
	n) ns=$OPTARG ;;
	*) usage "$program [-n NETNS] DEV" ;;
	esac
done
shift $((OPTIND - 1))
dev=${1-}
[ $# = 1 ] && [ -n "$dev" ] || usage "$program [-n NETNS] DEV, or make detach DEV=name"

need_root
need_device "$ns" "$dev"
programs=$(xdp_programs "$ns" "$dev")
[ -n "$programs" ] || echo "nothing is attached to $dev${ns:+ in $ns}"
while read -r mode id; do
	[ -z "$id" ] || detach "$mode" "$id"
done <<<"$programs"
withdraw_addresses
remove_unused_pins
