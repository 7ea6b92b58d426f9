#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Sixteen clients with the same source port at the same time: none gets another's answers.
#
#    h1 16 addresses, port 40000 each ---> lb VIP:7000 ---> h2, h3 echo
. "$(dirname "$(realpath "$0")")/../lib.sh"

same_source_port()
{
	local holder

	add_addresses 16
	service_up 7000/tcp
	service_up 7000/udp

	spawn h1 "$TOOLS/tcp" hold "$vip_address" 7000 16 "$more" 16 40000 >"$TMP/hold"
	holder=$pid
	await 60 grep -q 'open 16' "$TMP/hold"
	await 5 knows_flows 16
	kill -USR1 "$holder"
	wait "$holder" || fail "16 TCP clients with one source port"

	on h1 "$TOOLS/udp" hold "$vip_address" 7000 "$more" 16 40000 ||
		fail "16 UDP clients with one source port"
	lb flow flush
	expect_no_errors
}

lab_up
attach
start_echo tcp 7000
start_echo udp 7000
each_family same_source_port
