# SPDX-License-Identifier: GPL-2.0
# Adds to the results what they are judged by: rows of what, bar, measured, and whether it meets it.
# Medians throughout; not fenced, where a row does not say so. Where a row is about several figures, all
# must meet the bar.

def ratio($a; $b): if $a == null or $b == null or $b == 0 then null else $a / $b end;
def digits($n): if . == null then "-" else . * pow(10; $n) | round / pow(10; $n) | tostring end;
def ns: "\(digits(1)) ns";
def times: "\(digits(2)) times";
def median: sort | (.[length / 2 | floor] + .[(length - 1) / 2 | floor]) / 2;
def listed: join(", ");

# Whether a value is at most that, or all of several are; null if that was not measured.
def most($bar): if . == null then null else . <= $bar end;
def all_most($bar): map(most($bar)) | if any(. == false) then false elif any(. == null) then null else true end;
def least($bar): if . == null then null else . >= $bar end;
def all_least($bar): map(least($bar)) | if any(. == false) then false elif any(. == null) then null else true end;
def row($what; $bar; $measured; $meets):
	{ what: $what, bar: $bar, measured: $measured, meets: $meets };

# How often as much one is as another, by turns, each compared with the other's of the same, as
# neighbours of this machine come and go: the median. Both are arrays of a figure for each turn.
def ratios($a; $b):
	[$a, $b] | transpose | map(ratio(.[0]; .[1])) | map(select(. != null)) | sort;
def ratio_by_turns($a; $b): ratios($a; $b) | .[length / 2 | floor];

