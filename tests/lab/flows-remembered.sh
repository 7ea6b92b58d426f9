#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Modes dsr and ipip remember a flow only where the table does not tell its backend: none under
# ordinary load; after a change the new flows of slots that moved, until the transition is over.
#
#    h1 steady --- lb VIP --- h2, h3, then b4 (10.0.0.x)
. "$(dirname "$(realpath "$0")")/../topology.sh"

flows()
{
	lb -j flow count | jq .flows
}

# How many flows to a backend are remembered.
flows_of() # BACKEND
{
	lb -j flow show | jq --arg to "$1" '[.[] | select(.backend.address == $to)] | length'
}

service_of_two() # [WORD...]
{
	lb service add "$vip:9/tcp" mode "$mode" "$@"
	lb backend add "$vip:9/tcp" "$(at 0 2)"
	lb backend add "$vip:9/tcp" "$(at 0 3)"
}

moved_slots_only()
{
	local moved

	service_of_two
	begin_talk before 300
	equal "$(flows)" 0 "flows before the change"

	lb backend add "$vip:9/tcp" "$(at 0 4)"
	begin_talk later 300
	sleep 0.5
	moved=$(talked_so_far)
	within "$moved" 60 140 "of 300 new connections, in slots that moved to b4"
	within "$(flows)" "$moved" $((moved + 10)) "flows that are remembered"
	equal "$(flows_of "$(at 0 4)")" "$moved" "those to b4"

	end_talk before
	end_talk later
	equal "$(talked before connections b4)" 0 "old connections to b4"
	expect_unbroken before
	expect_unbroken later
	lb service del "$vip:9/tcp"
}

# How many of the connections in talk `later` b4 has, by its own account.
talked_so_far()
{
	on b4 ss -Htn state established '( sport = :9 )' | wc -l
}

# The administrator's time is up: nothing more is remembered.
transition_over()
{
	service_of_two settle 2
	begin_talk before 50
	end_talk before
	lb backend add "$vip:9/tcp" "$(at 0 4)"
	sleep 3
	lb flow flush
	begin_talk later 100
	equal "$(flows)" 0 "flows after the transition"
	end_talk later
	expect_unbroken later
	lb service del "$vip:9/tcp"
}

remembered()
{
	backends_apply
	backend_apply b4 eth0
	moved_slots_only
	transition_over
	backends_undo
	backend_undo b4 eth0
}

lab_up
new_host b4
plug b4 eth0 sw 0 4
reach h1 $VIP_NETWORK 0 10
attach
start_listeners h2 h3 b4
MODES='dsr ipip'
each_family each_mode remembered
