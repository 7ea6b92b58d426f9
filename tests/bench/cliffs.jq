# SPDX-License-Identifier: GPL-2.0
# What a feature costs more than the plain balancer: by passes, of which the median counts, and of them
# those in quiet, if there are any. A line for each feature, mode, kind of packet and number of flows.

def median: sort | (.[length / 2 | floor] + .[(length - 1) / 2 | floor]) / 2;
def tenths: . * 10 | round / 10;
def spread: if length == 0 then null else [min, median, max] | map(tenths) end;

# A packet to a port without service is compared with one of a service.
def kind: if .kind == "port" then "data" else .kind end;
def figure($fenced): if $fenced then .fenced."xdp-lb" else ."xdp-lb" end | median;
def is_busy: .busy | all;

# The differences of the passes.
def more($fenced): [.[] | select(.plain and .with) |
	(.with | figure($fenced)) - (.plain | figure($fenced))] | spread;
def figures($side; $fenced): [.[] | .[$side] // empty | figure($fenced)] | spread;

to_entries | group_by(.value | [.name, .mode, kind, .flows]) | sort_by(.[0].key)[] | map(.value) |
(group_by(.pass) | map(map({ key: .side, value: . }) | from_entries)) as $passes |
([$passes[] | select(.plain and .with and (.plain, .with | is_busy | not))]) as $quiet |
(if $quiet == [] then $passes else $quiet end) as $counted |
select($passes | any(.plain and .with)) |
{ part: "cliff", name: .[0].name, mode: .[0].mode, kind: ([.[] | select(.side == "with").kind][0]),
  flows: .[0].flows, limit: ([.[] | select(.side == "with").limit][0]), plain: ($counted | figures("plain"; false)),
  with: ($counted | figures("with"; false)), more: ($counted | more(false)),
  fenced: { plain: ($counted | figures("plain"; true)), with: ($counted | figures("with"; true)),
	more: ($counted | more(true)) },
  wrong: ([.[].wrong] | max), slow: ([.[] | select(.side == "with").slow] | max),
  busy: ($quiet == []) }
