#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2154 # each_family sets the addresses
# Connections to one VIP with two backends, held open at the same time and then each used, by five
# sources: with LONG=1 300,000, more than twice the ports that a backend has towards one address.
#
#    h1 64 addresses, 16 processes ---> lb VIP:7000, pool ...21 to ...25 ---> h2, h3 echo, 10 each
. "$(dirname "$(realpath "$0")")/../lib.sh"

readonly PROCESSES=16 SOURCES='21 22 23 24 25'
connections=$(scaled 1250 125 18750) # of a process, which may have 20,000 files

# Sources on the balancer's device, for neighbours to find.
own()
{
	local number

	for number in $SOURCES; do
		if [ "$family" = 4 ]; then
			on lb ip addr add "$net$number/24" dev veth6
		else
			on lb ip addr add "$net$number/64" dev veth6 nodad
		fi
		lb source add "$net$number"
	done
}

many()
{
	add_addresses 64
	own
	service_up 7000/tcp
	hold_connections $PROCESSES "$connections" 64
	lb source show
	equal "$(lb -j source show | jq '[.[] | select(.flows > 0)] | length')" 5 "sources in use"

	use_connections
	expect_no_errors
	lb service del "$vip:7000/tcp"
}

lab_up
attach
start_echo tcp 7000 10
each_family many
