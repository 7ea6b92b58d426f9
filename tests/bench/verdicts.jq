# SPDX-License-Identifier: GPL-2.0
# Adds to the results what they are judged by: rows of what, bar, measured, and whether it meets it.
# Medians throughout; of several figures in one row the worst counts.

# The median of a per-packet figure, or null.
def packet($mode; $family; $kind; $flows; $services; $backends; $who):
	first((.results[] | select(.part == "packet" and .mode == $mode and .family == $family and
		.protocol == "tcp" and .kind == $kind and .flows == $flows and
		.services == $services and .backends == $backends) | .[$who][1]), null);
def plain($mode; $family; $kind; $flows; $who): packet($mode; $family; $kind; $flows; 1; 2; $who);
def ns($mode; $kind; $flows): plain($mode; 4; $kind; $flows; "xdp-lb");
def yard($mode; $kind; $flows): plain($mode; 4; $kind; $flows; "yardstick");

def live($name; $what): first((.results[] | select(.part == "live" and .name == $name) | .[$what][1]), null);

# A ratio, null if there is nothing to divide.
def ratio($a; $b): if $a == null or $b == null or $b == 0 then null else $a / $b end;
def worst: map(select(. != null)) | max;
def round($digits): if . == null then "-" else . * pow(10; $digits) | round / pow(10; $digits) | tostring end;

# One condition: a figure, and what it may be at most or must be at least.
def most($value; $bar): if $value == null then null else $value <= $bar end;
def least($value; $bar): if $value == null then null else $value >= $bar end;
def row($what; $bar; $measured; $meets): { what: $what, bar: $bar, measured: $measured, meets: $meets };

# Two or three numbers of one comparison in a row.
def known_flow($flows): [ns("nat"; "data"; $flows), ns("nat"; "answer"; $flows)];
def nat_yard: [ratio(ns("nat"; "data"; 100000); yard("nat"; "data"; 100000)),
	ratio(ns("nat"; "answer"; 100000); yard("nat"; "answer"; 100000))];

# Every kind of packet of IPv6 beside the same of IPv4.
def families:
	. as $all | [.results[] | select(.part == "packet" and .family == 6 and .protocol == "tcp" and
		.services == 1 and .backends == 2 and .kind != "foreign" and .kind != "port") |
		. as $six | { name: "\(.mode) \(.kind), \(.flows) flows", ratio: ratio(."xdp-lb"[1];
			$all | plain($six.mode; 4; $six.kind; $six.flows; "xdp-lb")) }] |
	map(select(.ratio != null)) | max_by(.ratio);

# Every group of many services or backends beside the same of one service and two.
def scale:
	. as $all | [.results[] | select(.part == "packet" and .family == 4 and .protocol == "tcp" and
		(.services > 1 or .backends > 2) and
		(.kind == "data" or .kind == "answer" or .kind == "syn")) |
		. as $big | { name: "\(.mode) \(.kind), \(.services) services of \(.backends), \(.flows) flows",
			ratio: ratio(."xdp-lb"[1];
				$all | plain($big.mode; 4; $big.kind; $big.flows; "xdp-lb")) }] |
	map(select(.ratio != null)) | max_by(.ratio);

def foreign: [.results[] | select(.part == "packet" and .kind == "foreign") | ."xdp-lb"[1]] | max;
def memory($when): first((.results[] | select(.part == "memory" and .when == $when) | .bytes), null);

# A live comparison: "at least X of it".
def against($name; $what; $others): . as $all | $others | map({ name: .[0], bar: .[1],
		ratio: ratio($all | live($name; $what); .[0] as $other | $all | live($other; $what)) });
def compared: map("\(.ratio | round(2)) of \(.name)") | join(", ");
def bars: map("\(.bar) of \(.name)") | join(", ");
def all_met: if any(.ratio == null) then null else all(.ratio >= .bar) end;
def live_row($what; $name; $figure; $others):
	against($name; $figure; $others) as $rows |
	row($what; "at least \($rows | bars)"; $rows | compared; $rows | all_met);

.verdicts = [
	(ns("dsr"; "data"; 1) as $one | yard("dsr"; "data"; 1) as $yard |
	 row("dsr, IPv4, one flow"; "at most 35 ns, or 1.7 times the yardstick";
		"\($one | round(1)) ns, \(ratio($one; $yard) | round(2)) times";
		if $one == null then null else $one <= 35 or $one <= 1.7 * $yard end)),
	(ratio(ns("dsr"; "data"; 1000000); ns("dsr"; "data"; 1)) as $many |
	 row("dsr, IPv4, 1,000,000 flows"; "at most 1.3 times one flow"; "\($many | round(2)) times, \(ns("dsr"; "data"; 1000000) | round(1)) ns";
		most($many; 1.3))),
	(ns("ipip"; "data"; 1) as $one |
	 row("ipip, IPv4, one flow"; "at most 50 ns"; "\($one | round(1)) ns"; most($one; 50))),
	(ratio(ns("ipip"; "data"; 1000000); ns("ipip"; "data"; 1)) as $many |
	 row("ipip, IPv4, 1,000,000 flows"; "at most 1.3 times one flow"; "\($many | round(2)) times, \(ns("ipip"; "data"; 1000000) | round(1)) ns";
		most($many; 1.3))),
	(known_flow(1) as $ways |
	 row("nat, IPv4, known flow, one flow"; "at most 40 ns";
		"to the backend \($ways[0] | round(1)) ns, back \($ways[1] | round(1)) ns"; most($ways | worst; 40))),
	(nat_yard as $ways |
	 row("nat, IPv4, known flow, 100,000 flows"; "at most 1.5 times the yardstick";
		"to the backend \($ways[0] | round(2)) times, back \($ways[1] | round(2))"; most($ways | worst; 1.5))),
	(families as $all |
	 row("IPv6"; "at most 1.4 times IPv4"; "\($all.ratio | round(2)) times (\($all.name // "-"))"; most($all.ratio; 1.4))),
	(foreign as $ns |
	 row("a packet of no service"; "at most 15 ns"; "\($ns | round(1)) ns"; most($ns; 15))),
	(memory("attached") as $bytes |
	 row("memory of all maps, as attached"; "at most 192 MB";
		"\($bytes / 1e6 | round(1)) MB; with 512 services \(memory("services") / 1e6 | round(1)) MB"; most($bytes; 192e6))),
	(scale as $all |
	 row("512 services; 1,000 backends"; "at most 1.25 times one service, two backends";
		"\($all.ratio | round(2)) times (\($all.name // "-"))"; most($all.ratio; 1.25))),
	live_row("nat, live, keep-alive requests/s"; "nat"; "keepalive"; [["nftables", 1.25], ["haproxy", 1.5], ["straight", 0.75]]),
	live_row("nat, live, connections/s"; "nat"; "connections"; [["nftables", 1.25], ["haproxy", 1.4], ["straight", 0.9]]),
	live_row("dsr, live, keep-alive requests/s"; "dsr"; "keepalive"; [["straight", 0.9]]),
	live_row("dsr, live, connections/s"; "dsr"; "connections"; [["straight", 0.9]])
]
