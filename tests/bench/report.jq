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
def order: ["straight", "dsr", "ipip", "nat", "dsr-generic", "ipip-generic", "nat-generic", "nftables",
	"haproxy", "nginx"];

def machine: .machine | "\(.date), commit \(.commit), \(.kernel), \(.cpu)",
	(.versions | to_entries | map("\(.key) \(.value)") | join(", "));

def packets:
	"Per packet: ns above the empty program, min / median / max of the rounds (*: on a busy CPU)", "",
	(["packet", "services", "backends", "flows", "floor", "yardstick", "xdp-lb", "rounds"] | line),
	(part("packet") | ["\(.mode) IPv\(.family) \(.protocol) \(.kind)", .services, .backends, .flows,
		(.floor | three), (.yardstick | three), (."xdp-lb" | three),
		"\(.rounds)\(if .busy then "*" else "" end)"] | line);

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

def live:
	([part("live") | { key: .name, value: . }] | from_entries) as $of |
	"Live, medians: requests/s and connections/s with 50 connections, latency p50/p99 in us with 50 and",
	"with one, Mbit/s of one connection, CPU time of the whole lab in us", "",
	(["", "requests", "of straight", "p50/p99", "connections", "of straight", "p50/p99 of one",
		"Mbit/s", "CPU/request", "CPU/connection"] | line),
	(order[] | $of[.] // empty | [.name, (.keepalive[1] | whole),
		of_straight($of.straight; "keepalive"),
		"\(."keepalive-p50"[1] | whole)/\(."keepalive-p99"[1] | whole)",
		(.connections[1] | whole), of_straight($of.straight; "connections"),
		"\(."alone-p50"[1] | whole)/\(."alone-p99"[1] | whole)", (.bulk[1] | whole),
		(."keepalive-cpu"[1] | one), (."connections-cpu"[1] | one)] | line);

def verdicts:
	"What it should show; in brackets: what three rounds of four have at least", "", (["what", "bar", "measured", ""] | line),
	(.verdicts[] | [.what, .bar, .measured,
		if .meets == null then "not measured in quiet" elif .meets then "meets" else "misses" end] | line);

# Blocks of "flows ns" for gnuplot, each under its name.
def series($name; $mode; $kind; $who):
	"\"\($name)\"", (part("packet") | select(.mode == $mode and .kind == $kind and .family == 4 and
		.protocol == "tcp" and .services == 1 and .backends == 2) |
		"\(.flows) \(.[$who][1]) \(.[$who][0]) \(.[$who][2])"), "", "";

def flows:
	series("floor (MAC swap)"; "dsr"; "data"; "floor"),
	series("yardstick (one LRU hash lookup)"; "dsr"; "data"; "yardstick"),
	series("dsr"; "dsr"; "data"; "xdp-lb"),
	series("ipip"; "ipip"; "data"; "xdp-lb"),
	series("nat, to the backend"; "nat"; "data"; "xdp-lb"),
	series("nat, back"; "nat"; "answer"; "xdp-lb");

def rivals:
	([part("live") | { key: .name, value: . }] | from_entries) as $of |
	order[] | $of[.] // empty |
	"\"\(.name)\" \(.keepalive[1] / 1000) \(.connections[1] / 1000)";

if $what == "machine" then machine
elif $what == "packet" then packets
elif $what == "memory" then memory
elif $what == "control" then control
elif $what == "pps" then pps
elif $what == "live" then live
elif $what == "verdicts" then verdicts
elif $what == "flows" then flows
else rivals end
