#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# `xdp-lb watch` follows the network: a backend or a router that gets another MAC address, and says
# so or does not; one that did not answer and does; another route. A given MAC is left alone.
#
#    h1 --- sw --- lb VIP, watch --- sw ---+--- h2, h3
#                                          +--- h5 10.0.0.5, unplugged at first
#                                          +--- g1 10.0.0.8 ---+--- b4 10.1.0.2
#                                          +--- g2 10.0.0.9 ---+
. "$(dirname "$(realpath "$0")")/../topology.sh"

mac_is() # ADDRESS MAC
{
	lb -j service show "$service" | jq -e --arg address "$1" --arg mac "$2" \
		'.[0].backends[] | select(.address == $address) | .mac == $mac'
}

mac_of() # HOST DEV
{
	on "$1" ip -j link show dev "$2" | jq -r '.[0].address'
}

# Milliseconds until a backend's next hop is the MAC.
time_to() # ADDRESS MAC MOST WHAT
{
	local began

	began=$(date +%s%N)
	await 6 mac_is "$1" "$2"
	within $((($(date +%s%N) - began) / 1000000)) 0 "$3" "ms until known: $4"
}


silently()
{
	on h2 ip link set dev veth3 address "de:ad:be:ef:02:0$family"
	time_to "$(at 0 2)" "de:ad:be:ef:02:0$family" "$(scaled 2700 20000)" "a MAC that nobody is told of"
	[ -n "$(ask 10)" ] || fail "no answers"
}

# A device says so when its address changes, with these settings.

announced()
{
	on h2 sysctl -qw net.ipv4.conf.veth3.arp_notify=1 net.ipv6.conf.veth3.ndisc_notify=1
	on h2 ip link set dev veth3 address "de:ad:be:ef:03:0$family"
	time_to "$(at 0 2)" "de:ad:be:ef:03:0$family" "$(scaled 1000 20000)" "a MAC that was announced"
	on h2 sysctl -qw net.ipv4.conf.veth3.arp_notify=0 net.ipv6.conf.veth3.ndisc_notify=0
}

given()
{
	lb backend set "$service" "$(at 0 3)" mac 02:00:00:00:00:77
	sleep 2.5
	mac_is "$(at 0 3)" 02:00:00:00:00:77 >/dev/null || fail "a given MAC was changed"
	lb backend del "$service" "$(at 0 3)"
	lb backend add "$service" "$(at 0 3)"
}

comes_back()
{
	lb save >"$TMP/conf"
	sed -i "/^#/!s/^backend add \(.*\) $(at 0 3) \(.*\)/&\nbackend add \1 $(at 0 5) \2/" "$TMP/conf"
	lb apply "$TMP/conf" >/dev/null 2>&1
	lb -j service show "$service" | jq -e '.[0].backends[] | select(.mac == null)' >/dev/null ||
		fail "h5 is there already"
	on h5 ip link set dev eth0 up
	[ "$family" = 4 ] || on h5 ip addr replace "$(at 0 5)/64" dev eth0 nodad
	time_to "$(at 0 5)" "$(mac_of h5 eth0)" "$(scaled 4500 20000)" "a backend that comes"
	lb backend del "$service" "$(at 0 5)"
	on h5 ip link set dev eth0 down
}

over_gateways()
{
	lb backend add "$service" "$(at 1 2)"
	on g1 ip link set dev eth0 address "de:ad:be:ef:04:0$family"
	time_to "$(at 1 2)" "de:ad:be:ef:04:0$family" "$(scaled 2700 20000)" "a router with another MAC"
	reach lb 1 0 9
	time_to "$(at 1 2)" "$(mac_of g2 eth0)" "$(scaled 1000 20000)" "another router"
	reach lb 1 0 8
	lb backend del "$service" "$(at 1 2)"
}

# Whether a record has the MAC de:ad:be:ef:X:Y, which no command shows of `via`.
leads_to() # X Y
{
	bpftool -j map dump pinned /sys/fs/bpf/tc/globals/xlb_backends | jq -e --argjson x "$1" \
		--argjson y "$2" 'any(.[].formatted.value.hop[].mac; . == [222, 173, 190, 239, $x, $y])'
}

# The next hop to clients of a service in mode dnat.
via()
{
	lb service add "$vip:9000/tcp" mode dnat via "$(at 0 1)"
	lb backend add "$vip:9000/tcp" "$(at 0 2)"
	! leads_to 5 "$family" || fail "the MAC is known too early"
	on h1 ip link set dev veth0 address "de:ad:be:ef:05:0$family"
	await 6 leads_to 5 "$family"
	lb service del "$vip:9000/tcp"
}

logged_gateways()
{
	grep -cF "$(at 0 2) of $vip:9001/tcp: its route leads over a gateway now" "$TMP/watch.log" || true
}

is_logged()
{
	[ "$(logged_gateways)" = 1 ]
}

# In mode dsr a gateway would send packets back here: said once, and what was known stays.
dsr_over_gateway()
{
	local before

	lb service add "$vip:9001/tcp" mode dsr
	lb backend add "$vip:9001/tcp" "$(at 0 2)"
	before=$(lb -j service show "$vip:9001/tcp" | jq -r '.[0].backends[0].mac')
	on lb ip route add "$(at 0 2)" via "$(at 0 8)" dev veth6
	await 5 is_logged
	on lb ip route add "$(at 7 7)" via "$(at 0 8)" dev veth6
	sleep 2
	equal "$(logged_gateways)" 1 "times that it was said"
	equal "$(lb -j service show "$vip:9001/tcp" | jq -r '.[0].backends[0].mac')" "$before" \
		"MAC that was known"
	on lb ip route del "$(at 0 2)" via "$(at 0 8)" dev veth6
	on lb ip route del "$(at 7 7)" via "$(at 0 8)" dev veth6
	lb service del "$vip:9001/tcp"
}

all()
{
	service=$vip:8000/tcp
	service_up 8000/tcp
	silently
	announced
	given
	comes_back
	over_gateways
	dsr_over_gateway
	via
	lb service del "$service"
}

lab_up
for gateway in g1 g2; do
	new_host $gateway
	make_router $gateway
done
new_switch sw1
plug g1 eth0 sw 0 8
plug g2 eth0 sw 0 9
plug g1 eth1 sw1 1 1
plug g2 eth1 sw1 1 3
new_host b4
plug b4 eth0 sw1 1 2
new_host h5
plug h5 eth0 sw 0 5
on h5 ip link set dev eth0 down
reach lb 1 0 8
attach
start_web
spawn lb "$top/xdp-lb" -n "${prefix}lb" watch 2>"$TMP/watch.log"
each_family all
