#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What the failure of one of three backends costs, with checks every 500 ms: new connections that were
# lost, of 100 begun a second, and for how long. At most fall * interval + timeout + 0.2 s; where a MAC
# address changes, 1 s if that is announced, else 2.5 s. The table in README.md is printed here.
#
#    h1: 100 connections/s ---> lb, watch ---+--- h2, h3, h4
#                                            +--- router r5 --- b5
. "$(dirname "$(realpath "$0")")/../topology.sh"

readonly PORT=7000 RATE=100
readonly PATIENCE=400 # ms, of a client
readonly FALL=3 INTERVAL=500 TIMEOUT=1000
readonly MOST=$((FALL * INTERVAL + TIMEOUT + 200)) # ms
declare -A servers=()
table=''

start_server() # HOST
{
	spawn "$1" "$TOOLS/tcp" serve $PORT
	servers[$1]=$pid
	await 5 serves "$1" $PORT
}

stop_server() # HOST
{
	kill -KILL "${servers[$1]}"
	wait "${servers[$1]}" 2>/dev/null || true
}

all_are() # HEALTH
{
	lb -j service show "$service" | jq -e "all(.[0].backends[]; .health == \"$1\")"
}

begin_service() # ADDRESS...
{
	local address

	service=$vip:$PORT/tcp
	lb service add "$service" mode "$mode"
	for address in "$@"; do
		lb backend add "$service" "$address"
	done
	lb check set "$service" tcp interval 0.5 timeout 1 fall $FALL
	await 10 all_are ok
}

end_service()
{
	lb service del "$service"
}

# Clients come before the fault, and until it is over for certain.
costs() # MOST WHAT COMMAND...
{
	local visits began lost last seconds

	spawn h1 "$TOOLS/visit" "$vip_address" $PORT $RATE $PATIENCE >"$TMP/visits"
	visits=$pid
	sleep 0.5
	began=$(date +%s%3N)
	"${@:3}"
	sleep "$(scaled 3.5 20)"
	kill -USR1 "$visits"
	wait "$visits"
	read -r _ begun _ answered _ _ _ last <"$TMP/visits"
	lost=$((begun - answered))
	seconds=$((last > began ? last - began : 0))
	within $seconds 0 "$(scaled "$1" 20000)" "ms of losses, $lost of $begun connections, $2"
	table+="$(printf '| %s | %d of %d | %d.%02d s | %d.%d s |' "$2" $lost "$begun" \
		$((seconds / 1000)) $((seconds % 1000 / 10)) $(($1 / 1000)) $(($1 % 1000 / 100)))"$'\n'
}

process_dies()
{
	costs $MOST "a process dies ($mode)" stop_server h2
	start_server h2
	await 10 all_are ok
}

host_dies()
{
	costs $MOST "a host goes down ($mode)" on sw ip link set dev veth2 down
	on sw ip link set dev veth2 up
	await 10 all_are ok
}

vip_gone()
{
	costs $MOST 'the VIP is gone from a backend (dsr)' on h2 ip addr del "$vip_address/32" dev lo
	backend_undo h2 veth3
	backend_apply h2 veth3
	await 10 all_are ok
}

# By whatever takes the packets out of it.
tunnel_off()
{
	local is_xdp

	is_xdp=$(on h2 ip -j -d link show dev veth3 | jq '.[0].xdp.prog != null')
	if [ "$is_xdp" = true ]; then
		costs $MOST 'the tunnel of a backend is off (ipip)' on h2 ip link set dev veth3 xdp off
	else
		costs $MOST 'the tunnel of a backend is off (ipip)' on h2 ip link set dev tunl0 down
	fi
	backend_undo h2 veth3
	backend_apply h2 veth3
	await 10 all_are ok
}

router_changes()
{
	costs 2500 "a router's MAC address changes ($mode)" \
		on r5 ip link set dev eth0 address de:ad:be:ef:05:01
	on r5 sysctl -qw net.ipv4.conf.eth0.arp_notify=1 net.ipv6.conf.eth0.ndisc_notify=1
	await 10 all_are ok
	costs 1000 "the same, and the router says so ($mode)" \
		on r5 ip link set dev eth0 address de:ad:be:ef:05:02
}

in_mode() # MODE ADDRESS FUNCTION...
{
	local host

	use_mode "$1"
	for host in h2:veth3 h3:veth5 h4:eth0; do
		backend_apply ${host/:/ }
	done
	begin_service "$(at 0 2)" "$(at 0 3)" "$2"
	for host in "${@:3}"; do
		$host
	done
	end_service
	for host in h2:veth3 h3:veth5 h4:eth0; do
		backend_undo ${host/:/ }
	done
}

use_family 4
lab_up
new_host h4
plug h4 eth0 sw 0 4
beyond_router b5 r5 5 8 lb
reach h1 $VIP_NETWORK 0 10
attach
for host in h2 h3 h4 b5; do
	start_server $host
done
spawn lb "$top/xdp-lb" watch from 10.0.0.11 2>"$TMP/watch.log"
in_mode nat "$(at 0 4)" process_dies host_dies
in_mode dsr "$(at 0 4)" vip_gone
in_mode ipip "$(at 0 4)" tunnel_off
use_mode nat
begin_service "$(at 0 2)" "$(at 0 3)" "$(at 5 2)"
router_changes
end_service
echo
echo '| three backends, 100 connections a second | lost | for | at most |'
echo '|---|---|---|---|'
printf %s "$table"
