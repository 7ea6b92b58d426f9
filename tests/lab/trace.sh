#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# `xdp-lb trace` shows a curl packet by packet: which backend, a new or a known flow, which way, what
# became of it; no more than its filter lets through; and nothing stays switched on.
#
#    h1 curl ---> lb (trace) ---> h2, h3 nginx
. "$(dirname "$(realpath "$0")")/../lib.sh"

# Traces until stop_trace. Its packets are on their way once the flag is set.
start_trace() # [WORDS]
{
	spawn lb "$top/xdp-lb" -j trace "$@" >"$TMP/trace"
	tracer=$pid
	await 5 is_tracing
}

is_tracing()
{
	[ "$(trace_flag)" = 2 ]
}

# CONFIG_TRACE, or 0.
trace_flag()
{
	bpftool -j map lookup pinned /sys/fs/bpf/tc/globals/xlb_config key 0 0 0 0 |
		jq '(.formatted.value.flags // (.value[12] | ltrimstr("0x") | tonumber)) / 2 % 2 * 2'
}

stop_trace() # [SIGNAL]
{
	sleep 0.3
	kill "-${1:-INT}" "$tracer"
	wait "$tracer" || fail "trace ended with status $?"
	equal "$(trace_flag)" 0 "flags when trace has ended"
}

# As many as tcpdump sees on the client, each with its direction, from SYN to the last.
packet_by_packet()
{
	local seen backend

	spawn h1 tcpdump --immediate-mode -U -Z root -w "$TMP/pcap" "tcp port 8000" 2>"$TMP/tcpdump"
	local dump=$pid
	await 5 grep -q listening "$TMP/tcpdump"
	start_trace
	backend=$(on h1 curl -sS --local-port "30${family}01" "$url/")
	stop_trace
	kill "$dump"
	wait "$dump" || true
	seen=$(tcpdump -nn -r "$TMP/pcap" 2>/dev/null | wc -l)
	within "$seen" 8 20 "packets that the client sees"
	equal "$(wc -l <"$TMP/trace")" "$seen" "packets traced"
	[ "$backend" = h2 ] && backend=$backend2 || backend=$backend3
	jq -es --arg backend "$backend" --arg family "$family" '
		(.[0] | .choice == "table" and .direction == "request") and
		(.[1] | .direction == "answer") and
		(.[2:] | all(.choice == "known-flow")) and
		all(.action == "tx" and .reason == "forwarded" and
			(.client | endswith(":30" + $family + "01")) and
			.backend == {address: $backend, port: 8000} and .bytes >= 54)' \
		"$TMP/trace" >/dev/null ||
		fail "trace: $(cat "$TMP/trace")"
	equal "$(jq -s '[.[] | select(.direction == "request")] | length' "$TMP/trace")" \
		"$(tcpdump -nn -r "$TMP/pcap" "dst port 8000" 2>/dev/null | wc -l)" "requests traced"
}

filtered()
{
	local one=${net}1

	[ "$family" = 4 ] || one="[$one]"
	start_trace "$vip:8000/tcp" "$one:30${family}02"
	on h1 curl -sS --local-port "30${family}02" "$url/" >/dev/null
	on h1 curl -sS --local-port "30${family}03" "$url/" >/dev/null
	stop_trace TERM
	jq -es --arg family "$family" \
		'length >= 8 and all(.client | endswith(":30" + $family + "02"))' "$TMP/trace" >/dev/null ||
		fail "filtered trace: $(cat "$TMP/trace")"
	spawn lb "$top/xdp-lb" trace count 3 >"$TMP/trace"
	await 5 is_tracing
	on h1 curl -sS "$url/" >/dev/null
	wait "$pid" || fail "trace count 3: status $?"
	equal "$(wc -l <"$TMP/trace")" 3 "lines of trace count 3"
	equal "$(trace_flag)" 0 "flags when trace has ended"
	note "$(head -1 "$TMP/trace")"
}

refused()
{
	lb backend down "$vip:8000/tcp" "$backend2"
	lb backend down "$vip:8000/tcp" "$backend3"
	start_trace "$vip:8000/tcp"
	on h1 curl -sS --max-time 0.5 "$url/" >/dev/null 2>&1 || true
	stop_trace
	jq -es 'length >= 1 and all(.action == "drop" and .reason == "no-backend")' "$TMP/trace" \
		>/dev/null || fail "trace without backends: $(cat "$TMP/trace")"
}

trace()
{
	service_up 8000/tcp
	packet_by_packet
	filtered
	refused
	lb service del "$vip:8000/tcp"
}

lab_up
attach
start_web
each_family trace
