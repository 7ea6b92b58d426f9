# SPDX-License-Identifier: GPL-2.0
# Puts the rounds of all passes together: minimum, median and maximum of those in quiet, or of all
# where fewer than $enough were; `busy` says so. A line for each kind of packet and number of flows, in
# the order in which they were timed.

def spread: sort | [.[0], .[length / 2 | floor], .[-1]];

to_entries | group_by([.value.kind, .value.flows]) | sort_by(.[0].key)[] | map(.value) |
. as $passes | .[0] + (
	[$passes[].busy[] | not] as $quiet |
	([$quiet[] | select(.)] | length >= $enough) as $settled |
	[$quiet | to_entries[] | select(.value or ($settled | not)) | .key] as $counted |
	{ rounds: ($counted | length), busy: ($settled | not) } +
	([("floor", "yardstick", "xdp-lb") as $who | select($passes[0][$who]) |
		[$passes[][$who][]] as $all | { key: $who, value: ([$all[$counted[]]] | spread) }] |
		from_entries))
