# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# For tests of several balancers, in the lab of scripts/fleet.sh (where it is drawn). To be sourced.
: "${MODES:=dsr ipip dnat}"
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly PORT=8000
readonly NOTICED=400 # ms: until a dead balancer gets no more packets, if the machine is not busy
readonly -A MODE_NUMBER=([dsr]=1 [ipip]=2 [dnat]=3 [nat]=4)
# shellcheck disable=SC2034 # for the tests
readonly run=/run/xdp-lb-fleet-$LAB # of scripts/fleet.sh
declare -A talkers=()
fastest=20000
talk_port=10000

fleet() # WORD...
{
	"$top/scripts/fleet.sh" "$@" >>"$TMP/fleet.log" 2>&1 || {
		tail -n 20 "$TMP/fleet.log" >&2
		fail "fleet.sh $*"
	}
}

# xdp-lb on balancer N.
balancer() # N WORD...
{
	"$top/xdp-lb" -n "${prefix}lb$1" "${@:2}"
}

each_service() # FUNCTION: sets family, mode, vip_address, vip
{
	for mode in $MODES; do
		for family in ${FAMILIES:-4 6}; do
			vip_address=10.9.0.${MODE_NUMBER[$mode]} vip=$vip_address
			[ "$family" = 4 ] || vip_address=fd00:19::${MODE_NUMBER[$mode]} vip="[$vip_address]"
			"$@"
		done
	done
}

# Next hops of a VIP on the router, by their last number.
next_hops() # FAMILY VIP_ADDRESS
{
	on router ip "-$1" route show "$2" | grep -o 'via [^ ]*' | sed 's/.*[.:]1//' | sort | xargs
}

has_next_hops() # FAMILY VIP_ADDRESS NUMBERS
{
	[ "$(next_hops "$1" "$2")" = "$3" ]
}

await_next_hops() # NUMBERS
{
	each_service await_service_hops "$1"
}

await_service_hops() # NUMBERS
{
	await 15 has_next_hops "$family" "$vip_address" "$1"
}

# Balancer 1, of three, and what the router makes of it.
first_dies()
{
	fleet kill lb1
	await_next_hops "2 3"
}

first_comes_back()
{
	fleet start lb1
	await_next_hops "1 2 3"
}

fleet_up() # plain|resilient
{
	fleet setup "$1"
	start_listeners
	await_next_hops "1 2 3"
	spawn router ip -ts monitor route >"$TMP/routes"
}

start_listeners()
{
	local host

	for host in b1 b2 b3 b4; do
		spawn $host "$TOOLS/steady" serve $PORT $host
		await 5 serves $host $PORT
	done
}

# Connections of c1 to every service, from ports of their own: so many under traffic, and so many
# idle, which say something at the end.
begin_talks() # BUSY IDLE
{
	each_service begin_service_talks "$@"
	each_service await_open
}

begin_service_talks() # BUSY IDLE
{
	begin_talk "$mode-$family-busy" "$1" "$(scaled 100 1000 200)"
	begin_talk "$mode-$family-idle" "$2" 0
}

begin_talk() # NAME CONNECTIONS INTERVAL
{
	spawn c1 "$TOOLS/steady" talk "$vip_address" $PORT "$2" $talk_port "$3" \
		>"$TMP/talk-$1" 2>"$TMP/talk-$1.log"
	talkers[$1]=$pid
	talk_port=$((talk_port + $2))
	[ $talk_port -lt 60000 ] || talk_port=10000
}

await_open()
{
	await 20 grep -q open "$TMP/talk-$mode-$family-busy"
	await 20 grep -q open "$TMP/talk-$mode-$family-idle"
}

end_talks()
{
	kill -USR1 "${talkers[@]}"
	each_service end_service_talks
}

end_service_talks()
{
	local kind

	for kind in busy idle; do
		wait "${talkers[$mode-$family-$kind]}" ||
			fail "$mode-$family-$kind: $(cat "$TMP/talk-$mode-$family-$kind.log")"
	done
}

# Of a service's connections: how many there were, how many broke, the slowest message in ms.
talked() # connections|broken|worst
{
	awk -v field="$1" 'NF == 4 {
		sum["connections"] += $2
		sum["broken"] += $3
		if ($4 > sum["worst"]) sum["worst"] = $4
	} END { print sum[field] + 0 }' "$TMP/talk-$mode-$family-busy" "$TMP/talk-$mode-$family-idle"
}

expect_unbroken() # WHAT
{
	equal "$(talked broken)" 0 "$mode, IPv$family: connections broken by $1, see
$(grep -hv 'ms for a message' "$TMP/talk-$mode-$family"-*.log | head -n 5)
$(fingerprints)"
	note "$mode, IPv$family: 0 of $(talked connections) broken by $1, slowest $(talked worst) ms"
}

# What each balancer that lives would print of what decides.
fingerprints()
{
	local i

	for i in 1 2 3; do
		[ ! -e "/run/netns/${prefix}lb$i" ] || balancer $i fingerprint
	done
}

# A busy backend may not have answered all balancers yet, and is kept out by those.
are_alike()
{
	[ "$(fingerprints | sort -u | wc -l)" = 2 ]
}

# What it does to connections.
with_talks() # WHAT COMMAND...
{
	await 20 are_alike
	begin_talks "$BUSY" "$IDLE"
	"${@:2}"
	end_talks
	each_service expect_unbroken "$1"
}

now_ms()
{
	echo $((${EPOCHREALTIME/[^0-9]/} / 1000))
}

# Since when the router has its sessions with these balancers. On a busy machine BFD may take one for
# dead that is not: what a test then sees is not what it is about.
sessions() # NUMBERS
{
	birdc -s "$run/router.ctl" show protocols | grep "^lb[$1]v" | awk '{ print $1, $4, $5 }'
}

# Tries a step again, if it says that it was disturbed so.
undisturbed() # COMMAND...
{
	local i

	for i in 1 2 3; do
		! "$@" || return 0
		note "disturbed: BFD took a living balancer for dead"
	done
	skip "the machine is too busy for BFD"
}

# A balancer dies by a command: how long the router sends packets to it.
death() # NUMBERS_LEFT WHAT COMMAND...
{
	local from took=0 family

	from=$(now_ms)
	"${@:3}"
	await_next_hops "$1"
	for family in 4 6; do
		took=$(most "$took" $(($(time_of_routes "$(first_vip)") - from)))
	done
	note "$took ms until withdrawal after $2"
	[ "$took" -gt "$fastest" ] || fastest=$took
}

most() # NUMBER NUMBER
{
	echo $(($1 > $2 ? $1 : $2))
}

# When the router last changed its routes to an address.
time_of_routes() # ADDRESS
{
	date -d "$(sed -n "s/^\\[\\(.*\\)\\] .*$1 .*/\\1/p" "$TMP/routes" | tail -n 1)" +%s%3N
}

first_vip()
{
	local number=${MODE_NUMBER[${MODES%% *}]}

	[ "$family" = 4 ] && echo "10.9.0.$number" || echo "fd00:19::$number"
}

expect_noticed()
{
	within "$fastest" 1 "$(scaled $NOTICED 20000)" "ms until the fastest withdrawal"
}
