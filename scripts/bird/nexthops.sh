#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# nexthops.sh TABLE: on a Linux router, keeps a resilient next-hop group for each route of TABLE,
# where BIRD puts its routes, and a route over it in the main table; until it is ended. Then all stays
# as it is, and the next one goes on with it.
#
# A plain multipath route deals all flows out anew whenever a next hop comes or goes. In a resilient
# group (kernel 5.13) only those of a next hop that goes are dealt out; one that comes gets buckets
# that were idle for IDLE seconds, and one whose weight becomes smaller loses no others.
set -euo pipefail

readonly PROTOCOL=121 # marks what is ours, in the kernel's tables
readonly BUCKETS=512 IDLE=60
readonly FIRST_ID=100000
# BIRD replaces an IPv6 route by parts: it removes it, then adds a next hop after the other. Routes are
# looked at when nothing has changed for so long, and a destination counts as gone after a second.
readonly SETTLED=0.02 GONE=1 # s

declare -A id_of=() # of a next hop, "GATEWAY DEV", and of a destination's group
declare -A hops_of=() # what a destination's group has
declare -A missing_since=() # destinations whose route was not seen any more, in s
next_id=$FIRST_ID

# What an earlier run has left.
load()
{
	local name id

	while read -r id name; do
		id_of[$name]=$id
		[ "$id" -lt "$next_id" ] || next_id=$((id + 1))
	done < <(
		ip -j nexthop show proto $PROTOCOL |
			jq -r '.[] | select(.gateway) | "\(.id) \(.gateway) \(.dev)"'
		for family in 4 6; do
			ip "-$family" -j route show proto $PROTOCOL |
				jq -r '.[] | select(.nhid) | "\(.nhid) \(.dst)"'
		done
	)
}

give_id() # NAME: in $id
{
	if [ -z "${id_of[$1]-}" ]; then
		id_of[$1]=$next_id
		next_id=$((next_id + 1))
	fi
	id=${id_of[$1]}
}

# "DESTINATION GATEWAY,DEV,WEIGHT..." lines. A table that has never had a route is not there.
wanted() # FAMILY
{
	local routes

	routes=$(ip "-$1" -j route show table "$table" 2>/dev/null) || routes='[]'
	jq -r '.[] | [.dst, ((.nexthops // [.])[] | select(.gateway) |
		"\(.gateway),\(.dev),\(.weight // 1)")] | select(length > 1) | join(" ")' <<<"$routes"
}

# The commands, for `ip -batch`, that make a destination's group what is wanted.
set_group() # FAMILY DESTINATION GATEWAY,DEV,WEIGHT...
{
	local hop gateway dev weight members='' id

	for hop in "${@:3}"; do
		IFS=, read -r gateway dev weight <<<"$hop"
		give_id "$gateway $dev"
		echo "nexthop replace id $id via $gateway dev $dev proto $PROTOCOL"
		members+=${members:+/}$id,$weight
	done
	give_id "$2"
	echo "nexthop replace id $id group $members type resilient" \
		"buckets $BUCKETS idle_timer $IDLE proto $PROTOCOL"
	echo "route replace $2 nhid $id proto $PROTOCOL"
}

follow() # FAMILY
{
	local destination hops seen=' '

	while read -r destination hops; do
		seen+="$destination "
		[ "${hops_of[$destination]-}" != "$hops" ] || continue
		hops_of[$destination]=$hops
		# shellcheck disable=SC2086 # a word each
		set_group "$1" "$destination" $hops >>"$batch"
	done < <(wanted "$1")
	for destination in "${!hops_of[@]}"; do
		[ "$(family_of "$destination")" = "$1" ] || continue
		if [[ $seen == *" $destination "* ]]; then
			unset "missing_since[$destination]"
		else
			forget "$destination"
		fi
	done
}

# At the second look, if that is late enough.
forget() # DESTINATION
{
	if [ -z "${missing_since[$1]-}" ]; then
		missing_since[$1]=$SECONDS
	elif [ $((SECONDS - missing_since[$1])) -gt $GONE ]; then
		echo "nexthop del id ${id_of[$1]}" >>"$batch" # its route goes with it
		unset "hops_of[$1]" "id_of[$1]" "missing_since[$1]"
	fi
}

family_of() # ADDRESS
{
	[ "${1/:/}" = "$1" ] && echo 4 || echo 6
}

follow_all()
{
	: >"$batch"
	follow 4
	follow 6
	[ ! -s "$batch" ] || ip -force -batch "$batch" || echo "nexthops.sh: see what ip says" >&2
}

# Or the time to look again for what is missing. False at the end.
await_change()
{
	if [ ${#missing_since[@]} = 0 ]; then
		read -r _ <&3
	else
		read -r -t $GONE _ <&3 || [ $? -gt 128 ]
	fi
}

[ $# = 1 ] || { echo "usage: ${0##*/} TABLE" >&2 && exit 2; }
table=$1
batch=$(mktemp)
trap 'rm -f "$batch"' EXIT
trap 'exit 143' TERM
load
exec 3< <(exec ip monitor route)
follow_all
# One look for whatever came at once.
while await_change; do
	while read -r -t $SETTLED _ <&3; do :; done
	follow_all
done
