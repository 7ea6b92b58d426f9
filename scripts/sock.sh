# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What attach-sock.sh and detach-sock.sh share: to be sourced after lib.sh.

# shellcheck disable=SC2034 # for the two
readonly OWN_PINS=/sys/fs/bpf/xdp-lb-sock # maps of a machine without a balancer

# "ID ATTACH_TYPE" of our programs in a cgroup, a line each.
sock_programs() # CGROUP
{
	bpftool -j cgroup show "$1" | jq -r '
		.[]? | select(.name | startswith("xlb_")) | "\(.id) \(.attach_type)"'
}

detach_programs() # CGROUP
{
	local id type

	sock_programs "$1" | while read -r id type; do
		cmd bpftool cgroup detach "$1" "$type" id "$id"
	done
}

# The maps of our own go with the last program that uses them.
remove_own_maps()
{
	[ -e $OWN_PINS/xlb_services ] || return 0
	[ -n "$(user_of_own_maps)" ] || cmd rm -rf $OWN_PINS
}

user_of_own_maps()
{
	programs_of "$(pinned_balancer $OWN_PINS)" | jq -r '.[0] // empty'
}
