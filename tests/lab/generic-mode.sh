#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Generic XDP, which needs neither stub nor offloads switched off: it sees frames that TSO has
# joined, larger than any MTU. They go on, and are split where they leave.
#
#    h1 curl ---> lb (xdpgeneric) ---> h2, h3 nginx
. "$(dirname "$(realpath "$0")")/../lib.sh"

up_and_down()
{
	local host stored=''

	random_file "$(scaled 20000000 2000000)" "$TMP/file"
	on h1 curl -sS --fail --max-time 60 -T "$TMP/file" "$url/up-$family"
	for host in h2 h3; do
		[ ! -e "$TMP/$host/files/up-$family" ] || stored=$TMP/$host/files/up-$family
		cp "$TMP/file" "$TMP/$host/files/down"
	done
	cmp "$TMP/file" "$stored" || fail "an upload differs"
	on h1 curl -sS --fail --max-time 60 -o "$TMP/got" "$url/down"
	cmp "$TMP/file" "$TMP/got" || fail "a download differs"
}

mean_size()
{
	lb -j stats | jq '.services[0] | .bytes / .packets | floor'
}

too_big()
{
	lb -j stats | jq '[.verdicts[] | select(.reason == "too-big").packets] | add // 0'
}

generic()
{
	service_up 8000/tcp
	up_and_down
	within "$(mean_size)" 1515 65549 "bytes of a frame, on average"
	equal "$(too_big)" 0 "packets that are too big"
	expect_no_errors
	lb service del "$vip:8000/tcp"
}

lab_up
on sw ethtool -K veth7 tx on tso on >/dev/null
"$top/scripts/attach.sh" -n "${prefix}lb" -m generic veth6
start_web
each_family generic
