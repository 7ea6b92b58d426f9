#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# How many flows the router sends to another balancer, though theirs is alive, as one dies, comes back,
# and is drained: with plain multipath many, with resilient groups (scripts/bird/nexthops.sh) none.
#
#    c1 --- router: BIRD, nexthops.sh ---+--- lb1, lb2, lb3
#                                        +--- b1 to b4
MODES=dsr
. "$(dirname "$(realpath "$0")")/../fleet.sh"

readonly FLOWS=200
readonly -A LIVING=([1]=23 [none]=23)
readonly -A CLIENT=([4]=10.2.0.2 [6]=fd00:12::2)

# Which way each of the flows goes that are under traffic: "FAMILY PORT GATEWAY" lines. False if one
# has none.
ways()
{
	local first port

	for family in 4 6; do
		first=${first_port[$family]}
		for ((port = first; port < first + FLOWS; port++)); do
			echo "route get $(first_vip) from ${CLIENT[$family]} iif c1 ipproto tcp" \
				"sport $port dport $PORT"
		done >"$TMP/questions"
		on router ip "-$family" -batch "$TMP/questions" >"$TMP/answers" || return 1
		grep -o 'via [^ ]*' "$TMP/answers" |
			awk -v family="$family" '{ print family, NR, $2 }'
	done
}

# How many have another way than before, of those that were not on the balancer that is GONE.
moved() # BEFORE GONE
{
	join -j 1 <(awk '{ print $1 "-" $2, $3 }' "$1" | sort) \
		<(ways | awk '{ print $1 "-" $2, $3 }' | sort) |
		awk -v gone="[.:]1$2\$" '$2 !~ gone && $2 != $3 { moved++ } END { print moved + 0 }'
}

# What COMMAND does to the flows of the others.
watch_flows() # WHAT GONE COMMAND...
{
	local moved living=${LIVING[$2]} before

	before=$(sessions "$living")
	ways >"$TMP/before" || return 1 # there is none: all balancers are taken for dead
	"${@:3}"
	sleep 0.5
	[ "$(sessions "$living")" = "$before" ] || return 1
	moved=$(moved "$TMP/before" "$2")
	note "$multipath: $moved of $(grep -cv "[.:]1$2\$" "$TMP/before") moved by $1"
	if [ "$multipath" = resilient ]; then
		equal "$moved" 0 "flows that moved by $1"
	else
		plain_moved=$((plain_moved + moved))
	fi
}

# As a watch does for a VIP of mode nat that has flows.
lower_weight()
{
	local family

	pkill -KILL -P "$(cat "$run/lb2.watch")"
	for family in 4 6; do
		on lb2 ip "-$family" route add blackhole "$(first_vip)" table 100 proto 120 metric 32768
		on lb2 ip "-$family" route del blackhole "$(first_vip)" table 100 metric 1024
		await 5 has_low_weight
	done
}

has_low_weight()
{
	local table=main

	[ "$multipath" = plain ] || table=201
	on router ip "-$family" route show "$(first_vip)" table $table |
		grep "via .*[.:]12 .*weight 1 " >/dev/null
}

remember_ports()
{
	first_port[$family]=$talk_port
	begin_talk "$mode-$family-busy" $FLOWS 100
	await 20 grep -q open "$TMP/talk-$mode-$family-busy"
	begin_talk "$mode-$family-idle" 1 0
	await 20 grep -q open "$TMP/talk-$mode-$family-idle"
}

# False if it was disturbed.
deal_out()
{
	fleet_up "$multipath"
	each_service remember_ports
	sleep 0.5
	if watch_flows "the death of lb1" 1 first_dies &&
		watch_flows "the return of lb1" none first_comes_back &&
		watch_flows "a lower weight of lb2" none lower_weight; then
		end_talks
		each_service expect_unbroken "all of it"
		fleet teardown
	else
		fleet teardown
		return 1
	fi
}

declare -A first_port=()
plain_moved=0
for multipath in plain resilient; do
	undisturbed deal_out
done
[ $plain_moved -gt 0 ] || fail "plain multipath moved nothing: this test sees nothing"
