#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Two balancers with the same configuration have the same fingerprint, in whatever order it was made;
# a state, or a health, changes what is live, and nothing else; what decides changes both. The status
# page has them as well.
#
#    lb 10.0.0.10, lb2 10.0.0.11, h2, h3 (no traffic)
. "$(dirname "$(realpath "$0")")/../topology.sh"

digest() # HELPER configuration|live
{
	"$1" -j fingerprint | jq -re --arg name "$2" '.[$name] | select(test("^[0-9a-f]{16}$"))'
}

# Runs a command, and says which digests of `lb` it changes.
changes() # WHAT COMMAND...
{
	local before_configuration=$configuration before_live=$live got=''

	lb "${@:2}"
	configuration=$(digest lb configuration) live=$(digest lb live)
	[ "$before_configuration" = "$configuration" ] || got=configuration
	[ "$before_live" = "$live" ] || got=${got:+$got }live
	equal "$got" "$1" "what ${*:2} changes"
}

same_in_any_order()
{
	cat >"$TMP/one" <<-END
		service add 10.0.0.10:8000/tcp table 1021
		backend add 10.0.0.10:8000/tcp 10.0.0.2 weight 30
		backend add 10.0.0.10:8000/tcp 10.0.0.3
		service add [fd00:10::10]:53/udp mode dsr hash source
		backend add [fd00:10::10]:53/udp fd00:10::2 mac 02:00:00:00:00:02
	END
	tac "$TMP/one" | sort -s -r -k 1,1 >"$TMP/other"
	! cmp -s "$TMP/one" "$TMP/other" || fail "the other order is the same"
	lb2 service add 10.0.0.99:1/tcp
	lb2 backend add 10.0.0.99:1/tcp 10.0.0.3
	lb apply "$TMP/one" >"$TMP/out"
	lb2 apply "$TMP/other" >"$TMP/out"
	for digest in configuration live; do
		equal "$(digest lb2 $digest)" "$(digest lb $digest)" "$digest of the second balancer"
	done
	lb fingerprint
}

changed_by()
{
	local tcp=10.0.0.10:8000/tcp

	configuration=$(digest lb configuration) live=$(digest lb live)
	changes live backend drain $tcp 10.0.0.3
	changes live backend down $tcp 10.0.0.3
	changes live backend up $tcp 10.0.0.3
	equal "$live" "$(digest lb2 live)" "live once it is up again"
	changes '' deny add 192.0.2.1
	changes '' timeout set udp 20
	changes '' limit set $tcp pps 1000
	changes 'configuration live' backend set $tcp 10.0.0.3 weight 31
	changes 'configuration live' backend del $tcp 10.0.0.3
	changes 'configuration live' service add 10.0.0.10:8001/tcp
	changes 'configuration live' backend add $tcp 10.0.0.4 mac 02:00:00:00:00:04 backup
	changes live backend health $tcp 10.0.0.4 failing
	changes live backend health $tcp 10.0.0.4 ok
	changes live backend health $tcp 10.0.0.2 failing
	equal "$(lb metrics | grep '^xdplb_fingerprint')" \
		"xdplb_fingerprint_info{configuration=\"$configuration\",live=\"$live\"} 1" metrics
	on lb "$top/xdp-lb" watch -o "$TMP/watch" 2>>"$TMP/watch.log" &
	await 10 test -s "$TMP/watch/status.json"
	equal "$(jq -c .fingerprint "$TMP/watch/status.json")" \
		"{\"configuration\":\"$configuration\",\"live\":\"$live\"}" status.json
}

lab_up
second_balancer
attach
same_in_any_order
changed_by
