#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# attach.sh [-n NETNS] [-m native|generic|offload] DEV: attaches the balancer to a device. Without
# -m: native, in buffers of one page or (for a large MTU) several, and generic where the driver
# knows neither. Its maps are pinned, so that a replaced program finds them.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/lib.sh"

ns='' mode='' why=''

mount_bpffs()
{
	[ "$(stat -f -c %T /sys/fs/bpf)" = bpf_fs ] || cmd mount -t bpf bpf /sys/fs/bpf
}

# Attaches, or says in $why why not. What has nothing to do with the device ends the script.
try() # MODE SECTION
{
	echo "[#]${ns:+ ($ns)} ip link set dev $dev $1 obj $object sec $2" >&2
	why=$(in_netns "$ns" ip link set dev "$dev" "$1" obj "$object" sec "$2" 2>&1) && return
	case $why in
	*'parameter mismatch'*)
		die "the maps pinned in /sys/fs/bpf are of a version with another layout;" \
			"to go on: its own xdp-lb save FILE, detach, attach, xdp-lb apply FILE"
		;;
	*'failed to load object'*)
		[ "$1" = xdpoffload ] || fail
		;;
	esac
	return 1
}

native()
{
	local first

	try xdpdrv xdp && return
	first=$why
	try xdpdrv xdp.frags && return
	why=$first
	return 1
}

report() # MODE
{
	local id

	id=$(xdp_programs "$ns" "$dev" | cut -d' ' -f2)
	echo "xdp-lb is attached to $dev${ns:+ in $ns}, $1 mode, program id $id"
}

# What was pinned on the way goes again.
fail()
{
	echo "$why" >&2
	[ -n "$pinned_before" ] || remove_unused_pins
	die "$dev does not take the program${mode:+ in $mode mode}"
}

while getopts n:m: option; do
	case $option in
	n) ns=$OPTARG ;;
	m) mode=$OPTARG ;;
	*) usage "$program [-n NETNS] [-m native|generic|offload] DEV" ;;
	esac
done
shift $((OPTIND - 1))
dev=${1-}
[ $# = 1 ] && [ -n "$dev" ] || usage "$program [-n NETNS] [-m MODE] DEV, or make attach DEV=name"
case $mode in
'' | native | generic | offload) ;;
*) usage "unknown mode '$mode': native, generic or offload" ;;
esac

need_root
need_device "$ns" "$dev"
object=$(find_built xdp_lb.bpf.o)
there=$(xdp_programs "$ns" "$dev")
if [ -n "$there" ]; then
	id=${there##* }
	name=$(bpftool -j prog show id "$id" | jq -r .name)
	die "$dev has XDP program id $id ($name) already:" \
		"'make detach DEV=$dev${ns:+ NETNS=$ns}' removes it," \
		"'ip -force link set dev $dev xdp obj $object sec xdp' replaces it"
fi
mount_bpffs
pinned_before=$(pin_directories)

case $mode in
generic)
	try xdpgeneric xdp || fail
	report generic
	;;
offload)
	try xdpoffload xdp || fail
	report offload
	;;
*)
	if native; then
		report native
	elif [ "$mode" = native ]; then
		fail
	else
		reason=$(grep -o 'Error: .*' <<<"$why" | tail -n 1) || reason=$(tail -n 1 <<<"$why")
		echo "$dev does not take native XDP ($reason): falling back to generic mode"
		try xdpgeneric xdp || fail
		report generic
	fi
	;;
esac
