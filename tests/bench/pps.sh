#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# pps.sh [quick]: UDP packets a second, of 128 bytes and 100 flows, that are sent by the kernel's own
# generator, forwarded, and counted where they come out: by the least program that does so, by xdp-lb in
# each mode, by nftables, and by the kernel's routing alone. All is on one CPU, and what sends and counts
# takes its part of it. And what a program on the balancer gets and counts, on another CPU: by AF_XDP,
# each byte checked (user), and by recvmmsg, nothing checked.
#
#    source: generator, sink            lb
#    veth9 -------------------------- veth8
. "$(dirname "$(realpath "$0")")/lib.sh"

readonly VIP=10.0.0.16 BACKEND=10.1.0.1 BACKEND_MAC=02:00:00:01:00:01
readonly RIVALS='least nat dsr ipip nat-generic nftables routing user user-generic recvmmsg'
readonly SOCKETS=/sys/fs/bpf/tc/globals/xlb_sockets
rounds=5
[ "${1-}" != quick ] || rounds=1

network()
{
	load_bench
	new_netns lb
	new_netns source
	attach_bench source generator
	on lb ip link add veth8 address de:ad:be:ef:00:10 type veth peer name veth9 netns source
	on lb sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 \
		net.ipv4.conf.veth8.send_redirects=0
	on lb ip link set dev veth8 up
	# Where no XDP program is, a veth takes frames by way of GRO alone.
	on lb ethtool -K veth8 gro on
	on lb ip addr add 10.0.0.10/8 dev veth8
	on lb ip neigh replace $BACKEND lladdr $BACKEND_MAC dev veth8
	on lb ip neigh replace $VIP lladdr $BACKEND_MAC dev veth8
	on source ip link set dev veth9 up
	on source bpftool net attach xdpdrv pinned "$PINS/sink" dev veth9
}

balancer() # MODE native|generic
{
	quietly "$top/scripts/attach.sh" -n lb -m "$2" veth8
	helper service add $VIP:8000/udp mode "$1"
	helper backend add $VIP:8000/udp $BACKEND mac $BACKEND_MAC
}

translation()
{
	on lb nft -f - <<-END
		table ip bench {
			chain in {
				type nat hook prerouting priority dstnat
				ip daddr $VIP udp dport 8000 dnat to $BACKEND
			}
			chain out {
				type nat hook postrouting priority srcnat
				ip daddr $BACKEND masquerade
			}
		}
	END
}

# A program that receives on the balancer.
receive() # COMMAND...
{
	# Itself, not a shell's function: it is to get a signal.
	nsenter --net=/run/netns/lb -- nice -n -20 taskset -c 1 "$@" >/run/receiver &
	receiver=$!
	until grep -q ready /run/receiver; do
		kill -0 "$receiver" # else it has failed
		sleep 0.05
	done
}

program() # MODE
{
	quietly "$top/scripts/attach.sh" -n lb -m "$1" veth8
	helper service add $VIP:8000/udp mode user
	receive "$top/build/tests/tools/xsk" count $SOCKETS veth8
}

begin() # RIVAL
{
	case $1 in
	user) program native ;;
	user-generic) program generic ;;
	recvmmsg)
		on lb ip neigh del $VIP dev veth8
		on lb ip addr add $VIP/8 dev veth8
		receive "$TOOLS/receive" 8000
		;;
	least) on lb bpftool net attach xdpdrv pinned "$PINS/least_to_sink" dev veth8 ;;
	nftables) translation ;;
	routing) ;;
	*-generic) balancer "${1%-generic}" generic ;;
	*) balancer "$1" native ;;
	esac
}

end() # RIVAL
{
	case $1 in
	recvmmsg)
		on lb ip addr del $VIP/8 dev veth8
		on lb ip neigh replace $VIP lladdr $BACKEND_MAC dev veth8
		;;
	least) on lb bpftool net detach xdpdrv dev veth8 ;;
	nftables) on lb nft delete table ip bench ;;
	routing) ;;
	*) quietly "$top/scripts/detach.sh" -n lb veth8 ;;
	esac
}

# What came through; or what a program got, if there is one.
rate() # RIVAL
{
	local sent

	sent=$(on source taskset -c 0 "$TOOLS/generate" "$PINS" "$(ifindex source veth9)" $VIP 8000 1)
	case $1 in
	user* | recvmmsg)
		kill -INT "$receiver"
		wait "$receiver"
		grep -q 'wrong 0 ' /run/receiver || progress "$1: $(tail -n 1 /run/receiver)"
		sed -n 's/.* rate //p' /run/receiver
		;;
	*) echo "$sent" ;;
	esac
}

network
for ((round = 1; round <= rounds; round++)); do
	progress "packets a second: round $round of $rounds"
	for rival in $RIVALS; do
		begin "$rival"
		rate "$rival" >>"/run/$rival"
		end "$rival"
	done
done
for rival in $RIVALS; do
	jq -cs --arg name "$rival" '
		{ part: "pps", name: $name, pps: (sort | [.[0], .[length / 2 | floor], .[-1]]), rounds: . }
	' "/run/$rival"
done
