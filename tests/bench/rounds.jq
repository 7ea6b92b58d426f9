# SPDX-License-Identifier: GPL-2.0
# Puts the rounds of all passes together: minimum, median and maximum of those in quiet, and how many
# they are; or of all, if fewer than $least were: then `busy`. And the median of each pass, or null; in
# one there may be several loads. A line for each kind of packet and number of flows, in the order in
# which they were timed.

def median: sort | .[length / 2 | floor];
def spread: sort | [.[0], median, .[-1]];

to_entries | group_by([.value.kind, .value.flows]) | sort_by(.[0].key)[] | map(.value) |
. as $loads | (.[0] | del(.pass)) + (
	[$loads[].busy[]] as $busy |
	([$busy[] | select(not)] | length < $least) as $all_busy |
	[$busy | to_entries[] | select($all_busy or (.value | not)) | .key] as $counted |
	{ rounds: ($counted | length), busy: $all_busy,
	  passes: [range(1; $loads[-1].pass + 1) as $pass | [$loads[] | select(.pass == $pass) |
		[."xdp-lb", .busy] | transpose[] | select(.[1] | not)[0]] | median] } +
	([("floor", "yardstick", "xdp-lb") as $who | select($loads[0][$who]) |
		{ key: $who, value: ([([$loads[][$who][]])[$counted[]]] | spread) }] | from_entries) +
	{ fenced: ([("floor", "yardstick", "xdp-lb") as $who | select($loads[0][$who]) |
		{ key: $who, value: ([([$loads[].fenced[$who][]])[$counted[]]] | spread) }] | from_entries),
	  wrong: ([$loads[].wrong] | max), slow: ([$loads[].slow] | max) })
