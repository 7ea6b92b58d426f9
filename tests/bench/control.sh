#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# control.sh [quick]: how long changes take: milliseconds from the start of a command to its end.
. "$(dirname "$(realpath "$0")")/lib.sh"

times=9
[ "${1-}" != quick ] || times=3

# Runs a command and prints how long it took.
clock() # COMMAND...
{
	local begin=${EPOCHREALTIME/./}

	quietly "$@"
	awk -v us=$((${EPOCHREALTIME/./} - begin)) 'BEGIN { print us / 1000 }'
}

repeat() # COMMAND...
{
	local i

	for ((i = 0; i < times; i++)); do
		"$@" "$i"
	done
}

apply_anew()
{
	unconfigure
	clock helper apply /run/large
}

apply_again()
{
	clock helper apply /run/large
}

change_one() # TURN
{
	clock helper backend set 10.0.0.16:8000/tcp 10.1.0.7 weight $((101 + $1))
}

for backends in 2 100 1000; do
	progress "control: a table for $backends backends"
	"$TOOLS/table" $backends 65537 "$times" | result "table-$backends"
done
balancer_up
progress "control: 512 services of 8 backends"
configuration nat 4 tcp 512 8 >/run/large
repeat apply_anew | result apply-512x8
repeat apply_again | result apply-512x8-unchanged
progress "control: the same, tables of 4,093 slots"
configuration nat 4 tcp 512 8 table 4093 >/run/large
repeat apply_anew | result apply-512x8-table-4093
progress "control: a service of 1,000 backends"
configuration nat 4 tcp 1 1000 >/run/large
quietly helper apply /run/large
repeat change_one | result change-1000
