# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the scripts share. They echo what they run.

here=$(dirname "$(realpath "$0")")
program=${0##*/}
# What they read of other programs is in English, with points in numbers.
export LC_ALL=C.UTF-8

die()
{
	echo "$program: $*" >&2
	exit 1
}

usage()
{
	echo "usage: $*" >&2
	exit 2
}

# For words that are wrong: nothing was changed.
usage_error()
{
	echo "$program: $*" >&2
	exit 2
}

cmd()
{
	echo "[#] $*" >&2
	"$@"
}

# The same in a network namespace; in ours, if NS is empty. Not `ip netns exec` (nor `ip -n`): it
# mounts a /sys of its own, and what is pinned there is gone with it.
in_netns() # NS COMMAND...
{
	local ns=$1

	shift
	if [ -z "$ns" ]; then
		"$@"
	else
		nsenter --net="/run/netns/$ns" -- "$@"
	fi
}

cmd_in() # NS COMMAND...
{
	echo "[#]${1:+ ($1)} ${*:2}" >&2
	in_netns "$@"
}

need_root()
{
	[ "$(id -u)" = 0 ] || die "must be root"
}

need_device() # NS DEV
{
	[ -z "$1" ] || [ -e "/run/netns/$1" ] || die "no network namespace '$1': see ip netns"
	in_netns "$1" ip link show dev "$2" >/dev/null 2>&1 ||
		die "no device '$2'${1:+ in namespace $1}"
}

need_cgroup() # PATH
{
	[ -d "$1" ] && [ "$(stat -f -c %T "$1")" = cgroup2fs ] ||
		usage_error "'$1' is no cgroup: expected a directory of cgroup2 (findmnt -t cgroup2)"
}

mount_bpffs()
{
	[ "$(stat -f -c %T /sys/fs/bpf)" = bpf_fs ] || cmd mount -t bpf bpf /sys/fs/bpf
}

# The object or program NAME: beside the scripts if they are installed, above them in the tree.
find_built() # NAME
{
	local dir

	for dir in "$here" "$here/.." "$here/../../sbin"; do
		if [ -f "$dir/$1" ]; then
			realpath "$dir/$1"
			return
		fi
	done
	die "$1 is not built: run 'make' in $(realpath "$here/..")"
}

# "MODE ID" of the XDP program on a device, a line each; MODE is a word of `ip link set`.
xdp_programs() # NS DEV
{
	in_netns "$1" ip -j -d link show dev "$2" | jq -r '
		def word: ["xdp", "xdpdrv", "xdpgeneric", "xdpoffload"][.] // "xdp";
		.[0].xdp | select(.) | .attached // [.] | .[] | "\(.mode | word) \(.prog.id)"'
}

# What tells balancers apart: the id of the map xlb_services that a program uses. Nothing: it is
# not ours.
balancer_of() # PROGRAM
{
	local map

	for map in $(bpftool -j prog show id "$1" | jq '.map_ids[]?'); do
		[ "$(bpftool -j map show id "$map" | jq -r .name)" = xlb_services ] || continue
		echo "$map"
		return
	done
}

is_balancer() # PROGRAM
{
	[ -n "$(balancer_of "$1")" ]
}

# The programs, as a list of JSON, that use a balancer's maps.
programs_of() # BALANCER
{
	bpftool -j prog show | jq -c --argjson map "$1" \
		'[.[] | select(.map_ids // [] | index($map)) | .id]'
}

# A device that one of the programs is on, as "DEV in NETNS": itself, or by a dispatcher of
# xdp-loader's. Of what is on DEV of NS it does not speak.
place_of() # PROGRAMS [NS DEV]
{
	local programs ns dev

	programs=$(bpftool -j link show | jq -c --argjson programs "$1" '$programs + [.[] |
		select(.prog_id as $id | $programs | index($id)) | .target_obj_id | numbers]')
	for ns in '' $(ls /run/netns 2>/dev/null); do
		dev=$(in_netns "$ns" ip -j -d link show 2>/dev/null |
			jq -r --argjson programs "$programs" \
				--arg but "$([ "$ns" != "${2-}" ] || echo "${3-}")" '
			first(.[] | select(.xdp and .ifname != $but) |
				select(.xdp | .attached // [.] |
					any(.prog.id as $id | $programs | index($id))) |
				.ifname)') || continue
		[ -z "$dev" ] || { echo "$dev${ns:+ in $ns}" && return; }
	done
}

# Where `ip` pins: the second is the first by a symbolic link, unless someone made a directory.
pin_directories()
{
	local dir

	for dir in /sys/fs/bpf/tc/globals /sys/fs/bpf/xdp/globals; do
		[ ! -e "$dir/xlb_services" ] || realpath "$dir"
	done | sort -u
}

# The balancer of the maps that are pinned in DIR.
pinned_balancer() # DIR
{
	bpftool -j map show pinned "$1/xlb_services" | jq .id
}

# Who uses the maps pinned in DIR, in words; nothing: nobody. A command under way may hold a program
# that was just detached for a moment.
user_of_pins() # DIR
{
	local programs place

	for _ in 1 2 3 4 5; do
		programs=$(programs_of "$(pinned_balancer "$1")")
		[ "$programs" != '[]' ] || return 0
		place=$(place_of "$programs")
		[ -z "$place" ] || break
		sleep 0.2
	done
	echo "program id $(jq .[0] <<<"$programs") on ${place:-no device seen from here}"
}

remove_unused_pins()
{
	local dir user

	for dir in $(pin_directories); do
		user=$(user_of_pins "$dir")
		if [ -n "$user" ]; then
			echo "the pins in $dir stay: $user uses them"
		else
			cmd rm -f "$dir"/xlb_*
		fi
	done
}

# `ip netns exec` mounts a /sys that ends with its command, and what is pinned there with it.
need_lasting_sys() # NETNS DEV
{
	local owner

	owner=$(sed -En 's|^([^ ]+ ){4}/sys .* - sysfs ([^ ]+) .*|\2|p' /proc/self/mountinfo |
		tail -n 1)
	[ -z "$owner" ] || [ ! -e "/run/netns/$owner" ] ||
		die "pins do not last in the /sys of 'ip netns exec $owner':" \
			"without it, $(realpath "$0") -n ${1:-$owner} $2"
}
