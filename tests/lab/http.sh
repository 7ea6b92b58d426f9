#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# HTTP through the VIP: shares, load, files of odd sizes in both directions.
#
#    h1 curl, wrk ---> lb 10.0.0.10:8000 ---> h2, h3 nginx
. "$(dirname "$(realpath "$0")")/../lib.sh"

requests=$(scaled 1000 100)

fair_shares()
{
	local shares

	shares=$(ask "$requests")
	within "$(count_of h2 "$shares")" "$(scaled 450 35)" "$(scaled 550 65)" \
		"of $requests requests, h2 answered"
	within "$(count_of h3 "$shares")" "$(scaled 450 35)" "$(scaled 550 65)" \
		"of $requests requests, h3 answered"
	equal "$(sum_of "$shares")" "$requests" "answers in all"
}

keep_alive_load()
{
	local report

	report=$(on h1 wrk -t 2 -c "$(scaled 50 10)" -d 3s "$url/")
	! grep -E 'Socket errors|Non-2xx' <<<"$report" || fail "wrk: $report"
	note "$(grep Requests/sec <<<"$report")"
}

file() # SIZE
{
	local got=$TMP/got name=file-$1-$family host stored=''

	random_file "$1" "$TMP/file"
	for host in h2 h3; do
		cp "$TMP/file" "$TMP/$host/files/$name"
	done
	on h1 curl -sS --fail --max-time 60 -o "$got" "$url/$name"
	cmp "$TMP/file" "$got" || fail "a download of $1 bytes differs"

	on h1 curl -sS --fail --max-time 60 -T "$TMP/file" "$url/up-$name"
	for host in h2 h3; do
		[ ! -e "$TMP/$host/files/up-$name" ] || stored=$TMP/$host/files/up-$name
	done
	cmp "$TMP/file" "$stored" || fail "an upload of $1 bytes differs"
	rm -f "$TMP"/h[23]/files/*
}

http()
{
	local size

	service_up 8000/tcp
	fair_shares
	keep_alive_load
	for size in 1 2 3 1459 1460 1461 "$(scaled 100000000 4000000)"; do
		file "$size"
	done
	expect_no_errors
}

lab_up
attach
start_web
each_family http
