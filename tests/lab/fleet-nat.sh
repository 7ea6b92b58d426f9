#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Mode nat on three balancers, each with addresses of its own as sources. With resilient next hops on
# the router a balancer that dies breaks its own connections alone, one that is drained none as long as
# that lasts, and then those that are left. With plain multipath the router's reshuffle breaks more.
#
#    c1 --- router: BIRD, nexthops.sh ---+--- lb1, lb2, lb3: 10.9.0.11, .12, .13
#                                        +--- b1 to b4
MODES=nat
. "$(dirname "$(realpath "$0")")/../fleet.sh"

BUSY=$(scaled 50 10 500) IDLE=$(scaled 20 5 200)

broken_of_all()
{
	each_service talked broken | awk '{ sum += $1 } END { print sum }'
}

flows_of() # N
{
	balancer "$1" -j flow count | jq .flows
}

flush_all()
{
	local i

	for i in 1 2 3; do
		[ ! -e "/run/netns/${prefix}lb$i" ] || balancer $i flow flush
	done >"$TMP/out"
}

# What a step breaks; false if it was disturbed.
breaks() # LIVING COMMAND...
{
	local before

	flush_all
	begin_talks "$BUSY" "$IDLE"
	had=$(flows_of "${lb:-1}")
	before=$(sessions "$1")
	"${@:2}"
	sleep 0.5
	end_talks
	[ "$(sessions "$1")" = "$before" ]
}

death()
{
	breaks 23 first_dies || { first_comes_back && return 1; }
	if [ "$multipath" = resilient ]; then
		within "$(broken_of_all)" 1 "$had" "of $all broken by the death of a balancer that had $had"
	else
		note "$multipath: $(broken_of_all) of $all broken by the death of a balancer that had $had"
	fi
}

return_of_it()
{
	lb=2 breaks 23 first_comes_back || { fleet kill lb1 && return 1; }
	[ "$multipath" = plain ] || equal "$(broken_of_all)" 0 "broken by a balancer that comes back"
	note "$multipath: $(broken_of_all) of $all broken by a balancer that comes back"
}

drain_lasts()
{
	"$top/xdp-lb" watch drain -o "$run/lb2" >"$TMP/drain" &
	await 5 grep -q 'flows left' "$TMP/drain"
	sleep 2
	kill $!
}

back_up()
{
	fleet up lb2
	await_next_hops "1 2 3"
}

drain()
{
	breaks 123 drain_lasts || { back_up && return 1; }
	equal "$(broken_of_all)" 0 "connections broken while a drain lasts"
	note "0 of $all broken while a drain lasts, $(head -n 1 "$TMP/drain")"
	back_up
}

withdraw()
{
	"$top/xdp-lb" watch drain within 1 -o "$run/lb2" >"$TMP/drain"
	await_next_hops "1 3"
}

withdrawal()
{
	local left

	lb=2 breaks 13 withdraw || { back_up && return 1; }
	left=$(sed -n 's/empty: withdrawn with \([0-9]*\) .*/\1/p' "$TMP/drain")
	within "$(broken_of_all)" 0 "${left:-0}" "broken by a withdrawal with ${left:-0} flows left"
}

all=$(each_service echo $((BUSY + IDLE)) | awk '{ sum += $1 } END { print sum }')
fleet_up resilient
multipath=resilient
undisturbed death
undisturbed return_of_it
undisturbed drain
undisturbed withdrawal
fleet teardown
fleet_up plain
multipath=plain
undisturbed death
undisturbed return_of_it
