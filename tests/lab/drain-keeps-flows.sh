#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# drain: the download under way completes, no new connection goes there, and `up` ends it.
#
#    h1 curl ---> lb VIP:8000 ---> h2, h3 nginx
. "$(dirname "$(realpath "$0")")/../lib.sh"

drain()
{
	local download draining other shares

	service_up 8000/tcp
	spawn h1 curl -sS --fail --limit-rate "$(scaled 12M 300k)" -D "$TMP/headers" -o "$TMP/got" "$url/file"
	download=$pid
	await 60 test -s "$TMP/got"
	draining=$(awk 'tolower($1) == "x-backend:" { print $2 }' "$TMP/headers" | tr -d '\r')
	other=$([ "$draining" = h2 ] && echo h3 || echo h2)
	lb backend drain "$vip:8000/tcp" "$net${draining#h}"

	equal "$(ask 200)" "$other 200" "answers during the drain of $draining"
	kill -0 "$download" || fail "the download ended too early to prove anything"
	wait "$download" || fail "the download did not survive the drain"
	cmp "$TMP/file" "$TMP/got"

	lb backend up "$vip:8000/tcp" "$net${draining#h}"
	shares=$(ask 200)
	within "$(count_of "$draining" "$shares")" 70 130 "of 200 after 'up', $draining answered"
	lb service del "$vip:8000/tcp"
	rm "$TMP/got"
}

lab_up
attach
start_web
serve_file
each_family drain
expect_no_errors
