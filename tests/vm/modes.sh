# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Direct return and tunnels, by the guest's virtio NIC (drawn in network.sh): the client gets its
# answers straight from the backends. Those of mode dsr are the hosts outside; those of mode ipip
# are in the guest, whose kernel has the tunnel devices tunl0, sit0 and ip6tnl0.

readonly DIRECT4=10.9.0.1 DIRECT6=fd00:19::1 TUNNEL4=10.9.0.2 TUNNEL6=fd00:19::2
readonly TUNNELLED=1000 # packets, at least, that each backend is sent

# A host in the guest has one of its devices.
make_guest_host() # NUMBER DEV
{
	local host=h$1 inside="nsenter --net=/run/netns/h$1"

	guest "ip netns add $host && ip link set $2 netns $host name eth0"
	guest "ip -n $host address add 10.0.0.$1/24 dev eth0"
	guest "ip -n $host address add fd00:10::$1/64 dev eth0 nodad"
	guest "ip -n $host link set eth0 up && ip -n $host link set lo up"
	guest "$inside scripts/web.sh /run/$host $host 8000 2>/run/$host.log &"
	guest "$inside build/tests/tools/udp serve 9000 2>/run/$host.log &"
}

# The VIPs are routed to the balancer, whose own they are not.
guest_hosts_up()
{
	on h1 ip route add 10.9.0.0/24 via "$VIP4"
	on h1 ip route add fd00:19::/64 via "$VIP6"
	guest './xdp-lb flow flush'
	make_guest_host 4 eth1
	make_guest_host 5 eth2
	put_files 4 5
}

# What follows is for $mode, $vip, $vip_url, $backends (the numbers of two hosts), $outer (the
# family of their addresses) and $tunnel.

backend_script() # WORD...
{
	if [ "$mode" = dsr ]; then
		# shellcheck disable=SC2154 # set by run
		"$tree/scripts/backend.sh" "$@"
	else
		guest "scripts/backend.sh $*"
	fi
}

mode_up()
{
	local number service words=''

	[ "$mode" = dsr ] || words="outer ipv$outer tunnel $tunnel"
	for number in $backends; do
		# shellcheck disable=SC2086 # a word each
		backend_script -n "h$number" apply "$mode" "$vip" eth0 $words
	done
	for service in "$vip_url:8000/tcp" "$vip_url:9000/udp"; do
		guest "./xdp-lb service add $service mode $mode"
		for number in $backends; do
			guest "./xdp-lb backend add $service $(address "$outer" "$number")"
		done
	done
}

mode_down()
{
	local number

	guest "./xdp-lb service del $vip_url:8000/tcp"
	guest "./xdp-lb service del $vip_url:9000/udp"
	for number in $backends; do
		backend_script -n "h$number" undo "$mode" "$vip" eth0
	done
}

none_remembered()
{
	[ "$(guest './xdp-lb -j flow count' | jq .flows)" = 0 ]
}

# It is the kernel's device that took the packets out of the tunnel.
by_device() # DEV
{
	local number packets

	for number in $backends; do
		packets=$(guest "ip -n h$number -s -j link show $1" | jq '.[0].stats64.rx.packets')
		echo "$1 of h$number: $packets packets"
		[ "$packets" -ge $TUNNELLED ]
	done
}

check_mode() # NAME MODE VIP BACKENDS OUTER [TUNNEL DEV]
{
	local name=modes/$1 mode=$2 vip=$3 backends=$4 outer=$5 tunnel=${6-} vip_url

	vip_url=$(in_url "$vip")
	check "$name/set-up" mode_up
	check_traffic "$name" "$vip" "$backends"
	check "$name/no-flows" none_remembered
	[ -z "${7-}" ] || check "$name/by-$7" by_device "$7"
	check "$name/undone" mode_down
}

check_modes()
{
	check modes/hosts guest_hosts_up
	check_mode dsr-ipv4 dsr $DIRECT4 '2 3' 4
	check_mode dsr-ipv6 dsr $DIRECT6 '2 3' 6
	check_mode ipip-4in4 ipip $TUNNEL4 '4 5' 4 kernel tunl0
	check_mode ipip-6in6 ipip $TUNNEL6 '4 5' 6 kernel ip6tnl0
	check_mode ipip-6in4 ipip $TUNNEL6 '4 5' 4 kernel sit0
	check_mode ipip-4in6 ipip $TUNNEL4 '4 5' 6 kernel ip6tnl0
	check_mode decap-4in4 ipip $TUNNEL4 '4 5' 4 xdp
	check_mode decap-6in6 ipip $TUNNEL6 '4 5' 6 xdp
}
