# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What attach.sh and detach.sh share: to be sourced after lib.sh.

# shellcheck disable=SC2154 # of lib.sh: here
readonly PINS=/sys/fs/bpf/sockmap

built() # NAME
{
	local file

	file=$(realpath "$here/../..")/build/scripts/sockmap/$1
	[ -e "$file" ] || die "$1 is not built: run 'make sockmap'"
	echo "$file"
}

leave_cgroup() # CGROUP
{
	! bpftool cgroup show "$1" | grep -w join >/dev/null ||
		cmd bpftool cgroup detach "$1" sock_ops pinned $PINS/join
}
