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
	local holders=() i

	add_addresses 16
	service_up 7000/tcp
	for ((i = 0; i < PROCESSES; i++)); do
		spawn h1 "$TOOLS/tcp" hold "$vip_address" 7000 "$connections" "$more" 16 >"$TMP/hold$i"
		holders+=("$pid")
	done
	for ((i = 0; i < PROCESSES; i++)); do
		await 60 grep -q open "$TMP/hold$i"
	done
	await 5 knows_flows $((PROCESSES * connections))
	note "$((PROCESSES * connections)) connections are open"

	for i in "${holders[@]}"; do
		kill -USR1 "$i"
	done
	for i in "${holders[@]}"; do
		wait "$i" || fail "connections were lost"
	done
	expect_no_errors
	lb service del "$vip:7000/tcp"
}

lab_up
attach
start_echo tcp 7000 2
each_family fifty_thousand
