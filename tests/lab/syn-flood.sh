#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A flood of SYNs from random sources and ports: established connections live on, those that talk
# and those that are idle, and new ones get through.
#
#    h1 clients, and the flood ---> lb ---> h2, h3
. "$(dirname "$(realpath "$0")")/../lib.sh"

readonly PORT=8000 RATE=100000
syns=$(scaled 300000 300000 10000000)

# Connections by `steady`, broken ones among them.
report() # FILE WHAT
{
	local all broken

	read -r all broken < <(awk '$1 ~ /^h[23]$/ { all += $2; broken += $3 }
		END { print all + 0, broken + 0 }' "$1")
	note "$2: $all, broken: $broken"
	equal "$broken" 0 "broken connections, $2"
}

flood()
{
	local talkers idlers visitors visits answered

	service_up $PORT/tcp
	spawn h1 "$TOOLS/steady" talk "$vip_address" $PORT 1000 20000 1000 >"$TMP/talk" 2>"$TMP/slow"
	talkers=$pid
	spawn h1 "$TOOLS/steady" talk "$vip_address" $PORT 500 22000 0 >"$TMP/idle"
	idlers=$pid
	await 20 grep -q 'open 1000' "$TMP/talk"
	await 20 grep -q 'open 500' "$TMP/idle"
	spawn h1 "$TOOLS/visit" "$vip_address" $PORT 50 >"$TMP/visits"
	visitors=$pid
	note "$(on h1 nice -n -10 "$TOOLS/flood" -r $RATE -c "$syns" veth0 de:ad:be:ef:00:10 \
		"$vip_address" $PORT) (wanted: $RATE/s)"
	kill -USR1 "$visitors"
	wait "$visitors"
	read -r visits answered < <(awk '{ print $2, $4 }' "$TMP/visits")
	within "$answered" $((visits * 99 / 100)) "$visits" "new connections of $visits that succeed"
	note "$(cat "$TMP/visits") ms"

	kill -USR1 "$idlers" "$talkers"
	wait "$idlers" "$talkers" || fail "a byte was wrong: $(cat "$TMP/slow")"
	report "$TMP/talk" "connections that talk"
	report "$TMP/idle" "connections that were idle"
	within "$(lb -j flow count | jq .flows)" 1500 $((1500 + visits)) "established flows"
	lb service del "$vip:$PORT/tcp"
}

# The kernel would do all of this on one CPU, where it drops what it cannot hold: the balancer gets
# a thread, and the backends' packets a CPU each.
spread()
{
	ip netns exec "${prefix}lb" sh -c 'echo 1 >/sys/class/net/veth6/threaded'
	ip netns exec "${prefix}sw" sh -c 'echo 1 >/sys/class/net/veth7/threaded'
	ip netns exec "${prefix}h2" sh -c 'echo 1 >/sys/class/net/veth3/queues/rx-0/rps_cpus'
	ip netns exec "${prefix}h3" sh -c 'echo 2 >/sys/class/net/veth5/queues/rx-0/rps_cpus'
}

lab_up
attach
spread
for host in h2 h3; do
	on $host "$TOOLS/steady" serve $PORT $host &
	await 60 serves $host $PORT
done
each_family flood
