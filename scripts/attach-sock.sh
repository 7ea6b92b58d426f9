#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# attach-sock.sh [-n NETNS] [-d DEV] CGROUP: from now on, what the processes in CGROUP (of cgroup2)
# connect or send to a VIP goes to a backend, chosen as they do so. It goes by the configuration of
# the balancer that -n and -d say, or of the one in this network namespace; where there is none, by
# maps of its own, to be configured by `xdp-lb -p /sys/fs/bpf/xdp-lb-sock`.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/lib.sh"
# shellcheck source=scripts/sock.sh
. "$here/sock.sh"

readonly WORDS="$program [-n NETNS] [-d DEV] CGROUP"
# Those of a balancer's maps that the programs use.
readonly SHARED='xlb_config xlb_vips xlb_services xlb_tables xlb_backends xlb_svc_stats xlb_be_stats
	xlb_trace'

ns='' dev='' loaded='' attached=''

roll_back()
{
	local status=$?

	[ $status = 0 ] || [ -z "$attached" ] || detach_programs "$cgroup"
	[ -z "$loaded" ] || rm -rf "$loaded"
	[ $status = 0 ] || remove_own_maps
}

# The XDP programs of balancers that -n and -d name, or that are in this namespace; "ID DEV" lines.
balancer_programs()
{
	local device id

	in_netns "$ns" ip -j link show | jq -r '.[].ifname' | while read -r device; do
		[ -z "$dev" ] || [ "$device" = "$dev" ] || continue
		for id in $(xdp_programs "$ns" "$device" | cut -d ' ' -f 2); do
			! is_balancer "$id" || echo "$id $device"
		done
	done
}

# Finds the one balancer, if there is one: $owner is one of its programs, and $at its place.
find_balancer()
{
	local programs id device balancer=''

	programs=$(balancer_programs)
	owner='' at=''
	while read -r id device; do
		[ -n "$id" ] || continue
		[ -z "$balancer" ] || [ "$balancer" = "$(balancer_of "$id")" ] ||
			die "several balancers: choose one, by -d $device or another device" \
				"(make attach-sock DEV=$device)"
		balancer=$(balancer_of "$id")
		owner=$id at="$device${ns:+ in $ns}"
	done <<<"$programs"
	[ -n "$owner" ] || [ -z "$dev$ns" ] || die "no balancer on ${dev:-any device}${ns:+ in $ns}"
}

# What tells bpftool to use maps that are there, a word a line.
map_words() # KIND (id or pinned), with "NAME VALUE" lines as input
{
	local name value

	while read -r name value; do
		[[ " ${SHARED//$'\n\t'/ } " != *" $name "* ]] || printf '%s\n' map name "$name" "$1" "$value"
	done
}

# The maps of a program, as "NAME ID" lines.
maps_of() # PROGRAM
{
	local id

	for id in $(bpftool -j prog show id "$1" | jq '.map_ids[]'); do
		bpftool -j map show id "$id" | jq -r '"\(.name) \(.id)"'
	done
}

own_maps()
{
	local name

	for name in $SHARED; do
		echo "$name $OWN_PINS/$name"
	done
}

load()
{
	local words

	loaded=/sys/fs/bpf/xdp-lb-load-$$ # bpffs has no names with a point
	if [ -n "$owner" ]; then
		mapfile -t words < <(maps_of "$owner" | map_words id)
	elif [ -e $OWN_PINS/xlb_services ]; then
		mapfile -t words < <(own_maps | map_words pinned)
	else
		words=(pinmaps "$OWN_PINS")
	fi
	cmd bpftool prog loadall "$object" "$loaded" "${words[@]}"
}

# The attach type is the name of the program's section, which is `cgroup/TYPE`.
attach()
{
	local type

	attached=yes
	for type in {connect,sendmsg,recvmsg,getpeername}{4,6}; do
		cmd bpftool cgroup attach "$cgroup" "$type" \
			pinned "$loaded/xlb_${type/getpeer/peer}" multi
	done
}

while getopts n:d: option; do
	case $option in
	n) ns=$OPTARG ;;
	d) dev=$OPTARG ;;
	*) usage "$WORDS" ;;
	esac
done
shift $((OPTIND - 1))
[ $# = 1 ] && [ -n "$1" ] || usage "$WORDS, or make attach-sock CGROUP=path"
cgroup=$1

need_root
need_cgroup "$cgroup"
[ -z "$ns" ] || [ -e "/run/netns/$ns" ] || die "no network namespace '$ns': see ip netns"
[ -z "$dev" ] || need_device "$ns" "$dev"
object=$(find_built socket.bpf.o)
helper=$(find_built xdp-lb)
[ -z "$(sock_programs "$cgroup")" ] ||
	die "$cgroup has programs of socket.bpf.o already: 'make detach-sock CGROUP=$cgroup' removes them"
mount_bpffs
find_balancer
# Refuses maps of another version.
if [ -n "$owner" ]; then
	"$helper" ${ns:+-n "$ns"} -d "${at%% *}" service show >/dev/null || exit 1
elif [ -e $OWN_PINS/xlb_services ]; then
	"$helper" -p $OWN_PINS service show >/dev/null || exit 1
fi
trap roll_back EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
load
attach
if [ -n "$owner" ]; then
	echo "sockets of $cgroup go by the balancer on $at"
else
	echo "sockets of $cgroup go by maps of their own: xdp-lb -p $OWN_PINS service add ..."
fi