# The figures of a kind of packet, in IPv4 and TCP, of one service with two backends; or nothing, if
# it could not be timed in quiet.
def figures($mode; $kind; $flows):
	first((.results[] | select(.part == "packet" and .mode == $mode and .family == 4 and
		.protocol == "tcp" and .kind == $kind and .flows == $flows and .setup == "" and
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

def nat_ratio($flows; $bar):
	ratio(cost("nat"; "data"; $flows); yardstick("nat"; "data"; $flows)) as $there |
	ratio(cost("nat"; "answer"; $flows); yardstick("nat"; "answer"; $flows)) as $back |
	row("nat, IPv4, known flow, \($flows) flows"; "at most \($bar) times the yardstick";
		"to the backend \($there | times), back \($back | times) (\(cost("nat"; "data"; $flows) | ns), " +
		"\(cost("nat"; "answer"; $flows) | ns))"; [$there, $back] | all_most($bar));

# New flows, see room.sh.
def new($setup; $what; $bar):
	first((.results[] | select(.part == "packet" and .setup == $setup and .wrong == 0)), {}) as $row |
	row("nat, new flow (SYN), \($what)"; "at most \($bar) ns"; $row."xdp-lb"[1] | ns;
		$row."xdp-lb"[1] | most($bar));

def room($modes; $what; $bar):
	[.results[] | select(.part == "room" and (.mode | IN($modes[]))) |
		{ mode, part: (100 * .flows / .of), flows }] as $rooms |
	row($what; "first one refused at \($bar) % or more"; $rooms |
		map("\(.mode) \(.part | digits(1)) % (\(.flows))") | listed;
		if $rooms == [] then null else $rooms | all(.part >= $bar) end);

def port:
	cost("nat"; "port"; 1) as $cost |
	row("nat VIP, packet to a port without service"; "at most 60 ns"; $cost | ns; $cost | most(60));

# 512 services of three backends, fenced.
def many_services:
	[[1, 50], [100, 50], [10000, 75], [100000, 180]] as $bars |
	[$bars[] as [$flows, $bar] |
	 { $flows, $bar, cost: first((.results[] | select(.part == "packet" and .mode == "ipip" and
		.services == 512 and .backends == 3 and .flows == $flows and (.busy | not)) |
		.fenced."xdp-lb"[1]), null) }] as $rows |
	row("ipip, 512 services of 3 backends, 1, 100, 10,000, 100,000 flows, fenced";
		"at most \($bars | map(.[1] | tostring) | listed) ns"; $rows | map(.cost | ns) | listed;
		if $rows | any(.cost == null) then null else $rows | all(.cost <= .bar) end);

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
	bytes("attached") as $before | bytes("services") as $after |
	row("memory of all maps, as attached"; "at most 192 MB"; $before | megabytes; $before | most(192e6)),
	row("memory of all maps, 512 services"; "at most 110 MB"; $after | megabytes; $after | most(110e6));

# How well two CPUs do, beside the empty program: the median of the turns.
def scales:
	.results[] | select(.part == "scale") | ratio_by_turns(."xdp-lb"; .empty) as $ratio |
	row("two CPUs, \(.mode) (\(.kind))"; "at least 0.97 of the empty program's scaling";
		"\($ratio | digits(3)): \(."xdp-lb" | median | digits(2)) times one CPU, empty \(.empty |
		median | digits(2))"; $ratio | least(0.97));

def control($names; $what; $bar):
	[.results[] | select(.part == "control" and (.name | IN($names[])))] as $rows |
	row($what; "at most \($bar) ms"; $rows | map("\(.ms[1] | digits(1)) ms") | listed;
		if $rows == [] then null else $rows | all(.ms[1] <= $bar) end);

def rates($name): first((.results[] | select(.part == "pps" and .name == $name)), {}).rounds // [];
def pps($name; $other; $text; $bar):
	ratio_by_turns(rates($name); rates($other)) as $ratio |
	row("UDP packets/s, \($name)"; "at least \($bar) times \($text)"; $ratio | times;
		$ratio | least($bar));

# What features cost, see cliff.sh; one without a limit has no verdict.
def cliffs:
	.results[] | select(.part == "cliff" and .limit) |
	row("\(.name): \(.mode), \(.flows) flows\(if .kind == "data" then "" else ", \(.kind)" end)";
		"at most \(.limit) ns more"; "\(.more[1] | ns) (\(.plain[1] | digits(1)) to \(.with[1] |
		digits(1)))\(if .wrong == 0 then "" else "; \(.wrong) packets had another verdict" end)";
		if .wrong != 0 then false elif .busy then null else .more[1] <= .limit end);

# A packet that is dropped costs little.
def right:
	([.results[] | select(.part == "packet" or .part == "cliff") | select(.wrong != 0)] | length) as $wrong |
	row("every timed packet had the verdict that it should"; "all"; "\($wrong) rows are wrong"; $wrong == 0);

.verdicts = [
	right, dsr, million("dsr"), ipip, million("ipip"), nat, nat_ratio(10000; 1.2), nat_ratio(100000; 0.8),
	new("tenth"; "a tenth of the table in use"; 300), new("ports-90"; "90 % of the ports taken"; 600),
	new("ports-all"; "all ports taken"; 900),
	room(["nat"]; "flow table, mode nat"; 95),
	room(["dsr", "ipip"]; "flow table, remembered in transition"; 70),
	port, many_services,
	compared("IPv6"; "at most 1.4 times IPv4"; 1.4;
		.family == 6 and .services == 1 and .backends == 2),
	foreign, memory,
	compared("512 services; 1,000 backends"; "at most 1.25 times one service, two backends"; 1.25;
		.family == 4 and (.services == 512 and .backends == 2 or .backends == 1000)),
	scales,
	control(["apply-512x8"]; "apply of 512 services of 8 backends"; 650),
	control(["apply-512x8-table-4093"]; "the same, tables of 4,093 slots"; 150),
	control(["down-of-1000-nat-last-packet", "down-of-1000-dsr-last-packet",
		"down-of-1000-ipip-last-packet"];
		"backend down, one of 1,000 services, to the last packet: nat, dsr, ipip"; 10),
	pps("dsr"; "least"; "the least program"; 0.95), pps("nat"; "least"; "the least program"; 0.85),
	pps("nat"; "nftables"; "nftables"; 3.5), pps("user"; "recvmmsg"; "recvmmsg"; 1.5),
	cliffs
]
