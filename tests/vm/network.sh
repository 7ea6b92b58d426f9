# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The hosts around the guest, in this script's own namespaces, and those in the guest:
#
#   h1 the client   10.0.0.1 ──┐       ┌── tap0 ══ eth0 of the guest: the balancer, 10.0.0.10
#   h2 a backend    10.0.0.2 ──┤  br0  ├── tap1 ══ eth1, in the guest's namespace h4, 10.0.0.4
#   h3 a backend    10.0.0.3 ──┘       └── tap2 ══ eth2, in the guest's namespace h5, 10.0.0.5
#
# IPv6 as well: fd00:10::1 and so on. The VIP of mode nat is the balancer's address, those of modes
# dsr and ipip are routed to it: 10.9.0.0/24, fd00:19::/64.

on() # HOST COMMAND...
{
	local host=$1

	shift
	nsenter --net="/run/netns/$host" "$@"
}

address() # FAMILY NUMBER
{
	[ "$1" = 4 ] && echo "10.0.0.$2" || echo "fd00:10::$2"
}

in_url() # ADDRESS
{
	[[ $1 == *:* ]] && echo "[$1]" || echo "$1"
}

make_host() # NUMBER
{
	local host=h$1

	ip netns add "$host"
	# shellcheck disable=SC2154 # set by run
	"$tree/scripts/settings.sh" "$host"
	ip link add "$host" type veth peer name eth0 netns "$host" address "de:ad:be:ef:00:0$1"
	ip link set "$host" master br0 up
	on "$host" ip address add "10.0.0.$1/24" dev eth0
	on "$host" ip address add "fd00:10::$1/64" dev eth0 nodad
	on "$host" ip link set eth0 up
	on "$host" ip link set lo up
}

make_tap() # NAME [WORD...]
{
	ip tuntap add "$1" mode tap vnet_hdr "${@:2}"
	ip link set "$1" master br0 up
}

make_network()
{
	local number

	"$tree/scripts/settings.sh"
	ip link set lo up
	ip link add br0 type bridge mcast_snooping 0
	ip link set br0 up
	make_tap tap0 multi_queue
	make_tap tap1
	make_tap tap2
	for number in 1 2 3; do
		make_host "$number"
	done
}
