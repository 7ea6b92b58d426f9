#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What `refresh` is for: a backend has got another MAC, the way to one leads by another gateway or
# is narrower, one that did not answer does. Connections live on.
#
#    h1 --- sw --- lb VIP --- sw ---+--- h2, h3
#                                   +--- h5 10.0.0.5, unplugged at first
#                                   +--- g1 10.0.0.8 ---+--- b4 10.1.0.2
#                                   +--- g2 10.0.0.9 ---+
: "${MODES:=nat dsr ipip}"
. "$(dirname "$(realpath "$0")")/../topology.sh"

# Another MAC, that nobody is told of.
change_mac() # LAST_BYTE
{
	on h2 ip link set dev veth3 address "de:ad:be:ef:01:$1"
}

another_mac()
{
	begin_talk mac 50
	change_mac "$1"
	lb refresh
	equal "$(lb -j service show | jq -r '.[0].backends[0].mac')" "de:ad:be:ef:01:$1" "MAC"
	sleep 1
	end_talk mac
	equal "$(talked mac broken)" 0 "connections that broke when a MAC changed"
	[ "$(talked mac connections h2)" -gt 0 ] || fail "h2 had no connection"
}

# The gateway that is in use counts packets.
another_gateway()
{
	begin_talk gateway 50
	reach lb 1 0 9
	lb refresh
	passed=$(received g2)
	sleep 1
	end_talk gateway
	[ "$(received g2)" -gt $((passed + 50)) ] || fail "the new gateway is not used"
	expect_unbroken gateway
	[ "$(talked gateway connections b4)" -gt 0 ] || fail "b4 had no connection"
}

received() # HOST
{
	on "$1" ip -j -s link show dev eth0 | jq '.[0].stats64.rx.packets'
}

narrower_way()
{
	reach lb 1 0 8 mtu 1400
	lb refresh
	equal "$(lb -j service show | jq '.[0].backends[-1].mtu')" 1400 "MTU of the way to b4"
	reach lb 1 0 8
	lb refresh
}

# The file is taken; the backend is kept out, and named, until it answers.
one_that_did_not_answer()
{
	lb save | sed "s/\(backend add .*\) $(at 0 2)\b.*/&\n\1 $(at 0 5)/" >"$TMP/file"
	lb apply "$TMP/file" >"$TMP/out" 2>"$TMP/err"
	grep -F "$(at 0 5)" "$TMP/err" >/dev/null || fail "not named: $(cat "$TMP/err")"
	begin_talk out 50
	sleep 0.5
	end_talk out
	expect_unbroken out
	equal "$(talked out connections h5)" 0 "connections to what does not answer"
	on sw ip link set dev h5-eth0 up
	lb refresh
	begin_talk in 50
	sleep 0.5
	end_talk in
	expect_unbroken in
	[ "$(talked in connections h5)" -gt 0 ] || fail "no connection to what answers now"
	lb backend del "$vip:9/tcp" "$(at 0 5)"
	on sw ip link set dev h5-eth0 down
	on lb ip neigh flush to "$(at 0 5)"
}

changes()
{
	[ "$mode" = nat ] || { backends_apply && backend_apply h5 eth0 && backend_apply b4 eth0; }
	service_up 9/tcp mode "$mode"
	another_mac "$family$(at 0 1 | tail -c 2)"
	one_that_did_not_answer
	if [ "$mode" = nat ] || [ "$mode" = ipip ]; then
		lb backend add "$vip:9/tcp" "$(at 1 2)"
		another_gateway
		narrower_way
	fi
	lb service del "$vip:9/tcp"
	[ "$mode" = nat ] || { backends_undo && backend_undo h5 eth0 && backend_undo b4 eth0; }
}

lab_up
beyond_router b4 g1 1 8 lb h1
new_host g2
make_router g2
plug g2 eth0 sw 0 9
plug g2 eth1 sw1 1 9
new_host h5
plug h5 eth0 sw 0 5
on sw ip link set dev h5-eth0 down
reach h1 $VIP_NETWORK 0 10
attach
start_listeners h2 h3 b4 h5
each_family each_mode changes
expect_no_errors h1 h2 h3 b4 g1 g2 lb
