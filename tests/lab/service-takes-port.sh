#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# No flow in mode nat has the port of a service towards its backend. A service that appears on such
# a port ends these flows, and says how many they were; all others live on.
#
#    h1 8 addresses, port 40000 each ---> lb VIP:7000 to 7002 ---> h2, h3 echo
. "$(dirname "$(realpath "$0")")/../lib.sh"

# The ports that the backends of a service see, a line for each connection.
ports() # SERVICE_PORT
{
	local host

	for host in h2 h3; do
		on "$host" ss -Hnt state established "sport = :$1"
	done | awk '{ sub(".*:", "", $4); print $4 }'
}

ports_are() # SERVICE_PORT COUNT
{
	[ "$(ports "$1" | wc -l)" = "$2" ]
}

# Each time to another service: the backends do not hear of connections that have ended here.
begin_connections() # SERVICE_PORT
{
	served=$1
	lb flow flush
	rm -f "$TMP/hold"
	spawn h1 "$TOOLS/tcp" hold "$vip_address" "$served" 8 "$more" 8 40000 >"$TMP/hold"
	holder=$pid
	await 20 grep -q 'open 8' "$TMP/hold"
	await 5 knows_flows 8
	await 5 ports_are "$served" 8
}

expect_end() # PORT COMMAND...
{
	local count port=$1

	shift
	count=$(ports "$served" | grep -cx "$port" || true)
	within "$count" 1 2 "flows of port $port"
	"$@" >"$TMP/out" 2>"$TMP/said"
	equal "$(cat "$TMP/said")" "xdp-lb: '$vip:$port/tcp': $count flow$([ "$count" = 1 ] ||
		echo s) ended, whose port towards the backend it is" "what '$*' says"
	equal "$(lb -j flow count | jq .flows)" $((8 - count)) "flows after '$*'"
}

service_takes_port()
{
	local first=$1 port

	for port in 0 1 2; do
		service_up $((first + port))/tcp
	done
	begin_connections "$first"
	lb service add "$vip:40000/udp" 2>"$TMP/said"
	equal "$(cat "$TMP/said")" "" "what a service of another protocol says"
	equal "$(lb -j flow count | jq .flows)" 8 "flows after that"
	expect_end 40000 lb service add "$vip:40000/tcp"
	lb service del "$vip:40000/udp"
	lb service del "$vip:40000/tcp"
	kill "$holder"

	begin_connections $((first + 1))
	port=$(ports "$served" | grep -vx 40000 | head -n 1)
	{
		lb save
		echo "service add $vip:$port/tcp"
	} >"$TMP/conf"
	expect_end "$port" lb apply "$TMP/conf"
	kill "$holder"

	begin_connections $((first + 2))
	equal "$(ports "$served" | grep -cx "$port" || true)" 0 "new flows of a service's port"
	kill -USR1 "$holder"
	wait "$holder" || fail "the connections of other ports"
	: | lb apply - empty
}

service_takes_port_4or6()
{
	local i first=7000

	[ "$family" = 4 ] || first=7010
	add_addresses 8
	for i in 0 1 2; do
		start_echo tcp $((first + i))
	done
	service_takes_port $first
}

lab_up
attach
each_family service_takes_port_4or6
