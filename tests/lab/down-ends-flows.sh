#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# down, and del: the flows of the backend end at once, the next connection works at once. Without
# a backend, new connections are dropped, as no-backend.
#
#    h1 curl ---> lb VIP:8000 ---> h2, h3 nginx
. "$(dirname "$(realpath "$0")")/../lib.sh"

verdict_packets() # REASON
{
	lb -j stats | jq "[.verdicts[] | select(.reason == \"$1\") | .packets] | add"
}

# Starts a slow download, takes its backend out by VERB, and sees it end. A client that only listens,
# and has acknowledged all that came, learns of it by its first keepalive; and curl when it has read
# what its host has for it, which may be 33 MB.
end_flow() # VERB
{
	local download gone other

	rm -f "$TMP/got"
	spawn h1 curl -s --keepalive-time 1 --limit-rate "$(scaled 12M 300k)" -D "$TMP/headers" \
		-o "$TMP/got" "$url/file"
	download=$pid
	await 60 test -s "$TMP/got"
	gone=$(awk 'tolower($1) == "x-backend:" { print $2 }' "$TMP/headers" | tr -d '\r')
	other=$([ "$gone" = h2 ] && echo h3 || echo h2)
	lb backend "$1" "$vip:8000/tcp" "$net${gone#h}"
	equal "$(ask 100)" "$other 100" "answers right after $1 of $gone"
	await 10 not_running "$download"
	! wait "$download" || fail "the download went on after $1 of its backend"
	note "$1: the connection ended, the next ones worked"
	taken=$net${gone#h}
}

not_running() # PID
{
	! kill -0 "$1"
}

down()
{
	local before

	service_up 8000/tcp
	end_flow down
	lb backend up "$vip:8000/tcp" "$taken"
	within "$(count_of "h${taken#"$net"}" "$(ask 200)")" 70 130 "of 200 requests after 'up'"
	end_flow del
	lb backend add "$vip:8000/tcp" "$taken"

	lb backend down "$vip:8000/tcp" "$backend2"
	lb backend down "$vip:8000/tcp" "$backend3"
	before=$(verdict_packets no-backend)
	! on h1 curl -s --max-time 1.5 "$url/" || fail "an answer without a backend"
	within $(($(verdict_packets no-backend) - before)) 1 9 "packets dropped as no-backend"
	lb service del "$vip:8000/tcp"
	! on h1 curl -s --max-time 5 "$url/" || fail "an answer without a service"
}

lab_up
attach
start_web
serve_file
each_family down
expect_no_errors
