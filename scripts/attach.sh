#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# attach.sh [-f] [-n NETNS] [-m native|generic|offload] DEV: attaches the balancer to a device.
# Without -m: native, in buffers of one page or (for a large MTU) several, and generic where the
# driver knows neither. Its maps are pinned, so that a replaced program, or one on another device,
# finds them. -f: what is pinned, and used by nobody, is not taken over but removed.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/lib.sh"

ns='' mode='' why='' fresh=''

drop_pins()
{
	local dir user

	for dir in $(pin_directories); do
		user=$(user_of_pins "$dir")
		[ -z "$user" ] || die "the pins in $dir cannot be given up: $user uses them"
		cmd rm -f "$dir"/xlb_*
	done
}

pinned_balancers()
{
	local dir

	for dir in $(pin_directories); do
		pinned_balancer "$dir"
	done
}

# Attaches, or says in $why why not. What has nothing to do with the device ends the script.
try() # MODE SECTION
{
	echo "[#]${ns:+ ($ns)} ip link set dev $dev $1 obj $object sec $2" >&2
	why=$(in_netns "$ns" ip link set dev "$dev" "$1" obj "$object" sec "$2" 2>&1) && return
	case $why in
	*'parameter mismatch'*)
		die "the maps pinned in /sys/fs/bpf are of a version with another layout;" \
			"where it runs: xdp-lb upgrade DEV; else xdp-lb -p PINDIR save FILE," \
			"attach with -f (make attach FRESH=1), xdp-lb apply FILE"
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
	local id balancer

	id=$(xdp_programs "$ns" "$dev" | cut -d' ' -f2)
	echo "xdp-lb is attached to $dev${ns:+ in $ns}, $1 mode, program id $id"
	balancer=$(balancer_of "$id")
	report_shared "$balancer"
	report_other "$balancer"
}

number_of() # COUNT NOUN
{
	echo "$(sed ':a; s/\B[0-9]\{3\}\b/,&/; ta' <<<"$1") $2$([ "$1" = 1 ] || echo s)"
}

# What was there before.
report_shared() # BALANCER
{
	local helper place has

	grep -qx "$1" <<<"$pinned_before" || return 0
	helper=("$(find_built xdp-lb)" ${ns:+-n "$ns"} -d "$dev" -j)
	has="$(number_of "$("${helper[@]}" service show | jq length)" service) and $(
		number_of "$("${helper[@]}" flow count | jq .flows)" flow)"
	place=$(place_of "$(programs_of "$1")" "$ns" "$dev")
	if [ -n "$place" ]; then
		echo "$dev is one balancer with $place: $has"
		"${helper[@]}" refresh >/dev/null # it has MACs of its own
	else
		echo "takes over $has from the pins"
	fi
}

# A balancer on another device of the namespace, with other maps, is hardly meant to be another.
report_other() # BALANCER
{
	local other id balancer

	in_netns "$ns" ip -j link show | jq -r '.[].ifname' | while read -r other; do
		for id in $(xdp_programs "$ns" "$other" | cut -d ' ' -f 2); do
			balancer=$(balancer_of "$id")
			[ -n "$balancer" ] && [ "$balancer" != "$1" ] || continue
			echo "$other${ns:+ in $ns} has a balancer of its own: these are two." \
				"To make them one, detach it and attach it by $program"
		done
	done
}

# What was pinned on the way goes again.
fail()
{
	echo "$why" >&2
	[ -n "$pinned_before" ] || remove_unused_pins
	die "$dev does not take the program${mode:+ in $mode mode}"
}

while getopts fn:m: option; do
	case $option in
	f) fresh=yes ;;
	n) ns=$OPTARG ;;
	m) mode=$OPTARG ;;
	*) usage "$program [-f] [-n NETNS] [-m native|generic|offload] DEV" ;;
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
need_lasting_sys "$ns" "$dev"
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
[ -z "$fresh" ] || drop_pins
pinned_before=$(pinned_balancers)

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
