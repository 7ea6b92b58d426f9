#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A source gets no more than its share of a service's flows; `refresh` counts those that still live,
# and gives the rest back.
#
#    h1 steady ---> lb VIP:8000 ---> h2 steady
. "$(dirname "$(realpath "$0")")/../lib.sh"

readonly PORT=8000 SHARE=20

# Connects COUNT times from ports FROM on, in the background; $pid is the process.
connect() # FROM COUNT FILE
{
	spawn h1 "$TOOLS/steady" talk "$vip_address" $PORT "$2" "$1" 1000 >"$3" 2>>"$TMP/slow"
}

limited_drops()
{
	lb -j stats | jq '[.verdicts[] | select(.reason == "flow-limited") | .packets] | add // 0'
}

more_drops() # THAN
{
	[ "$(limited_drops)" -gt "$1" ]
}

no_more_than_a_share()
{
	local before first

	lb service add "$vip:$PORT/tcp"
	lb backend add "$vip:$PORT/tcp" "$backend2"
	lb limit set "$vip:$PORT/tcp" conns $SHARE
	equal "$(lb -j limit show | jq '.[0].conns')" $SHARE "share shown"
	connect 20000 $SHARE "$TMP/first"
	first=$pid
	await 10 grep -q "^open $SHARE" "$TMP/first"
	lb refresh
	before=$(limited_drops)
	connect 21000 1 "$TMP/none"
	await 10 more_drops "$before"
	kill "$pid"
	# They end, and are counted: as many may come.
	kill "$first"
	lb flow flush
	lb refresh
	connect 22000 $SHARE "$TMP/second"
	await 10 grep -q "^open $SHARE" "$TMP/second"
	kill "$pid"
	lb limit del "$vip:$PORT/tcp"
	equal "$(lb -j limit show | jq length)" 0 "limits left"
	lb service del "$vip:$PORT/tcp"
}

# `watch` counts by itself.
counted_by_watch()
{
	local before first watch

	spawn lb "$top/xdp-lb" -n "${prefix}lb" watch 2>"$TMP/watch.log"
	watch=$pid
	lb refresh
	lb service add "$vip:$PORT/tcp"
	lb backend add "$vip:$PORT/tcp" "$backend2"
	lb limit set "$vip:$PORT/tcp" conns $SHARE
	connect 23000 $SHARE "$TMP/first"
	first=$pid
	await 10 grep -q "^open $SHARE" "$TMP/first"
	before=$(limited_drops)
	connect 24000 1 "$TMP/none"
	await 10 more_drops "$before"
	kill "$pid" "$first"
	lb flow flush
	connect 25000 $SHARE "$TMP/second"
	await 25 grep -q "^open $SHARE" "$TMP/second"
	kill "$pid" "$watch"
	lb service del "$vip:$PORT/tcp"
}

only_where_flows_are_seen_to_end()
{
	lb service add "$vip:$PORT/tcp" mode dsr
	lb_refuses 2 conns limit set "$vip:$PORT/tcp" conns 5
	lb limit set "$vip:$PORT/tcp" flows 5 per-source
	lb save >"$TMP/saved"
	grep -qF "limit set $vip:$PORT/tcp flows 5 per-source" "$TMP/saved"
	lb apply "$TMP/saved"
	lb service del "$vip:$PORT/tcp"
}

shares()
{
	no_more_than_a_share
	counted_by_watch
	only_where_flows_are_seen_to_end
}

lab_up
attach
on h2 "$TOOLS/steady" serve $PORT h2 &
await 60 serves h2 $PORT
each_family shares
