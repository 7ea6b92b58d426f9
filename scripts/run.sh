#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run.sh [-n NETNS] DEV IP MAC [IP MAC]...: attaches the balancer to DEV, balances every TCP port of
# DEV's address over the given backends, and detaches on Ctrl+C. SSH to that address goes to the
# backends as well.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/lib.sh"

ns='' added='' sleeper=''

# The address of DEV that is of the family of ADDRESS, as a VIP has it.
vip_like() # ADDRESS
{
	local family=-4 address

	[ "${1/:/}" = "$1" ] || family=-6
	address=$(in_netns "$ns" ip "$family" -j addr show dev "$dev" scope global |
		jq -r 'first(.[].addr_info[]? | .local) // ""')
	[ -n "$address" ] || die "$dev has no IPv${family#-} address"
	[ "$family" = -4 ] && echo "$address" || echo "[$address]"
}

xdp_lb()
{
	cmd "$helper" ${ns:+-n "$ns"} -d "$dev" "$@"
}

stop()
{
	[ -z "$sleeper" ] || kill "$sleeper" 2>/dev/null || true
	[ -z "$added" ] || xdp_lb service del "$vip" || true
	"$here/detach.sh" ${ns:+-n "$ns"} "$dev"
}

while getopts n: option; do
	case $option in
	n) ns=$OPTARG ;;
	*) usage "$program [-n NETNS] DEV IP MAC [IP MAC]..." ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 3 ] && [ $(($# % 2)) = 1 ] || usage "$program [-n NETNS] DEV IP MAC [IP MAC]..."
dev=$1
shift

need_root
need_device "$ns" "$dev"
helper=$(find_built xdp-lb)
vip="$(vip_like "$1"):*/tcp"
trap 'exit 0' INT TERM
"$here/attach.sh" ${ns:+-n "$ns"} "$dev"
trap stop EXIT
xdp_lb service add "$vip"
added=yes

number=0
while [ $# -gt 0 ]; do
	xdp_lb backend add "$vip" "$1" mac "$2"
	echo "Backend $((++number)): IP $1, MAC $2"
	shift 2
done
echo "Balancing $vip on $dev. Ctrl+C stops and detaches."
sleep infinity &
sleeper=$!
wait
