# SPDX-License-Identifier: GPL-2.0
# One table of the results, as lines with tabs; or the data of a plot: $what says which.

def one: if . == null then "-" else . * 10 | round | if . == 0 then "0" else . / 10 | tostring end end;
def whole: if . == null then "-" else round | tostring end;
def three: if . == null then "-" else map(one) | join(" / ") end;
def line: map(. // "-" | tostring) | join("\t");
def part($name): .results[] | select(.part == $name);
# How often as much, by rounds; see verdicts.jq.
def of_straight($straight; $figure):
	[.rounds[$figure], $straight.rounds[$figure]] | transpose | map(.[0] / .[1]) | sort |
	.[length / 2 | floor] | . * 100 | round / 100 | tostring;
def order: ["straight", "least", "dsr", "ipip", "nat", "dsr-generic", "ipip-generic", "nat-generic", "nftables",
	"haproxy", "nginx"];

def machine: .machine | "\(.date), commit \(.commit), \(.kernel), \(.cpu)",
	(.versions | to_entries | map("\(.key) \(.value)") | join(", "));

def packets:
	"Per packet: ns above the empty program, min / median / max of the rounds (*: on a busy CPU); fenced:",
	"with the store buffer drained before the packet, medians of the yardstick and of xdp-lb", "",
	(["packet", "services", "backends", "flows", "floor", "yardstick", "xdp-lb", "fenced", "", "rounds"] |
		line),
	(part("packet") | ["\(.mode) IPv\(.family) \(.protocol) \(.kind)\(
			if .setup == "" then "" else ", \(.setup)" end)", .services, .backends, .flows,
		(.floor | three), (.yardstick | three), (."xdp-lb" | three),
		(.fenced.yardstick[1]? | one), (.fenced."xdp-lb"[1] | one),
		"\(.rounds)\(if .busy then "*" else "" end)"] | line);

def cliffs:
	"What costs what: ns of a packet, plain and with a feature, and the difference, min / median / max of",
	"the loads (*: on a busy CPU); fenced: the median difference with the store buffer drained", "",
	(["feature", "packet", "flows", "plain", "with it", "more", "fenced", "limit", ""] | line),
	(part("cliff") | [.name, "\(.mode) \(.kind)", .flows, (.plain[1] | one), (.with[1] | one),
		(.more | three), (.fenced.more[1] | one), (.limit // "-"),
		"\(if .busy then "*" else "" end)\(if .wrong != 0 then "WRONG: \(.wrong)" else "" end)"] |
		line);

def middle: sort | .[length / 2 | floor];
def others:
	"Two CPUs, times one: empty program, xdp-lb, one by the other; and flows when the first was refused", "",
	(["", "empty", "xdp-lb", "ratio"] | line),
	(part("scale") | ["\(.mode) \(.kind), \(.flows) flows each", (.empty | middle), (."xdp-lb" | middle),
		([.empty, ."xdp-lb"] | transpose | map(.[1] / .[0]) | middle * 1000 | round / 1000)] | line),
	(part("room") | ["flow table, \(.mode)", .flows, .of, (.flows / .of * 1000 | round / 1000)] | line);

def memory:
	"Memory of the maps, KB", "", (["map", "as attached", "512 services"] | line),
	((part("memory") | select(.when == "attached")) as $before |
	 (part("memory") | select(.when == "services")) as $after |
	 ($before.maps | keys_unsorted | sort_by(-$after.maps[.])[] |
		[., ($before.maps[.] / 1e3 | whole), ($after.maps[.] / 1e3 | whole)] | line),
	 (["all", ($before.bytes / 1e3 | whole), ($after.bytes / 1e3 | whole)] | line));

def control:
	"Changes, ms, min / median / max", "", (part("control") | [.name, (.ms | three)] | line);

def pps:
	"UDP packets a second, min / median / max", "",
	(part("pps") | [.name, (.pps | map(whole) | join(" / "))] | line);

def dns:
	"DNS answers a second of one knotd, min / median / max", "",
	(part("dns") | [.name, (.qps | map(whole) | join(" / "))] | line);

# CPU time at the balancer for a packet.
def at_balancer($straight; $figure):
	if .name == "straight" or ."\($figure)-packets"[1] == 0 then "-"
	else (."\($figure)-cpu"[1] - $straight."\($figure)-cpu"[1]) / ."\($figure)-packets"[1] | one end;

def live:
	([part("live") | { key: .name, value: . }] | from_entries) as $of |
	"Live, medians: requests/s and connections/s with 50 connections, latency p50/p99 in us with 50 and",
	"with one, Mbit/s of one connection; CPU time in us: of the whole lab, and at the balancer for each",
	"packet that comes to it (what the lab takes more than straight, by packets)", "",
	(["", "requests", "of straight", "p50/p99", "connections", "of straight", "p50/p99 of one",
		"Mbit/s", "CPU/request", "CPU/connection", "/packet", "/packet"] | line),
	(order[] | $of[.] // empty | [.name, (.keepalive[1] | whole),
		of_straight($of.straight; "keepalive"),
		"\(."keepalive-p50"[1] | whole)/\(."keepalive-p99"[1] | whole)",
		(.connections[1] | whole), of_straight($of.straight; "connections"),
		"\(."alone-p50"[1] | whole)/\(."alone-p99"[1] | whole)", (.bulk[1] | whole),
		(."keepalive-cpu"[1] | one), (."connections-cpu"[1] | one),
		at_balancer($of.straight; "keepalive"), at_balancer($of.straight; "connections")] | line);

