#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A source that is denied loses the flows that it has, at once; its neighbour keeps its own.
#
#    h1 10.0.0.101 (denied), 10.0.0.102 ---> lb ---> h2, h3: an upload, and echoes
. "$(dirname "$(realpath "$0")")/../lib.sh"

denied_packets()
{
	lb -j stats | jq '[.verdicts[] | select(.reason == "denied") | .packets] | add // 0'
}

was_denied() # PACKETS
{
	[ "$(denied_packets)" -gt "$1" ]
}

# Packets of the upload that were forwarded.
forwarded_packets()
{
	lb -j stats "$vip:8000/tcp" | jq '.services[0].packets'
}

has_forwarded() # PACKETS
{
	[ "$(forwarded_packets)" -gt "$1" ]
}

# An upload from $more that takes long, its process in $upload.
begin_upload()
{
	local before

	before=$(forwarded_packets)
	nsenter --net="/run/netns/${prefix}h1" -- curl -sS --limit-rate 2M --interface "$more" \
		-T "$TMP/file" "$url/up" >"$TMP/curl.log" 2>&1 &
	upload=$!
	await 10 has_forwarded $((before + 100))
}

begin_echoes()
{
	spawn h1 "$TOOLS/tcp" hold "$vip_address" 7000 4 "$neighbour" 1 >"$TMP/hold"
	holder=$pid
	await 20 grep -q 'open 4' "$TMP/hold"
	await 5 knows_flows 5
}

# The source of the upload is denied by a command.
expect_end() # COMMAND...
{
	local before packets

	begin_upload
	begin_echoes
	before=$(denied_packets)
	"$@"
	equal "$(lb -j flow count | jq .flows)" 4 "flows after '$*'"
	packets=$(forwarded_packets)
	await 5 was_denied "$before"
	sleep 1
	equal "$(forwarded_packets)" "$packets" "packets of the upload a second later"
	kill "$upload"
	kill -USR1 "$holder"
	wait "$holder" || fail "the neighbour's connections after '$*'"
	lb flow flush
}

deny_ends_flows()
{
	neighbour=$([ "$family" = 4 ] && echo 10.0.0.102 || echo fd00:10::102)
	add_addresses 2
	service_up 8000/tcp
	service_up 7000/tcp
	expect_end lb deny add "$more"
	lb deny del "$more"

	{
		lb save
		echo "deny add $more"
	} >"$TMP/conf"
	expect_end lb apply "$TMP/conf"
	lb deny del "$more"
	lb service del "$vip:8000/tcp"
	lb service del "$vip:7000/tcp"
}

lab_up
attach
start_web
serve_file
start_echo tcp 7000
each_family deny_ends_flows
