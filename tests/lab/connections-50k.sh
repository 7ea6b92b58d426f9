#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# 50,000 TCP connections to one VIP held open at the same time, and then each used.
#
#    h1 16 addresses, 4 processes ---> lb VIP:7000 ---> h2, h3 echo, 2 processes each
. "$(dirname "$(realpath "$0")")/../lib.sh"

readonly PROCESSES=4
connections=$(scaled 12500 500)

fifty_thousand()
{
	add_addresses 16
	service_up 7000/tcp
	hold_connections $PROCESSES "$connections" 16
	use_connections
	expect_no_errors
	lb service del "$vip:7000/tcp"
}

lab_up
attach
start_echo tcp 7000 2
each_family fifty_thousand
