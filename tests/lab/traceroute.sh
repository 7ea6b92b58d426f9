#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A traceroute through the balancer, over UDP and TCP; and a ping to the VIP, that the host answers.
#
#    far 10.1.0.2 --- r1 10.0.0.8 --- sw --- lb VIP --- sw --- r2 10.0.0.9 --- back 10.2.0.2
: "${MODES:=nat ipip}" # in mode dsr no hop lies between the balancer and a backend
. "$(dirname "$(realpath "$0")")/../topology.sh"

# Who answers, hop by hop. The balancer is a hop for nat and ipip. What the router behind it says
# about a packet in mode nat comes from the VIP; in a tunnel it sees none that is out of time.
hops_of()
{
	local end='answer'

	[ "$mode" != nat ] || end="$vip_address answer"
	echo "$(at 1 1) $vip_address $end"
}

trace() # udp|tcp
{
	equal "$(on far "$TOOLS/trace" "$1" "$vip_address" 7 | xargs)" "$(hops_of)" "hops over $1"
}

ttl()
{
	local protocol

	[ "$mode" = nat ] || backend_apply back eth0
	for protocol in udp tcp; do
		lb service add "$vip:7/$protocol" mode "$mode"
		lb backend add "$vip:7/$protocol" "$(at 2 2)"
		trace $protocol
		lb service del "$vip:7/$protocol"
	done
	[ "$mode" = nat ] || backend_undo back eth0
}

echo_to_vip()
{
	use_mode nat
	lb service add "$vip:*/udp"
	lb backend add "$vip:*/udp" "$(at 2 2)"
	on far ping -q -c 3 -i 0.2 -W 2 "$vip_address" >/dev/null || fail "no answer to a ping"
	lb service del "$vip:*/udp"
}

each_way()
{
	each_mode ttl
	echo_to_vip
}

lab_up
beyond_router far r1 1 8 h1 lb
beyond_router back r2 2 9 h1 lb
reach r1 2 0 9
reach r2 1 0 8
attach
on back "$TOOLS/udp" serve 7 &
on back "$TOOLS/tcp" serve 7 &
await 60 serves back 7
each_family each_way
