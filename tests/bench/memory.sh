#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# memory.sh: bytes of memory of each map of a balancer as attached, and with 512 services of eight
# backends.
. "$(dirname "$(realpath "$0")")/lib.sh"

maps()
{
	bpftool -j prog show id "$(program_id lb veth6)" | jq '.map_ids[]' | while read -r id; do
		bpftool -j map show id "$id"
	done
}

# Ids of the maps inside maps: the services' tables. bpftool prints an id as its bytes.
table_ids()
{
	local outer one two three four

	for outer in $(maps | jq 'select(.type | test("_of_maps$")).id'); do
		bpftool -j map dump id "$outer"
	done | jq -r '.[] | .value? // empty | @tsv' |
		while read -r one two three four; do
			echo $((one | two << 8 | three << 16 | four << 24))
		done | sort -nu
}

# What they take; a spare one may be there many times.
tables()
{
	local id

	for id in $(table_ids); do
		bpftool -j map show id "$id"
	done | jq -s 'map(.bytes_memlock) | add // 0'
}

memory() # WHEN
{
	maps | jq -cs --arg when "$1" --argjson tables "$(tables)" '
		(map({ key: .name, value: .bytes_memlock }) | from_entries) + { tables: $tables } |
		{ part: "memory", when: $when, bytes: (add), maps: . }'
}

balancer_up
progress "memory: as attached"
memory attached
progress "memory: 512 services"
configuration nat 4 tcp 512 8 | quietly helper apply -
memory services
