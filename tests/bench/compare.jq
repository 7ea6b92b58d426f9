# SPDX-License-Identifier: GPL-2.0
# For compare: a row for each kind of packet and number of flows, median (minimum to maximum) of all
# loads of each side; of those in quiet, if there are any.

def digits: . * 10 | round / 10;
def median: sort | (.[length / 2 | floor] + .[(length - 1) / 2 | floor]) / 2;
def quiet: map(select(.busy[0] | not)) | if length == 0 then null else . end;
def spread: "\(median | digits) (\(min | digits)-\(max | digits))";

# One side: text and median, fenced or not.
def side($fenced):
	(quiet // .) as $counted | ($counted | map(if $fenced then .fenced."xdp-lb"[0] else ."xdp-lb"[0] end)) |
	{ median: median, max: max, text: "\(spread)\(if $counted | any(.busy[0]) then "*" else "" end)" };

def columns($fenced):
	(map(select(.side == "old")) | side($fenced)) as $old |
	(map(select(.side == "new")) | side($fenced)) as $new |
	($new.median - $old.median) as $more |
	[$old.text, $new.text,
	 "\(if $more > 0 then "+" else "" end)\($more | digits)\(
		if $more > 1 and $more > 0.03 * $old.median and $new.median > $old.max then "!" else "" end)"];

["packet", "flows", "old", "new", "difference", "fenced: old", "new", "difference", "", ""],
(to_entries | group_by(.value | [.mode, .family, .kind, .flows]) | sort_by(.[0].key)[] | map(.value) |
	[(.[0] | "\(.mode)\(.family) \(.kind)"), .[0].flows] + columns(false) + columns(true) +
	[(map(select(.wrong != 0) | .side) | unique | if length == 0 then "" else "BROKEN: \(join(", "))" end),
	 (map(select(.slow > 100) | .side) | unique | if length == 0 then "" else "slow path: \(join(", "))" end)]) |
map(tostring) | join("\t")
