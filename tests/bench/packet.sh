#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# packet.sh [quick]: what a packet costs, in every mode and family, as flows, services and backends
# grow. Each group of figures is timed in passes some minutes apart, each with the program loaded anew
# (where it lies in memory matters, and neighbours of this machine come and go), until it has enough
# rounds in quiet; or else until our patience (seconds) is at its end. What is just too large for the
# second-level cache depends the most on where it lies: it is timed with more loads in each pass.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
readonly ROUNDS=3 # of a pass
passes=3 patience=540 loads=3
few='1,100,10000,100000'
many='1,100,10000,100000,1000000'
families='4 6'

if [ "${1-}" = quick ]; then
	passes=1 patience=0 loads=1 few='1,100000' many='1,1000000' families=4
fi
enough=$((passes * ROUNDS))

# Groups, as group.sh takes them. What is compared is timed soon after each other.
groups()
{
	local mode family load flows kinds

	for family in $families; do
		echo "dnat-fib $family tcp 1 2 answer $few"
	done
	for mode in nat dsr ipip dnat; do
		flows=$many kinds=data,syn,foreign,port
		[ $mode != nat ] || flows=$few kinds=data,answer,foreign,port
		[ $mode != dnat ] || kinds=data,answer,foreign,port
		for family in $families; do
			echo "$mode $family tcp 1 2 $kinds $flows"
		done
		for ((load = 2; load <= loads; load++)); do
			[ $mode = nat ] || break
			for family in $families; do
				echo "$mode $family tcp 1 2 $kinds 10000"
			done
		done
		[ "$passes" != 1 ] || continue
		# As many backends in all, in many services and in one.
		echo "$mode 4 tcp 512 2 $kinds $few"
		echo "$mode 4 tcp 1 1000 $kinds $few"
		[ $mode != ipip ] || echo "ipip 4 tcp 512 3 data $few"
		echo "$mode 4 udp 1 2 ${kinds/syn,/} 1,100000"
		echo "$mode 6 udp 1 2 ${kinds/syn,/} 1,100000"
	done
}

# The rounds of all passes as one: minimum, median and maximum.
merge() # FILE...
{
	jq -cs --argjson least $ROUNDS -f "$here/rounds.jq" "$@"
}

# The numbers of flows with which some packet has fewer rounds in quiet than wanted.
unsettled() # WANTED FILE
{
	merge "$2" | jq -sr --argjson wanted "$1" '
		map(select(.floor and (.busy or .rounds < $wanted)).flows) | unique[]'
}

time_group() # MODE FAMILY PROTOCOL SERVICES BACKENDS KINDS FLOWS
{
	echo "bench: packet, pass $pass: $*" >&2
	setpriv --pdeathsig KILL "$here/group.sh" $ROUNDS <<<"$*" |
		jq -c ".pass = $pass" >>"$raw/$(lines_of "$@")"
}

lines_of() # MODE FAMILY PROTOCOL SERVICES BACKENDS...
{
	echo "$1-$2-$3-$4-$5"
}

# Times again what has too few rounds, a number of flows at a time, each of which may then wait for
# calm as long as a whole group. Returns 1 if there was nothing to do, or no patience left.
time_again() # WANTED
{
	local group flows done=1

	for group in "${all[@]}"; do
		read -ra group <<<"$group"
		for flows in $(unsettled "$1" "$raw/$(lines_of "${group[@]}")"); do
			[ $SECONDS -lt $patience ] || return
			time_group "${group[@]:0:6}" "$flows" || exit
			done=0
		done
	done
	return $done
}

raw=$(mktemp -d)
trap 'rm -r "$raw"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mapfile -t all < <(groups)
for ((pass = 1; pass <= passes; pass++)); do
	for group in "${all[@]}"; do
		# shellcheck disable=SC2086 # a word each
		time_group $group
	done
done
while time_again $ROUNDS; do pass=$((pass + 1)); done
while time_again $enough; do pass=$((pass + 1)); done
for group in "${all[@]}"; do
	# shellcheck disable=SC2086 # a word each
	lines_of $group
done | awk '!seen[$0]++' | while read -r lines; do
	merge "$raw/$lines"
done
