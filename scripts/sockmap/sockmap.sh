# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What attach.sh and detach.sh share: to be sourced after lib.sh.

# shellcheck disable=SC2154 # of lib.sh: here, program
readonly PINS=/sys/fs/bpf/sockmap

usage_error()
{
	echo "$program: $*" >&2
	exit 2
}

need_cgroup() # PATH
{
	[ -d "$1" ] && [ "$(stat -f -c %T "$1")" = cgroup2fs ] ||
		usage_error "'$1' is no cgroup: expected a directory of cgroup2 (findmnt -t cgroup2)"
}

built() # NAME
{
	local file

	file=$(realpath "$here/../..")/build/scripts/sockmap/$1
	[ -e "$file" ] || die "$1 is not built: run 'make sockmap'"
	echo "$file"
}

leave_cgroup() # CGROUP
{
	! bpftool cgroup show "$1" | grep -qw join ||
		cmd bpftool cgroup detach "$1" sock_ops pinned $PINS/join
}
