# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# More hosts, networks and modes for the tests in tests/lab, on top of lib.sh. Network N is
# 10.N.0.0/24 and fd00:1N::/64, 0 being that of the lab.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly VIP_NETWORK=9 # of VIPs that are routed to the balancer, whose own they are not
: "${MODES:=nat dsr ipip dnat}"

# Address X of network N, in the family under test.
at() # N X
{
	[ "$family" = 4 ] && echo "10.$1.0.$2" || echo "fd00:1$1::$2"
}

new_host() # NAME
{
	ip netns add "$prefix$1"
	"$top/scripts/settings.sh" "$prefix$1"
	on "$1" ip link set dev lo up
}

make_router() # HOST
{
	on "$1" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0
}

new_switch() # NAME
{
	new_host "$1"
	on "$1" ip link add br0 type bridge mcast_snooping 0
	on "$1" ip link set dev br0 up
}

# Connects a host to a switch, as X of network N. The switch's port is named HOST-DEV.
plug() # HOST DEV SWITCH N X
{
	on "$3" ip link add "$1-$2" type veth peer name "$2" netns "$prefix$1"
	on "$3" ip link set dev "$1-$2" master br0 up
	on "$1" ip link set dev "$2" up
	on "$1" ip addr add "10.$4.0.$5/24" dev "$2"
	on "$1" ip addr add "fd00:1$4::$5/64" dev "$2" nodad
}

# What a device by which XDP sends asks of its peer (see scripts/setup.sh).
feed() # SWITCH PORT [SECTION]
{
	on "$1" ip link set dev "$2" xdpdrv obj "$top/stub.bpf.o" sec "${3:-xdp}"
	on "$1" ethtool -K "$2" tx off >/dev/null
}

# Routes of both families: to network N by X of network M, with words as for `ip route`.
reach() # HOST N M X [WORD...]
{
	on "$1" ip route replace "10.$2.0.0/24" via "10.$3.0.$4" "${@:5}"
	on "$1" ip route replace "fd00:1$2::/64" via "fd00:1$3::$4" "${@:5}"
}

# The VIP of a mode: in mode nat it is the balancer's own, else it is routed there. In mode dnat
# answers leave as the balancer's kernel routes: it has to forward.
use_mode() # MODE
{
	local forward=0

	mode=$1
	[ "$mode" != dnat ] || forward=1
	on lb sysctl -qw net.ipv4.ip_forward=$forward net.ipv6.conf.all.forwarding=$forward
	vip_address=$(at 0 10) answered=$(at 0 1)
	[ "$mode" = nat ] || vip_address=$(at $VIP_NETWORK 1)
	vip=$vip_address
	[ "$family" = 4 ] || vip="[$vip_address]"
	url=http://$vip:8000
}

each_mode() # FUNCTION: in each of $MODES, within each_family
{
	local each

	for each in $MODES; do
		use_mode "$each"
		note "mode $each"
		"$@"
	done
}

# Sets a backend up for the mode, or undoes that. In mode dnat it answers the client $answered by the
# balancer, be it on its link.
backend_apply() # HOST DEV [OPTION of backend.sh...]
{
	[ "$mode" != dnat ] ||
		set -- "$@" via "$(at 0 10)" to "$answered/$([ "$family" = 4 ] && echo 32 || echo 128)"
	"$top/scripts/backend.sh" -n "$prefix$1" apply "$mode" "$vip_address" "${@:2}" \
		>"$TMP/backend.log" 2>&1 || fail "backend.sh: $(cat "$TMP/backend.log")"
}

backend_undo() # HOST DEV
{
	"$top/scripts/backend.sh" -n "$prefix$1" undo "$mode" "$vip_address" "$2" \
		>"$TMP/backend.log" 2>&1 || fail "backend.sh: $(cat "$TMP/backend.log")"
}

# The sum of a counter of nstat over hosts.
counted() # COUNTER HOST...
{
	local host

	for host in "${@:2}"; do
		on "$host" nstat -asz "$1"
	done | awk '!/^#/ { sum += $2 } END { print sum + 0 }'
}

# No host has cut a packet in pieces, nor put one together.
expect_no_fragments() # HOST...
{
	local counter

	for counter in IpFragCreates IpReasmReqds Ip6FragCreates Ip6ReasmReqds; do
		equal "$(counted $counter "$@")" 0 "$counter in $*"
	done
}