def verdicts:
	"What it should show", "", (["what", "bar", "measured", ""] | line),
	(.verdicts[] | [.what, .bar, .measured,
		if .meets == null then "not measured in quiet" elif .meets then "meets" else "misses" end] | line);

# Blocks of "flows ns" for gnuplot, each under its name.
def series($name; $mode; $kind; $who):
	"\"\($name)\"", (part("packet") | select(.mode == $mode and .kind == $kind and .family == 4 and
		.protocol == "tcp" and .setup == "" and .services == 1 and .backends == 2) |
		"\(.flows) \(.[$who][1]) \(.[$who][0]) \(.[$who][2])"), "", "";

def flows:
	series("floor (MAC swap)"; "dsr"; "data"; "floor"),
	series("yardstick (one LRU hash lookup)"; "dsr"; "data"; "yardstick"),
	series("dsr"; "dsr"; "data"; "xdp-lb"),
	series("ipip"; "ipip"; "data"; "xdp-lb"),
	series("nat, to the backend"; "nat"; "data"; "xdp-lb"),
	series("nat, back"; "nat"; "answer"; "xdp-lb");

# Bars: a feature, and what it costs a packet of one flow in dsr, and in nat to the backend.
def costs:
	[part("cliff") | select(.flows <= 2 and (.kind | IN("data", "port")) and .mode != "ipip")] |
	(group_by(.name) | map({ key: .[0].name, value: map({ key: .mode, value: .more[1] }) | from_entries }) |
		from_entries) as $of |
	reduce .[].name as $name ([]; if index($name) then . else . + [$name] end) | reverse | to_entries[] |
	"\"\(.value)\" \($of[.value].dsr // "NaN") \($of[.value].nat // "NaN")";

def rivals:
	([part("live") | { key: .name, value: . }] | from_entries) as $of |
	order[] | $of[.] // empty |
	"\"\(.name)\" \(.keepalive[1] / 1000) \(.connections[1] / 1000)";

if $what == "machine" then machine
elif $what == "packet" then packets
elif $what == "cliffs" then cliffs
elif $what == "others" then others
elif $what == "costs" then costs
elif $what == "memory" then memory
elif $what == "control" then control
elif $what == "pps" then pps
elif $what == "dns" then dns
elif $what == "live" then live
elif $what == "verdicts" then verdicts
elif $what == "flows" then flows
else rivals end
