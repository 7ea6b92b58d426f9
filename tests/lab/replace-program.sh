#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The program is replaced during a download: nothing is lost, neither flow nor configuration.
#
#    h1 curl 100 MB ---> lb (ip -force) ---> h2, h3 nginx
. "$(dirname "$(realpath "$0")")/../lib.sh"

replace_during_download()
{
	local saved download flows id replaced=0

	service_up 8000/tcp
	saved=$(lb save)
	spawn h1 curl -sS --fail --limit-rate "$(scaled 12M 300k)" -o "$TMP/got" "$url/file"
	download=$pid
	await 60 test -s "$TMP/got"
	flows=$(lb -j flow count | jq .flows)
	while kill -0 "$download" 2>"$TMP/out"; do
		id=$(program_id)
		on lb ip -force link set dev veth6 xdp obj "$top/xdp_lb.bpf.o" sec xdp
		[ "$(program_id)" != "$id" ] || fail "the program was not replaced"
		kill -0 "$download" 2>"$TMP/out" || break
		equal "$(lb -j flow count | jq .flows)" "$flows" "flows after a replacement"
		replaced=$((replaced + 1))
	done
	[ "$replaced" -gt 0 ] || fail "the download ended too early to prove anything"
	note "the program was replaced $replaced times during the download"
	wait "$download" || fail "the download did not survive"
	cmp "$TMP/file" "$TMP/got"
	equal "$(lb save)" "$saved" "configuration"
	lb service del "$vip:8000/tcp"
	rm "$TMP/got"
}

lab_up
attach
start_web
serve_file
each_family replace_during_download
expect_no_errors