# Both backends of the lab.
backends_apply()
{
	backend_apply h2 veth3
	backend_apply h3 veth5
}

backends_undo()
{
	backend_undo h2 veth3
	backend_undo h3 veth5
}

# A balancer beside the first one, and its helper.
lb2()
{
	"$top/xdp-lb" -n "${prefix}lb2" "$@"
}

# `ip -n` has a /sys of its own: the second balancer's maps are not those of the first.
second_balancer()
{
	new_host lb2
	plug lb2 eth0 sw 0 11
	feed sw lb2-eth0
	ip -n "${prefix}lb2" link set dev eth0 xdpdrv obj "$top/xdp_lb.bpf.o" sec xdp
}

# A host beyond a router, as 2 of network N; the router is X of network 0, and known to those HOSTs.
beyond_router() # HOST ROUTER N X HOST...
{
	local host

	new_host "$1"
	new_host "$2"
	make_router "$2"
	new_switch "sw$3"
	plug "$2" eth0 sw 0 "$4"
	plug "$2" eth1 "sw$3" "$3" 1
	plug "$1" eth0 "sw$3" "$3" 2
	on "$1" ip route add default via "10.$3.0.1"
	on "$1" ip -6 route add default via "fd00:1$3::1"
	reach "$2" $VIP_NETWORK 0 10
	for host in "${@:5}"; do
		reach "$host" "$3" 0 "$4"
	done
}

# Long-lived connections with traffic that is checked (tools/steady.c). No port is used twice.
# Beside them some over the client's loopback: what stalls these is the machine, not the balancer.
readonly BESIDE=20
declare -A talkers=() drops_before=()
talk_port=20000

start_listeners() # HOST...
{
	local host

	for host in "$@"; do
		on "$host" "$TOOLS/steady" serve 9 "$host" &
		await 5 serves "$host" 9
	done
	on h1 "$TOOLS/steady" serve 9 loopback &
	await 5 serves h1 9
}

begin_talk() # NAME CONNECTIONS [CLIENT]
{
	drops_before[$1]=$(lab_drops)
	spawn "${3:-h1}" "$TOOLS/steady" talk "$vip_address" 9 "$2" $talk_port \
		"$(scaled 200 1000)" >"$TMP/talk-$1" 2>"$TMP/talk-$1.log"
	talkers[$1]=$pid
	talk_port=$((talk_port + $2))
	spawn h1 "$TOOLS/steady" talk 127.0.0.1 9 $BESIDE $talk_port "$(scaled 200 1000)" \
		>"$TMP/talk-$1-beside" 2>/dev/null
	talkers[$1-beside]=$pid
	talk_port=$((talk_port + BESIDE))
	await 20 grep -q open "$TMP/talk-$1"
	await 20 grep -q open "$TMP/talk-$1-beside"
}

# Afterwards `broken NAME HOST` and the like know how it went.
end_talk() # NAME
{
	kill -USR1 "${talkers[$1]}" "${talkers[$1-beside]}"
	wait "${talkers[$1-beside]}" || fail "over loopback"
	wait "${talkers[$1]}" || fail "talk $1: $(cat "$TMP/talk-$1.log")"
}

# Of the connections to a backend, or to all: how many there were, how many broke, and how long a
# message took at most, in ms.
talked() # NAME connections|broken|worst [HOST]
{
	awk -v field="$2" -v host="${3-}" 'NF == 4 && (!host || $1 == host) {
		sum["connections"] += $2
		sum["broken"] += $3
		if ($4 > sum["worst"]) sum["worst"] = $4
	} END { print sum[field] + 0 }' "$TMP/talk-$1"
}

# No connection was reset, none stood still for longer than a second, and what the machine itself
# stood still. Where a queue of the lab overflowed TCP has to send again, after 1.4 s if three times.
expect_unbroken() # NAME
{
	local most=1000

	[ "$(lab_drops)" = "${drops_before[$1]}" ] || most=3000
	most=$(($(scaled $most 20000) + $(talked "$1-beside" worst)))
	equal "$(talked "$1" broken)" 0 "broken connections, see $(cat "$TMP/talk-$1.log")"
	within "$(talked "$1" worst)" 0 "$most" "ms for the slowest of \
$(awk '/total/ { print $2 }' "$TMP/talk-$1") messages on $(talked "$1" connections) connections"
}
