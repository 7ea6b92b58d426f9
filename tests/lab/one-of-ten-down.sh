#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# One of ten backends goes down, and comes up again: only its connections break, then none.
#
#    h1 10.0.0.1 --- sw --- lb VIP --- sw --- b1 10.0.0.11 ... b10 10.0.0.20
. "$(dirname "$(realpath "$0")")/../topology.sh"

readonly TENTH=b4

each_backend() # COMMAND...: with each backend's name
{
	local i

	for ((i = 1; i <= 10; i++)); do
		"$@" b$i
	done
}

address_of() # BACKEND
{
	at 0 $((10 + ${1#b}))
}

new_backend() # BACKEND
{
	new_host "$1"
	plug "$1" eth0 sw 0 $((10 + ${1#b}))
}

add_backend() # BACKEND
{
	[ "$mode" = nat ] || backend_apply "$1" eth0
	lb backend add "$vip:9/tcp" "$(address_of "$1")"
}

remove_vip() # BACKEND
{
	[ "$mode" = nat ] || backend_undo "$1" eth0
}

down_and_up()
{
	lb service add "$vip:9/tcp" mode "$mode"
	each_backend add_backend
	begin_talk before "$(scaled 500 100)"
	sleep 1
	lb backend down "$vip:9/tcp" "$(address_of $TENTH)"
	sleep 1
	begin_talk meanwhile "$(scaled 200 50)"
	sleep 1
	lb backend up "$vip:9/tcp" "$(address_of $TENTH)"
	sleep 1
	begin_talk after "$(scaled 200 50)"
	sleep 1
	for each in before meanwhile after; do
		end_talk $each
	done

	within "$(talked before connections $TENTH)" "$(scaled 25 4)" "$(scaled 80 25)" \
		"connections that $TENTH had"
	equal "$(talked before broken)" "$(talked before connections $TENTH)" "broken connections"
	equal "$(talked before broken $TENTH)" "$(talked before broken)" "those of $TENTH"
	equal "$(talked meanwhile connections $TENTH)" 0 "connections to $TENTH while it was down"
	expect_unbroken meanwhile
	expect_unbroken after
	[ "$(talked after connections $TENTH)" -gt 0 ] || fail "$TENTH gets no connections again"
	lb service del "$vip:9/tcp"
	each_backend remove_vip
}

lab_up
each_backend new_backend
reach h1 $VIP_NETWORK 0 10
attach
start_listeners b1 b2 b3 b4 b5 b6 b7 b8 b9 b10
each_family each_mode down_and_up
