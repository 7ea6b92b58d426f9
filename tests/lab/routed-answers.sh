#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Mode nat, a VIP that is routed to the balancer, and one router for all: what the backend answers
# comes by the router by which the clients come. Here such packets count as answers, though from one
# that a client's network can forge they would not: see "Whose flow is it" in datapath/README.md.
#
#    far 10.1.0.2 ----+
#                     r1 10.0.0.8 --- sw --- lb, VIP 10.9.0.1
#    back 10.2.0.2 ---+
. "$(dirname "$(realpath "$0")")/../topology.sh"

wire_up()
{
	beyond_router far r1 1 8 lb
	new_host back
	new_switch sw2
	plug r1 eth2 sw2 2 1
	plug back eth0 sw2 2 2
	on back ip route add default via 10.2.0.1
	on back ip -6 route add default via fd00:12::1
	reach lb 2 0 8
}

answered() # LINES
{
	[ "$(grep -c '^hello$' "$TMP/said")" = "$1" ]
}


connections()
{
	local address

	[ "$family" = 4 ] && vip=10.9.0.1 || vip='[fd00:19::1]'
	address=${vip#[}
	address=${address%]}
	lb service add "$vip:7/tcp"
	lb backend add "$vip:7/tcp" "$(at 2 2)"
	: >"$TMP/said"
	# shellcheck disable=SC2016 # the inner shell's
	spawn far bash -c 'exec 3<>"/dev/tcp/$1/7"
		while echo hello >&3 && read -r -t 5 line <&3; do
			echo "$line"
			sleep 0.2
		done' - "$address" >"$TMP/said"
	await 5 answered 5
	knows_flows 1 || fail "the flow is not established: $(lb flow show)"
	kill "$pid"
	wait "$pid" 2>/dev/null || true
	await 8 knows_flows 0 # a FIN of each side was believed
	lb service del "$vip:7/tcp"
}

lab_up
wire_up
attach
lb timeout set fin 2
on back "$TOOLS/tcp" serve 7 &
await 5 serves back 7
each_family connections
