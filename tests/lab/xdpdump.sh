#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# "Looking at packets" of scripts/README.md: xdpdump shows each packet as it comes to the program and
# as it leaves it, with the action, and `xdp-lb trace` beside it the reason. Needs fentry.
#
#    h1 curl ---> lb (xdpdump, trace) ---> h2, h3 nginx
. "$(dirname "$0")/../lib.sh"

listening()
{
	grep -q 'listening on veth6' "$TMP/xdpdump.log"
}

# xdpdump ends at once where the kernel cannot attach programs to programs.
start_xdpdump() # OPTION...
{
	spawn lb xdpdump -i veth6 --rx-capture entry,exit --perf-wakeup 1 "$@" \
		>"$TMP/xdpdump" 2>"$TMP/xdpdump.log"
	dump=$pid
	until listening; do
		if ! kill -0 "$dump" 2>/dev/null; then
			[ -z "${VM-}" ] || fail "xdpdump: $(cat "$TMP/xdpdump.log")"
			skip "xdpdump does not run on this kernel: $(tail -n 1 "$TMP/xdpdump.log")"
		fi
		sleep 0.1
	done
}

stop()
{
	sleep 1
	kill -INT "$1"
	wait "$1" || true
}

lines() # PATTERN: how many of them
{
	grep -cE "$1" "$TMP/xdpdump" || true
}

# Each packet twice, and as many as the balancer counts.
before_and_after()
{
	local entries sent

	service_up 8000/tcp
	lb stats zero
	start_xdpdump
	on h1 curl -sS "$url/"
	stop "$dump"
	sent=$(lb -j stats | jq '[.verdicts[] | select(.action == "tx").packets] | add')
	entries=$(lines '@entry: packet size')
	within "$(lines '@exit\[TX\]: packet size')" 8 20 'packets at exit, sent'
	equal "$(lines '@exit\[TX\]: packet size')" "$sent" 'packets that the balancer counts as sent'
	[ "$entries" -ge "$sent" ] || fail "$entries packets at entry, $sent were sent"
}

# What tcpdump makes of the file: the client's packet, and what became of it.
as_a_file()
{
	local text

	start_xdpdump -w "$TMP/packets.pcap"
	on h1 curl -sS --local-port "30${family}01" "$url/"
	stop "$dump"
	text=$(tcpdump -nn -r "$TMP/packets.pcap" tcp 2>/dev/null)
	grep -qF "${net}1.30${family}01 > $vip_address.8000" <<<"$text" || fail "no request: $text"
	grep -qE "$vip_address.[0-9]+ > ($backend2|$backend3).8000" <<<"$text" ||
		fail "no request to a backend: $text"
	grep -qF "$vip_address.8000 > ${net}1.30${family}01" <<<"$text" || fail "no answer: $text"
}

# Where a packet ends here, xdpdump says so, and trace why.
why_dropped()
{
	lb backend down "$vip:8000/tcp" "$backend2"
	lb backend down "$vip:8000/tcp" "$backend3"
	start_xdpdump
	spawn lb "$top/xdp-lb" -j trace "$vip:8000/tcp" >"$TMP/trace"
	local tracer=$pid
	sleep "$(scaled 0.5 3)"
	! on h1 curl -s --max-time 2 "$url/" || fail 'an answer without a backend'
	stop "$tracer"
	stop "$dump"
	[ "$(lines '@exit\[DROP\]: packet size')" -ge 1 ] || fail 'no packet at exit that was dropped'
	jq -es 'length >= 1 and all(.action == "drop" and .reason == "no-backend")' "$TMP/trace" \
		>"$TMP/out" || fail "trace: $(cat "$TMP/trace")"
}

looking()
{
	before_and_after
	as_a_file
	why_dropped
}

[ -n "$(command -v xdpdump)" ] || skip 'no xdpdump here'
lab_up
attach
start_web
each_family looking
