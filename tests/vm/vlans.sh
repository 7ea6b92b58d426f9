#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vlans.sh: in the guest, which has VLAN devices. Clients in one VLAN, backends in another, on one
# trunk: the balancer on the VLANs' devices; and what it says when it is on the trunk itself.
#
#    c1 ---(100)--- sw ===trunk=== eth0 of lb: eth0.100, eth0.200
#    b1, b2 ---(200)---+
set -euo pipefail

top=$(realpath "$(dirname "$0")/../..")
readonly HOSTS='lb sw c1 b1 b2'

on() # HOST COMMAND...
{
	nsenter --net="/run/netns/v-$1" "${@:2}"
}

address() # VLAN NUMBER
{
	[ "$family" = 4 ] && echo "10.$1.0.$2" || echo "fd00:$1::$2"
}

add_addresses() # HOST DEVICE VLAN NUMBER
{
	on "$1" ip address add "10.$3.0.$4/24" dev "$2"
	on "$1" ip address add "fd00:$3::$4/64" dev "$2" nodad
	on "$1" ip link set dev "$2" up
}

plug() # HOST VLAN NUMBER
{
	on sw ip link add "$1" type veth peer name eth0 netns "v-$1"
	on sw ip link set dev "$1" master br0 up
	on sw bridge vlan add dev "$1" vid "$2" pvid untagged
	add_addresses "$1" eth0 "$2" "$3"
	on "$1" ip route add default via "10.$2.0.10"
	on "$1" ip -6 route add default via "fd00:$2::10"
}

hosts_up()
{
	local host vlan

	modprobe -a 8021q bridge veth
	for host in $HOSTS; do
		ip netns add "v-$host"
		on "$host" ip link set dev lo up
	done
	on sw ip link add br0 type bridge vlan_filtering 1 vlan_default_pvid 0
	on sw ip link set dev br0 up
	on sw ip link add trunk type veth peer name eth0 netns v-lb
	on sw ethtool -K trunk txvlan off >/dev/null
	on sw ip link set dev trunk master br0 up
	on lb ip link set dev eth0 up
	on lb sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	for vlan in 100 200; do
		on sw bridge vlan add dev trunk vid $vlan
		on lb ip link add link eth0 name eth0.$vlan type vlan id $vlan
		add_addresses lb eth0.$vlan $vlan 10
	done
	on lb ip route add local 10.9.0.1 dev lo
	on lb ip -6 route add local fd00:9::1 dev lo
	plug c1 100 1
	for host in 1 2; do
		plug b$host 200 $host
		mkdir -p "/tmp/b$host"
		on b$host "$top/scripts/web.sh" "/tmp/b$host" b$host 8000 2>/dev/null &
	done
}

serve() # MODE
{
	local host

	"$top/xdp-lb" -n v-lb service add "$vip" mode "$1"
	for host in 1 2; do
		"$top/xdp-lb" -n v-lb backend add "$vip" "$(address 200 $host)"
	done
}

ask()
{
	on c1 curl -sS --retry 9 --retry-connrefused -m 20 -H 'Connection: close' \
		"http://${vip%/*}/?[1-40]" | sort | uniq -c
}

two_vlans()
{
	local mode

	for family in 4 6; do
		[ $family = 4 ] && vip=10.9.0.1:8000/tcp || vip='[fd00:9::1]:8000/tcp'
		for mode in nat dnat; do
			serve $mode 2>&1
			ask | tee /tmp/answers
			[ "$(awk '$2 ~ /^b[12]/ { sum += $1; kinds++ } END { print sum, kinds }' \
				/tmp/answers)" = '40 2' ]
			"$top/xdp-lb" -n v-lb service del "$vip"
		done
	done
}

trap 'for host in $HOSTS; do ip netns pids "v-$host" | xargs -r kill; ip netns del "v-$host"; done' EXIT
hosts_up
for vlan in 100 200; do
	"$top/scripts/attach.sh" -n v-lb -m generic eth0.$vlan
done
two_vlans
for vlan in 100 200; do
	"$top/scripts/detach.sh" -n v-lb eth0.$vlan
done
"$top/scripts/attach.sh" -n v-lb -m generic eth0
family=4 vip=10.9.0.1:8000/tcp
serve nat 2>&1 | tee /tmp/said
grep 'backend 10.200.0.1 is in a VLAN' /tmp/said
"$top/scripts/detach.sh" -n v-lb eth0
