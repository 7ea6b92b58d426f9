#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Two months by the machine's own clock: connections that are idle all the time, a drain of the first
# day, a UDP service, and many ports of a backend used on the first day. What is old must never pass
# for new. For a guest that skips the time in which it is idle (see idle.sh); anywhere else it takes
# two months. In short until day 27.
#
#    h1 clients ---> lb  10.0.0.10 nat, 10.9.0.1 dsr ---> h2, h3
#                        10.9.0.1:9: h2 drains from the first day on
MODES=dsr
. "$(dirname "$(realpath "$0")")/../topology.sh"

readonly DAY=86400 HOUR=3600
readonly NAT=10.0.0.10 IDLE=20 # connections that wait for each of the days
readonly FLOWS=2000 # of 64,512, which take the emulator hours; tests/packet ages them by their ticks
if [ -n "${LONG-}" ]; then
	readonly DAYS='1 25 27 40 53 60'
else
	readonly DAYS='1 27'
fi
began=$SECONDS

talk() # ADDRESS COUNT FIRST_PORT FILE: opens connections, in $pid, that say nothing until SIGUSR1
{
	spawn h1 "$TOOLS/steady" talk "$1" 9 "$2" "$3" 0 >"$4" 2>"$4.log"
	await 60 grep -q open "$4"
}

finish_talk() # PID COUNT FILE WHAT
{
	kill -USR1 "$1"
	wait "$1" || fail "$4: $(cat "$3.log")"
	equal "$(awk 'NF == 4 { open += $2; broken += $3 } END { print open, broken }' "$3")" "$2 0" \
		"connections and broken ones, $4: $(cat "$3" "$3.log")"
	note "$4: $2 answer"
}

# Connections of each day's own: none was heard of since the first.
open_idle()
{
	local day port=20000

	for day in $DAYS; do
		talk "$vip_address" $IDLE $port "$TMP/idle-$day"
		idle[$day]=$pid
		port=$((port + IDLE))
	done
}

sleep_until() # DAY
{
	note "sleeps until day $1"
	sleep $((began + $1 * DAY - SECONDS))
}

# Flows of one backend, of a client that never closes them.
use_up_ports()
{
	local source

	lb service add $NAT:7000/tcp
	lb backend add $NAT:7000/tcp 10.0.0.2
	add_addresses 16
	for source in 1 2 3 4; do
		spawn h1 "$TOOLS/tcp" hold $NAT 7000 $((FLOWS / 4)) 10.0.0.101 16 >"$TMP/hold-$source"
	done
	for source in 1 2 3 4; do
		await 600 grep -q open "$TMP/hold-$source"
	done
	note "$(lb -j flow count | jq .flows) flows"
}

new_connections() # ADDRESS PORT COUNT
{
	local hold=$TMP/hold

	rm -f "$hold"
	spawn h1 "$TOOLS/tcp" hold "$1" "$2" "$3" >"$hold"
	await 60 grep -q open "$hold"
	kill -USR1 "$pid"
	wait "$pid" || fail "new connections to $1:$2"
	note "$3 new connections to $1:$2"
}

look() # DAY
{
	echo "day $1"
	finish_talk "${idle[$1]}" $IDLE "$TMP/idle-$1" "dsr, idle since the first day"
	talk "$vip_address" $IDLE $((30000 + $1 * IDLE)) "$TMP/new"
	finish_talk "$pid" $IDLE "$TMP/new" "dsr, new"
	equal "$(awk '$1 == "h2" { print $2 }' "$TMP/new")" '' "new connections to h2, which drains"
	new_connections $NAT 7000 200
	on h1 "$TOOLS/udp" ask $NAT 5353 checksum 10 100 1000
	note "UDP is answered"
	on h1 "$TOOLS/udp" ask "$vip_address" 5353 checksum 10 100
}

declare -A idle=()
lab_up
reach h1 $VIP_NETWORK 0 10
attach
use_family 4
use_mode dsr
start_echo tcp 7000
start_echo udp 5353
start_listeners h2 h3
backends_apply
service_up 9/tcp mode dsr
service_up 5353/udp mode dsr
lb service add $NAT:5353/udp
lb backend add $NAT:5353/udp 10.0.0.2
lb backend add $NAT:5353/udp 10.0.0.3
talk "$vip_address" $IDLE 10000 "$TMP/before"
finish_talk "$pid" $IDLE "$TMP/before" "dsr, before the drain"
lb backend drain "$vip:9/tcp" 10.0.0.2
use_up_ports
sleep $((2 * HOUR))
open_idle
for day in $DAYS; do
	sleep_until "$day"
	look "$day"
done
