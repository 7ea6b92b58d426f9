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
few='1 100 10000 100000'
many='1 100 10000 100000 1000000'
families='4 6'

if [ "${1-}" = quick ]; then
	passes=1 patience=0 loads=1 few='1 100000' many='1 1000000' families=4
fi
enough=$((passes * ROUNDS))

# Mode, family, protocol, services, backends, flows. What is compared is timed soon after each other.
groups()
{
	local mode family load flows

	for mode in nat dsr ipip; do
		flows=$many
		[ $mode != nat ] || flows=$few
		for family in $families; do
			echo "$mode $family tcp 1 2 $flows"
		done
		for ((load = 2; load <= loads; load++)); do
			[ $mode = nat ] || break
			for family in $families; do
				echo "$mode $family tcp 1 2 10000"
			done
		done
		[ "$passes" != 1 ] || continue
		# As many backends in all, in many services and in one.
		echo "$mode 4 tcp 512 2 1 100 10000 100000"
		echo "$mode 4 tcp 1 1000 1 100 10000 100000"
		echo "$mode 4 udp 1 2 1 100000"
		echo "$mode 6 udp 1 2 1 100000"
	done
}

# The rounds of all passes as one: minimum, median and maximum.
merge() # FILE...
{
	jq -cs --argjson least $ROUNDS -f "$here/rounds.jq" "$@"
}

# The numbers of flows for which some packet wants more rounds in quiet.
unsettled() # FILE
{
	merge "$1" | jq -sr --argjson enough "$enough" '
		map(select(.busy or .rounds < $enough).flows) | unique | join(" ")'
}

raw=$(mktemp -d)
trap 'rm -r "$raw"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mapfile -t all < <(groups)
timed=1
for ((pass = 1; timed; pass++)); do
	timed=
	for group in "${all[@]}"; do
		read -r mode family protocol services backends flows <<<"$group"
		lines="$raw/$mode-$family-$protocol-$services-$backends"
		if [ "$pass" -gt $passes ]; then
			flows=$(unsettled "$lines")
			[ -n "$flows" ] && [ $SECONDS -lt $patience ] || continue
		fi
		timed=1
		echo "bench: packet, pass $pass: $mode $family $protocol $services $backends $flows" >&2
		# shellcheck disable=SC2086 # a word each
		setpriv --pdeathsig KILL "$here/group.sh" "$mode" "$family" "$protocol" "$services" \
			"$backends" $ROUNDS $flows | jq -c ".pass = $pass" >>"$lines"
	done
done
for lines in $(groups | cut -d ' ' -f 1-5 | tr ' ' - | awk '!seen[$0]++'); do
	merge "$raw/$lines"
done
