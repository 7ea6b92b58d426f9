# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The hosts around the guest, in this script's own namespaces:
#
#   h1 the client   10.0.0.1 ──┐
#   h2 a backend    10.0.0.2 ──┤ br0 ── tap0 ══ eth0 of the guest, 10.0.0.10
#   h3 a backend    10.0.0.3 ──┘
#
# IPv6 as well: fd00:10::1 and so on. The VIP is the guest's address.

on() # HOST COMMAND...
{
	local host=$1

	shift
	nsenter --net="/run/netns/$host" "$@"
}

make_host() # NUMBER
{
	local host=h$1

	ip netns add "$host"
	ip link add "$host" type veth peer name eth0 netns "$host" address "de:ad:be:ef:00:0$1"
	ip link set "$host" master br0 up
	on "$host" ip address add "10.0.0.$1/24" dev eth0
	on "$host" ip address add "fd00:10::$1/64" dev eth0 nodad
	on "$host" ip link set eth0 up
	on "$host" ip link set lo up
}

make_network()
{
	local number

	ip link set lo up
	ip link add br0 type bridge mcast_snooping 0
	ip link set br0 up
	ip tuntap add tap0 mode tap multi_queue vnet_hdr
	ip link set tap0 master br0 up
	for number in 1 2 3; do
		make_host "$number"
	done
}
