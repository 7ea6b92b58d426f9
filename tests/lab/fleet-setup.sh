#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# scripts/fleet.sh: twice, beside the other lab and another fleet, after half of it is gone; a
# balancer can be added; nothing is left.
#
#    a-c1 --- a-router ---+--- a-lb1 to a-lb4       h1 ... lb: scripts/setup.sh
#                         +--- a-b1 to a-b4
. "$(dirname "$(realpath "$0")")/../lib.sh"

fleet() # LAB WORD...
{
	LAB=$1 "$top/scripts/fleet.sh" "${@:2}" >"$TMP/out" 2>&1
}

in_fleet() # HOST COMMAND...
{
	nsenter --net="/run/netns/a-$1" -- "${@:2}"
}

next_hops() # VIP
{
	in_fleet router ip route show "$1" | grep -c 'via 10.0.0.1'
}

has_next_hops() # VIP COUNT
{
	[ "$(next_hops "$1")" = "$2" ]
}

everyone_answers()
{
	local address

	for address in 10.0.0.{1,11,12,13} 10.1.0.{1,11,21,24} fd00:10::{1,11} fd00:11::{1,24}; do
		in_fleet c1 ping -q -c 1 -W 2 "$address" >"$TMP/out" ||
			fail "c1 does not reach $address"
	done
	# What a backend says on its own account goes by a balancer, whose stack forwards it.
	in_fleet b2 ping -q -c 1 -W 2 10.3.0.2 >"$TMP/out" || fail "b2 does not reach c2"
}

refused() # WORD...
{
	local status=0

	fleet a "$@" || status=$?
	equal $status 2 "status of fleet.sh $*"
}

lab_up
devices_before=$(ip -br link)
fleet a setup || fail "setup: $(cat "$TMP/out")"
await 10 has_next_hops 10.9.0.1 3
everyone_answers
fleet a setup || fail "setup again: $(cat "$TMP/out")"
fleet a start lb4 || fail "a fourth balancer: $(cat "$TMP/out")"
await 10 has_next_hops 10.9.0.1 4
fleet a kill lb2 || fail "kill: $(cat "$TMP/out")"
await 10 has_next_hops 10.9.0.1 3
ip netns del a-b3
in_fleet b2 ip addr del 10.1.0.22/24 dev eth0
fleet a setup || fail "setup of half a fleet: $(cat "$TMP/out")"
await 10 has_next_hops 10.9.0.1 4
everyone_answers

refused
refused setup round
refused kill lb9
refused start
! fleet b kill lb1 || fail "kill in a fleet that is not there"

fleet a teardown || fail "teardown: $(cat "$TMP/out")"
fleet a teardown || fail "teardown of nothing: $(cat "$TMP/out")"
equal "$(ip netns list | grep -c "^$LAB-")" "$(ip netns list | wc -l)" "namespaces of the other lab"
equal "$(pgrep -c bird)" 0 "processes that are left"
equal "$(find /run -path '*fleet*' -o -path '*xdp-lb-backend/*')" '' "files that are left"
equal "$(ip -br link)" "$devices_before" "devices of the host"
