#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# UDP datagrams of 8,000 bytes and more are echoed: they travel in fragments, both ways. The parts of
# two clients' datagrams are never joined at a backend, even if they have the same identification.
#
#    h1 udp ---> lb VIP:7 ---> h2, h3 udp
. "$(dirname "$(realpath "$0")")/../topology.sh"

fragments()
{
	local before

	[ "$mode" = nat ] || backends_apply
	service_up 7/udp mode "$mode"
	before=$(counted "$reassembled" h1)
	on h1 "$TOOLS/udp" ask "$vip_address" 7 checksum 1 8000 1473 2960 8000 40000 7999 65507
	[ "$family" = 6 ] || on h1 "$TOOLS/udp" ask "$vip_address" 7 none 8000 1473 2960
	[ "$(counted "$reassembled" h1)" -gt "$before" ] || fail "nothing came in fragments"
	# In mode dnat the backend's route to the balancer is for one client.
	[ "$family-$mode" = 4-dnat ] || [ "$family" = 6 ] || two_clients
	lb service del "$vip:7/udp"
	[ "$mode" = nat ] || backends_undo
}

# At one backend, where in mode nat both are the VIP.
two_clients()
{
	lb backend del "$vip:7/udp" 10.0.0.3
	on h1 "$TOOLS/udp" fragments "$vip_address" 7 10.0.0.101 10.0.0.102 ||
		fail "two clients of one identification"
}

each_way()
{
	reassembled=$([ "$family" = 4 ] && echo IpReasmOKs || echo Ip6ReasmOKs)
	each_mode fragments
}

lab_up
reach h1 $VIP_NETWORK 0 10
attach
use_family 4
add_addresses 2
start_echo udp 7
each_family each_way
expect_no_errors
