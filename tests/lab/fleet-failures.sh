#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What traffic does when what is around the balancers fails: the watch, the configuration's way to some
# of them, a router's session, the router's BIRD; and what a death costs in the middle of changes. The
# table in scripts/bird/README.md has what is measured here.
#
#    c1 --- router: BIRD ---+--- lb1, lb2, lb3
#                           +--- b1 to b4
. "$(dirname "$(realpath "$0")")/../fleet.sh"

BUSY=$(scaled 50 10 500) IDLE=$(scaled 20 5 200)

broken_of_all()
{
	each_service talked broken | awk '{ sum += $1 } END { print sum }'
}

connections_of_all()
{
	each_service talked connections | awk '{ sum += $1 } END { print sum }'
}

measure() # MOST_BROKEN WHAT COMMAND...
{
	begin_talks "$BUSY" "$IDLE"
	"${@:3}"
	end_talks
	within "$(broken_of_all)" 0 "$1" "connections of $(connections_of_all) broken by $2; slowest \
$(each_service talked worst | sort -n | tail -n 1) ms"
}

# Nobody withdraws, nobody checks: packets are forwarded as before.
watch_dies()
{
	local i

	for i in 1 2 3; do
		pkill -KILL -P "$(cat "$run/lb$i.watch")"
	done
	sleep 2
	has_next_hops 4 "$(family=4 first_vip)" "1 2 3" || fail "withdrawn without a watch"
}

session_lost()
{
	local name=$run/lb1

	birdc -s "$name.ctl" disable router4 >"$TMP/out"
	birdc -s "$name.ctl" disable router6 >"$TMP/out"
	await_next_hops "2 3"
	sleep 1
	birdc -s "$name.ctl" enable router4 >"$TMP/out"
	birdc -s "$name.ctl" enable router6 >"$TMP/out"
	await_next_hops "1 2 3"
}

sessions_of_all() # enable|disable
{
	local i family

	for i in 1 2 3; do
		for family in 4 6; do
			birdc -s "$run/lb$i.ctl" "$1" router$family >"$TMP/out"
		done
	done
}

answers_get_lost() # add|del
{
	local family

	for family in 4 6; do
		on router ip "-$family" route "$1" blackhole default table 200 metric 1
	done
}

# What backends have sent gets lost, as with a balancer that dies, and they send it again while there
# is none. In mode dnat nobody may bring that to clients as it is: they would answer with RST.
all_sessions_lost()
{
	answers_get_lost add
	sleep 0.5
	sessions_of_all disable
	await_next_hops ""
	answers_get_lost del
	sleep 1.5
	sessions_of_all enable
	await_next_hops "1 2 3"
}

# Its routes are the kernel's; the next one takes them over when it has heard of all balancers.
router_daemon_dies()
{
	kill -KILL "$(cat "$run/router.pid")"
	sleep 1
	on router bird -c "$run/router.conf" -s "$run/router.ctl" -P "$run/router.pid"
	sleep 2
	await_next_hops "1 2 3"
}

# Some have a configuration that others have not: two of three that etcd's minority serves.
configuration_split()
{
	balancer 1 apply "$TMP/other.conf" "$run/lb1.pool" >"$TMP/applied"
	sleep 1
}

# A connection that began with one configuration goes on at balancers that have another one.
death_in_split()
{
	fleet kill lb1
	await_next_hops "2 3"
	sleep 1
}

split()
{
	sed "s/:8000\/tcp \(.*2[12]\)$/:8000\/tcp \1 weight 20/" "$top/scripts/fleet.conf" >"$TMP/other.conf"
	measure 0 "configurations that differ" configuration_split
	measure 1000000 "configurations that differ, and the death of the one that is ahead" death_in_split
	fleet start lb1
	await_next_hops "1 2 3"
}

# Those that began on slots that were moving: each balancer has remembered where its own went. As one
# dies the router deals out the others' flows anew too, and these count as well.
remembered()
{
	local i

	for i in 1 2 3; do
		balancer $i -j flow count | jq .flows
	done | awk '{ sum += $1 } END { print sum }'
}

change_everywhere() # FILE
{
	local i

	for i in 1 2 3; do
		balancer $i apply "$1" "$run/lb$i.pool" >"$TMP/applied"
	done
}

death_in_changes()
{
	begin_service_talks_of before
	change_everywhere "$TMP/other.conf"
	begin_talks "$BUSY" "$IDLE"
	most_broken=$(remembered)
	fleet kill lb1
	change_everywhere_left
	await_next_hops "2 3"
	sleep 1
	kill -USR1 "${talkers[@]}"
	each_service end_service_talks
	each_service judge_before
	within "$(broken_of_all)" 0 "$most_broken" "of $(connections_of_all) connections that began \
while slots moved broken by a death in the changes; remembered by balancers: $most_broken"
}

# Connections that are older than the changes.
begin_service_talks_of()
{
	each_service begin_before
}

begin_before()
{
	begin_talk "$mode-$family-before" "$BUSY" 100
	await 20 grep -q open "$TMP/talk-$mode-$family-before"
}

judge_before()
{
	wait "${talkers[$mode-$family-before]}" || fail "a byte was wrong"
	note "$mode, IPv$family: $(awk 'NF == 4 { sum += $3 } END { print sum + 0 }' \
		"$TMP/talk-$mode-$family-before") of $BUSY older ones broken by a death in the changes"
}

change_everywhere_left()
{
	local i

	for i in 2 3; do
		balancer $i apply "$top/scripts/fleet.conf" "$run/lb$i.pool" >"$TMP/applied"
	done
}

fleet_up plain
measure 0 "watches that are killed" watch_dies
fleet start lb1 lb2 lb3
measure 0 "a session that is lost, and comes back" session_lost
measure 0 "sessions of all balancers that are lost at once, and come back" all_sessions_lost
measure 0 "a BIRD on the router that is killed, and started" router_daemon_dies
split
death_in_changes
