#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# UDP requests and answers of odd sizes, with checksum and (IPv4) without.
#
#    h1 ---> lb VIP:5300 ---> h2, h3 echo
. "$(dirname "$(realpath "$0")")/../lib.sh"

readonly SIZES='0 1 2 3 5 17 18 19 99 511 512 513 1023 1399 1451'

udp()
{
	local round

	service_up 5300/udp
	# Each round has another source port, and so its own choice of backend.
	for round in 1 2 3 4 5 6; do
		# shellcheck disable=SC2086 # a word each
		on h1 "$TOOLS/udp" ask "$vip_address" 5300 checksum $SIZES ||
			fail "UDP with checksum, round $round"
		[ "$family" = 4 ] || continue
		# shellcheck disable=SC2086
		on h1 "$TOOLS/udp" ask "$vip_address" 5300 none $SIZES ||
			fail "UDP without checksum, round $round"
	done
	expect_no_errors
}

lab_up
attach
start_echo udp 5300
each_family udp
