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

# Whether program ID is the balancer's, by a map of it.
is_balancer() # ID
{
	local map

	for map in $(bpftool -j prog show id "$1" | jq '.map_ids[]?'); do
		[ "$(bpftool -j map show id "$map" | jq -r .name)" != xlb_services ] || return 0
	done
	return 1
}

# Where `ip` pins: the second is the first by a symbolic link, unless someone made a directory.
pin_directories()
{
	local dir

	for dir in /sys/fs/bpf/tc/globals /sys/fs/bpf/xdp/globals; do
		[ ! -e "$dir/xlb_services" ] || realpath "$dir"
	done | sort -u
}

# The program, if any, that uses the maps pinned in DIR. A command under way may hold one that was
# just detached for a moment.
user_of_pins() # DIR
{
	local map user=''

	map=$(bpftool -j map show pinned "$1/xlb_services" | jq .id)
	for _ in 1 2 3 4 5; do
		user=$(bpftool -j prog show | jq -r --argjson map "$map" \
			'first(.[] | select(.map_ids // [] | index($map)) | .id)')
		[ -n "$user" ] || break
		sleep 0.2
	done
	echo "$user"
}

remove_unused_pins()
{
	local dir user

	for dir in $(pin_directories); do
		user=$(user_of_pins "$dir")
		if [ -n "$user" ]; then
			echo "the pins in $dir stay: program id $user uses them"
		else
			cmd rm -f "$dir"/xlb_*
		fi
	done
}
