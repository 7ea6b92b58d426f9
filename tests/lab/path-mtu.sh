#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Path MTU discovery through the balancer: beyond a router, packets are at most 1280 bytes long.
# Once that is the way to the client, once (nat, ipip) the way to the backend. TCP sets DF.
#
#    far 10.1.0.2 --- r1 10.0.0.8 ---+--- sw ---+--- r2 10.0.0.9 --- back 10.2.0.2
#                          1280      |          |        1280
#                          h1, lb, h2 (10.0.0.x)
. "$(dirname "$(realpath "$0")")/../topology.sh"

size=$(scaled 10000000 500000)
readonly NARROW='mtu lock 1280'

# The router tells that a packet is too big: without that, nothing is proven.
narrow_ways() # ROUTER NETWORK
{
	local n

	# shellcheck disable=SC2086 # a word each
	for n in "10.$2.0.0/24 dev eth1" "fd00:1$2::/64 dev eth1 metric 256" \
		"10.0.0.0/24 dev eth0" "fd00:10::/64 dev eth0 metric 256"; do
		on "$1" ip route replace $n $NARROW
	done
	# shellcheck disable=SC2086
	reach "$1" $VIP_NETWORK 0 10 $NARROW
}

told() # ROUTER
{
	counted "$([ "$family" = 4 ] && echo IcmpOutDestUnreachs || echo Icmp6OutPktTooBigs)" "$1"
}

# Caches forget what they have learnt of path MTUs.
forget()
{
	local host

	for host in far h1 h2 back; do
		on "$host" ip route flush cache
		on "$host" ip -6 route flush cache
	done
}

transfer() # CLIENT BACKEND
{
	on "$1" curl -sS --fail --max-time 60 -o "$TMP/got" "$url/file"
	cmp "$TMP/file" "$TMP/got" || fail "a download differs"
	on "$1" curl -sS --fail --max-time 60 -T "$TMP/file" "$url/up"
	cmp "$TMP/file" "$TMP/$2/files/up" || fail "an upload differs"
	rm "$TMP/got" "$TMP/$2/files/up"
}

narrow_client()
{
	local before

	# shellcheck disable=SC2034 # for topology.sh
	answered=$(at 1 2)
	[ "$mode" = nat ] || backend_apply h2 veth3
	lb service add "$vip:8000/tcp" mode "$mode"
	lb backend add "$vip:8000/tcp" "$(at 0 2)"
	forget
	before=$(told r1)
	transfer far h2
	[ "$(told r1)" -gt "$before" ] || fail "the router had nothing to say"
	lb service del "$vip:8000/tcp"
	[ "$mode" = nat ] || backend_undo h2 veth3
}

# Of dnat lab/dnat shows it. In ipip the way out must be known, as routers tell the tunnel's source,
# which is nobody: backend.sh makes clients send what fits. IPv6 asks for 1280 bytes, so a tunnel of
# it for more.
narrow_backend()
{
	local before

	case $mode-$family in
	dsr-* | ipip-6 | dnat-*) return ;;
	ipip-4) backend_apply back eth0 mtu 1280 ;;
	esac
	lb service add "$vip:8000/tcp" mode "$mode"
	lb backend add "$vip:8000/tcp" "$(at 2 2)"
	forget
	before=$(told r2)
	transfer h1 back
	[ "$(told r2)" -gt "$before" ] || fail "the router had nothing to say"
	lb service del "$vip:8000/tcp"
	[ "$mode" = nat ] || backend_undo back eth0
}

each_side()
{
	note "beyond a router: the client"
	each_mode narrow_client
	note "beyond a router: the backend"
	each_mode narrow_backend
}

lab_up
beyond_router far r1 1 8 h1 h2 lb
beyond_router back r2 2 9 h1 h2 lb
narrow_ways r1 1
narrow_ways r2 2
reach h1 $VIP_NETWORK 0 10
attach
for host in h2 back; do
	on "$host" "$top/scripts/web.sh" "$TMP/$host" "$host" 8000 2>"$TMP/web.log" &
	await 60 serves "$host" 8000
done
random_file "$size" "$TMP/file"
cp "$TMP/file" "$TMP/h2/files"
cp "$TMP/file" "$TMP/back/files"
each_family each_side
expect_no_errors far h1 h2 back lb r1 r2
expect_no_fragments far h1 h2 back lb r1 r2
