#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Mode ipip where every link has an MTU of 1500: the backend tells clients an MSS that leaves room
# for the tunnel, so that 100 MB go up and down without fragments, ICMP or a stall.
#
#    h1 (MSS 1460; IPv6: 1440) --- lb VIP === h2 nginx
. "$(dirname "$(realpath "$0")")/../topology.sh"

# Fails if less than 1 MB comes in a second.
transfer()
{
	on h1 curl -sS --fail --max-time 100 --speed-time 1 \
		--speed-limit "$(scaled 1000000 1000)" "$@"
}

# What the balancer has answered with ICMP, of all its services.
too_big()
{
	lb -j stats | jq '[.verdicts[] | select(.reason == "too-big") | .packets] | add // 0'
}

mss()
{
	backend_apply h2 veth3 outer "ipv$family"
	lb service add "$vip:8000/tcp" mode ipip
	lb backend add "$vip:8000/tcp" "$(at 0 2)"
	transfer -o "$TMP/got" "$url/file"
	cmp "$TMP/file" "$TMP/got" || fail "a download differs"
	transfer -T "$TMP/file" "$url/up"
	cmp "$TMP/file" "$TMP/h2/files/up" || fail "an upload differs"
	rm "$TMP/got" "$TMP/h2/files/up"
	lb service del "$vip:8000/tcp"
	backend_undo h2 veth3
}

lab_up
reach h1 $VIP_NETWORK 0 10
attach
on h2 "$top/scripts/web.sh" "$TMP/h2" h2 8000 2>"$TMP/web.log" &
await 60 serves h2 8000
random_file "$(scaled 100000000 1000000)" "$TMP/file"
cp "$TMP/file" "$TMP/h2/files"
MODES=ipip
each_family each_mode mss
equal "$(too_big)" 0 "packets that were too big"
expect_no_errors
expect_no_fragments h1 h2 lb
