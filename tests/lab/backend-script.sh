#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# scripts/backend.sh: `apply` does what it prints, and `undo` leaves nothing of it.
#
#    h2 veth3 10.0.0.2, fd00:10::2 ----- sw      (routes by 10.0.0.1, fd00:10::1)
. "$(dirname "$(realpath "$0")")/../lib.sh"

backend()
{
	"$top/scripts/backend.sh" -n "$LAB-h2" "$@" 2>"$TMP/backend.log" || {
		local status=$?

		cat "$TMP/backend.log" >&2
		return $status
	}
}

# All that the script may change. Packets change counters and neighbours, but not this.
state()
{
	on h2 sysctl -a 2>/dev/null | grep -E '^net\.ipv[46]\.conf\.' | grep -v stable_secret
	on h2 ip -br addr
	on h2 ip -4 rule
	on h2 ip -6 rule
	on h2 ip -4 route show table all
	on h2 ip -6 route show table all | grep -v '^multicast'
	on h2 ip -j -d link show dev veth3 | jq '.[0].xdp'
	find /run/xdp-lb-backend 2>/dev/null || true
}

unchanged() # WHAT
{
	equal "$(diff <(echo "$before") <(state))" '' "$1"
}

expect_usage() # WORD...
{
	local status=0

	backend "$@" >/dev/null 2>&1 || status=$?
	equal "$status" 2 "status of 'backend.sh $*'"
	unchanged "changed by 'backend.sh $*'"
}

sets() # KEY VALUE
{
	equal "$(on h2 sysctl -n "net.ipv4.conf.veth3.$1")" "$2" "$1"
}

# The commands it prints are those that it runs, word for word.
applies_what_it_prints() # WORD...
{
	backend "$@" | sed '/^#/d' >"$TMP/printed"
	unchanged "printing changed"
	backend apply "$@"
	equal "$(sed -n 's/^\[#\] ([^)]*) //p' "$TMP/backend.log")" "$(cat "$TMP/printed")" \
		"commands of '$*'"
}

answers_by() # WORDS: in the route of what the VIP sends
{
	on h2 ip -o route get "$far" from "$vip_address" | grep -e "$1" >/dev/null ||
		fail "the VIP answers by $(on h2 ip route get "$far" from "$vip_address")"
}

each_mode()
{
	local far=203.0.113.9 mss=1440 router=10.0.0.3

	vip_address=10.9.0.1
	[ "$family" = 4 ] || { vip_address=fd00:9::1 far=2001:db8::9 mss=1400 router=fd00:10::3; }
	on h2 ip route add default via "${net}1"
	before=$(state)

	applies_what_it_prints dsr "$vip_address" veth3
	on h2 ip addr show dev lo | grep "$vip_address/" >/dev/null || fail "no VIP on lo"
	[ "$family" = 6 ] || { sets arp_ignore 1 && sets arp_announce 2; }
	backend undo dsr "$vip_address" veth3
	unchanged "after undo of dsr"

	applies_what_it_prints ipip "$vip_address" veth3 tunnel xdp outer "ipv$family"
	answers_by "via ${net}1 .*advmss $mss"
	backend apply ipip "$vip_address" veth3 tunnel xdp outer ipv4 via "$router"
	answers_by "via $router .*advmss $((family == 6 ? mss + 20 : mss))"
	backend undo ipip "$vip_address" veth3
	unchanged "after undo of ipip"

	applies_what_it_prints nat "$vip_address" veth3
	backend undo nat "$vip_address" veth3
	applies_what_it_prints nat "$vip_address" veth3 via "${net}10"
	on h2 ip route get "$vip_address" | grep "via ${net}10" >/dev/null ||
		fail "no route to the VIP"
	backend undo nat "$vip_address" veth3
	unchanged "after undo of nat"

	applies_what_it_prints dnat "$vip_address" veth3 via "${net}10"
	on h2 ip route get "$far" | grep "via ${net}10" >/dev/null || fail "no route to clients"
	backend apply dnat "$vip_address" veth3 via "${net}10" to "$far/$((family == 4 ? 32 : 128))"
	on h2 ip route get "$far" | grep "via ${net}10" >/dev/null || fail "no route to a client"
	on h2 ip "-$family" route show default | grep "via ${net}1 " >/dev/null || fail "no default"
	backend undo dnat "$vip_address" veth3
	unchanged "after undo of dnat"
	on h2 ip route del default via "${net}1"
}

# What is for the whole host goes with the last VIP.
two_vips()
{
	before=$(state)
	backend apply dsr 10.9.0.1 veth3
	backend apply ipip 10.9.0.2 veth3 tunnel xdp
	backend undo dsr 10.9.0.1 veth3
	sets arp_ignore 1
	backend undo ipip 10.9.0.2 veth3
	unchanged "after undo of the second VIP"
}

# Strict reverse path filtering is made loose, and accept_local set where it is asked for.
filters()
{
	on h2 sysctl -qw net.ipv4.conf.all.rp_filter=1
	before=$(state)
	backend apply ipip 10.9.0.1 veth3 tunnel xdp accept-local
	sets rp_filter 2
	sets accept_local 1
	backend undo ipip 10.9.0.1 veth3
	unchanged "after undo with rp_filter"
	on h2 sysctl -qw net.ipv4.conf.all.rp_filter=0
}

# A step that fails takes those before it back.
roll_back()
{
	on h2 ip link set dev veth3 xdp obj "$top/stub.bpf.o" sec xdp
	before=$(state)
	! backend apply ipip 10.9.0.1 veth3 tunnel xdp 2>/dev/null ||
		fail "over another XDP program"
	unchanged "after an apply that failed"
	! backend apply dsr 10.9.0.1 veth3 via 192.0.2.1 2>/dev/null ||
		fail "by a router out of reach"
	unchanged "after another apply that failed"
	on h2 ip link set dev veth3 xdp off
}

lab_up
each_family each_mode
two_vips
filters
roll_back
before=$(state)
expect_usage
expect_usage dsr 10.9.0.1
expect_usage tunnel 10.9.0.1 veth3
expect_usage dsr 10.9.0.1/32 veth3
expect_usage dsr 10.9.0.1:80 veth3
expect_usage dsr 10.9.0.1 veth3 via
expect_usage ipip 10.9.0.1 veth3 outer ipv5
expect_usage dnat 10.9.0.1 veth3
expect_usage dnat 10.9.0.1 veth3 via 10.0.0.10 to 10.0.0.1:80
expect_usage ipip 10.9.0.1 veth3 mtu 15x
! backend undo dsr 10.9.0.1 veth3 2>/dev/null || fail "undo of nothing"
! backend dsr 10.9.0.1 veth9 2>/dev/null || fail "a device that is not there"
