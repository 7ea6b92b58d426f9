#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# detach.sh [-n NETNS] DEV: takes the balancer off a device; and removes the pins of its maps, if
# no program that is loaded, on whatever device in whatever namespace, uses them. Before the last device
# of the namespace go the routes by which its addresses are announced: no packet is to come to a host
# without a balancer, which would forward answers of mode dnat as they are.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/lib.sh"

readonly ANNOUNCED=120 # ROUTE_PROTOCOL in maps/kernel/netlink.h
readonly HEARD=1 # second, until all routers have heard what is withdrawn: BIRD's after some 20 ms

ns=''

need_balancer() # MODE ID
{
	is_balancer "$2" ||
		die "$dev has XDP program id $2, which is not this balancer: nothing was changed"
}

detach() # MODE ID
{
	cmd_in "$ns" ip link set dev "$dev" "$1" off
	echo "xdp-lb is detached from $dev${ns:+ in $ns}"
}

each_program() # FUNCTION
{
	local mode id

	while read -r mode id; do
		[ -z "$id" ] || "$1" "$mode" "$id"
	done <<<"$programs"
}

# Whether another device of the namespace has a balancer.
has_another()
{
	local other id

	while read -r other; do
		for id in $(xdp_programs "$ns" "$other" | cut -d ' ' -f 2); do
			! is_balancer "$id" || return 0
		done
	done < <(in_netns "$ns" ip -j link show |
		jq -r --arg dev "$dev" '.[].ifname | select(. != $dev)')
	return 1
}

# What `xdp-lb watch announce` has announced: routes of its own protocol.
announced() # FAMILY
{
	in_netns "$ns" ip "-$1" route show table all proto $ANNOUNCED
}

withdraw_addresses()
{
	local family

	for family in 4 6; do
		[ -z "$(announced $family)" ] ||
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
need_lasting_sys "$ns" "$dev"
need_device "$ns" "$dev"
programs=$(xdp_programs "$ns" "$dev")
[ -n "$programs" ] || echo "nothing is attached to $dev${ns:+ in $ns}"
each_program need_balancer
is_last=yes
! has_another || is_last=''
if [ -n "$is_last" ] && [ -n "$(announced 4)$(announced 6)" ]; then
	withdraw_addresses
	sleep $HEARD
fi
each_program detach
[ -z "$is_last" ] || withdraw_addresses # what a watch has brought back meanwhile
remove_unused_pins
