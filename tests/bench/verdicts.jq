# SPDX-License-Identifier: GPL-2.0
# Adds to the results what they are judged by: rows of what, bar, measured, and whether it meets it.
# Medians throughout, but see live(). Where a row is about several figures, all must meet the bar.

def ratio($a; $b): if $a == null or $b == null or $b == 0 then null else $a / $b end;
def digits($n): if . == null then "-" else . * pow(10; $n) | round / pow(10; $n) | tostring end;
def ns: "\(digits(1)) ns";
def times: "\(digits(2)) times";

# Whether a value is at most that, or all of several are; null if that was not measured.
def most($bar): if . == null then null else . <= $bar end;
def all_most($bar): map(most($bar)) | if any(. == false) then false elif any(. == null) then null else true end;
def row($what; $bar; $measured; $meets):
	{ what: $what, bar: $bar, measured: $measured, meets: $meets };

# How often as much one is as another, by turns, each compared with the other's of the same, as
# neighbours of this machine come and go: the median, and what three turns of four have at least. Both
# are arrays of a figure for each turn.
def ratios($a; $b):
	[$a, $b] | transpose | map(ratio(.[0]; .[1])) | map(select(. != null)) | sort;
def ratio_by_turns($a; $b): ratios($a; $b) | .[length / 2 | floor];
def least_by_turns($a; $b): ratios($a; $b) | .[length / 4 | floor];

# The figures of a kind of packet, in IPv4 and TCP, of one service with two backends; or nothing, if
# it could not be timed in quiet.
def figures($mode; $kind; $flows):
	first((.results[] | select(.part == "packet" and .mode == $mode and .family == 4 and
		.protocol == "tcp" and .kind == $kind and .flows == $flows and
		.services == 1 and .backends == 2 and (.busy | not))), {});
def cost($mode; $kind; $flows): figures($mode; $kind; $flows) | ."xdp-lb"[1];
def yardstick($mode; $kind; $flows): figures($mode; $kind; $flows) | .yardstick[1];

def dsr:
	cost("dsr"; "data"; 1) as $cost | yardstick("dsr"; "data"; 1) as $yardstick |
	ratio($cost; $yardstick) as $ratio |
	row("dsr, IPv4, one flow"; "at most 35 ns, or 1.7 times the yardstick";
		"\($cost | ns), \($ratio | times)";
		if $cost == null then null else $cost <= 35 or $ratio <= 1.7 end);

def ipip:
	cost("ipip"; "data"; 1) as $cost |
	row("ipip, IPv4, one flow"; "at most 50 ns"; $cost | ns; $cost | most(50));

def million($mode):
	cost($mode; "data"; 1000000) as $cost | ratio($cost; cost($mode; "data"; 1)) as $ratio |
	row("\($mode), IPv4, 1,000,000 flows"; "at most 1.3 times one flow";
		"\($ratio | times), \($cost | ns)"; $ratio | most(1.3));

def nat:
	cost("nat"; "data"; 1) as $there | cost("nat"; "answer"; 1) as $back |
	row("nat, IPv4, known flow, one flow"; "at most 40 ns";
		"to the backend \($there | ns), back \($back | ns)"; [$there, $back] | all_most(40));

def nat_many:
	ratio(cost("nat"; "data"; 100000); yardstick("nat"; "data"; 100000)) as $there |
	ratio(cost("nat"; "answer"; 100000); yardstick("nat"; "answer"; 100000)) as $back |
	row("nat, IPv4, known flow, 100,000 flows"; "at most 1.5 times the yardstick";
		"to the backend \($there | times), back \($back | times)";
		[$there, $back] | all_most(1.5));

# The figures that a condition selects, beside the same kind and number of flows in IPv4 of one service
# and two backends, by passes, in which they are timed soon after each other; foreign packets, and
# first ones, aside.
def beside(condition):
	. as $all | [.results[] | select(.part == "packet" and .protocol == "tcp" and .floor) |
		select(condition and (.busy | not)) | . as $this |
		{ kind: "\(.mode) \(.kind)", setup: "\(.services) x \(.backends)", flows,
		  ratio: ratio_by_turns(.passes;
			$all | figures($this.mode; $this.kind; $this.flows).passes // []) }] |
	map(select(.ratio != null));

# The worst of them decides.
def compared($what; $bar; $limit; condition):
	beside(condition) | max_by(.ratio) as $worst |
	(map(select(.flows == 1)) | max_by(.ratio).ratio) as $one |
	row($what; $bar; "one flow \($one | times); at worst \($worst.ratio | digits(2))" +
		" (\($worst.kind // "-"), \($worst.setup // "-"), \($worst.flows // "-") flows)";
		$worst.ratio | most($limit));

# Each group of figures has a packet of no service, which depends on nothing that the groups vary.
def foreign:
	([.results[] | select(.part == "packet" and .kind == "foreign" and (.busy | not)) |
		."xdp-lb"[1]] | sort |
		.[length / 2 | floor]) as $cost |
	row("a packet of no service"; "at most 15 ns"; "\($cost | ns), median of all groups";
		$cost | most(15));

def bytes($when): first((.results[] | select(.part == "memory" and .when == $when) | .bytes), null);
def megabytes: "\(if . == null then null else . / 1e6 end | digits(1)) MB";

def memory:
	bytes("attached") as $bytes |
	row("memory of all maps, as attached"; "at most 192 MB";
		"\($bytes | megabytes); with 512 services \(bytes("services") | megabytes)";
		$bytes | most(192e6));

def rounds($name; $figure):
	first((.results[] | select(.part == "live" and .name == $name) | .rounds[$figure]), []);

# What a client gets, beside others: pairs of a name and of the least part of it. From round to round
# this differs by far more than from what the bar is, so three rounds of four must meet it.
def live($name; $figure; $text; $others):
	. as $all | [$others[] | . as [$other, $least] |
		($all | [rounds($name; $figure), rounds($other; $figure)]) as [$a, $b] |
		{ name: $other, $least, ratio: ratio_by_turns($a; $b), low: least_by_turns($a; $b) }] |
	row("\($name), live, \($text)";
		"at least \(map("\(.least) of \(.name)") | join(", "))";
		map("\(.ratio | digits(2)) (\(.low | digits(2))) of \(.name)") | join(", ");
		if any(.ratio == null) then null else all(.low >= .least) end);

.verdicts = [
	dsr, million("dsr"), ipip, million("ipip"), nat, nat_many,
	compared("IPv6"; "at most 1.4 times IPv4"; 1.4;
		.family == 6 and .services == 1 and .backends == 2),
	foreign, memory,
	compared("512 services; 1,000 backends"; "at most 1.25 times one service, two backends"; 1.25;
		.family == 4 and (.services > 1 or .backends > 2)),
	live("nat"; "keepalive"; "keep-alive requests/s";
		[["nftables", 1.25], ["haproxy", 1.5], ["straight", 0.75]]),
	live("nat"; "connections"; "connections/s";
		[["nftables", 1.25], ["haproxy", 1.4], ["straight", 0.9]]),
	live("dsr"; "keepalive"; "keep-alive requests/s"; [["straight", 0.9]]),
	live("dsr"; "connections"; "connections/s"; [["straight", 0.9]])
]
