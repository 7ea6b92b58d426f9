#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Two balancers of the same configuration, made in another order. A router sends the VIP's packets
# to the one, then to the other and back: no connection breaks, though they share no state.
#
#    far 10.1.0.2 --- r1 10.0.0.8 ---+--- lb 10.0.0.10
#                                    +--- lb2 10.0.0.11
#                                    +--- h2, h3, b4 (10.0.0.x), VIP on lo (dnat: answer by lb)
: "${MODES:=dsr ipip dnat}"
. "$(dirname "$(realpath "$0")")/../topology.sh"

configure() # HELPER HOST_NUMBER...
{
	local number

	"$1" service add "$vip:9/tcp" mode "$mode"
	for number in "${@:2}"; do
		"$1" backend add "$vip:9/tcp" "$(at 0 "$number")" weight $((100 + number))
	done
}

forwarded() # HELPER
{
	"$1" -j stats | jq '[.verdicts[] | select(.reason == "forwarded") | .packets] | add // 0'
}

move()
{
	local before1 before2

	# shellcheck disable=SC2034 # for topology.sh
	answered=$(at 1 2)
	backends_apply
	backend_apply b4 eth0
	configure lb 2 3 4
	configure lb2 4 2 3
	equal "$(lb2 save | sort)" "$(lb save | sort)" "configuration of the second balancer"
	reach r1 $VIP_NETWORK 0 10
	begin_talk move 200 far
	sleep 1
	before1=$(forwarded lb) before2=$(forwarded lb2)
	reach r1 $VIP_NETWORK 0 11
	sleep 2
	[ "$(forwarded lb2)" -gt $((before2 + 1000)) ] || fail "the second balancer got no packets"
	reach r1 $VIP_NETWORK 0 10
	sleep 1
	[ "$(forwarded lb)" -gt $((before1 + 500)) ] || fail "the first balancer got no more"
	end_talk move
	expect_unbroken move
	lb service del "$vip:9/tcp"
	lb2 service del "$vip:9/tcp"
	backends_undo
	backend_undo b4 eth0
}

lab_up
beyond_router far r1 1 8 h2 h3 lb
new_host b4
plug b4 eth0 sw 0 4
reach b4 1 0 8
second_balancer
reach lb2 1 0 8
make_router lb2
attach
start_listeners h2 h3 b4
each_family each_mode move
expect_no_errors far r1 h2 h3 b4 lb lb2
