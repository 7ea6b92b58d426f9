# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# For live.sh, on top of lib.sh: xdp-lb and what it is compared with, side by side in the lab, each on
# a host of its own. Each has one backend, an nginx of one worker and an iperf3.
#
#    h1 client      h2 backend     h3 the same, where tunnels end
#      |              |              |
#    --+--------------+--------------+--- sw (scripts/setup.sh) ----------+----------------+
#      |              |              |                |                |                |
#    lb .10         generic .11    nftables .12     haproxy .13      stream .14       least .15
#    xdp-lb         xdp-lb                                           nginx
#
# least is the least program that forwards on a veth: MACs, XDP_TX; its backend answers directly.
#
# Direct return and tunnels have VIPs that are routed to the balancer, and need nothing of h2 that
# would make it slower for the others; a tunnel's end, an XDP program, does: hence h3.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly WEB=8000 BULK=5201
readonly CLIENT=h1 BACKEND=10.0.0.2 TUNNEL_END=10.0.0.3

# Where a client finds it.
address_of() # RIVAL
{
	case $1 in
	straight) echo $BACKEND ;;
	nat) echo 10.0.0.10 ;;
	dsr) echo 10.9.0.1 ;;
	ipip) echo 10.9.0.2 ;;
	nat-generic) echo 10.0.0.11 ;;
	dsr-generic) echo 10.9.0.3 ;;
	ipip-generic) echo 10.9.0.4 ;;
	nftables) echo 10.0.0.12 ;;
	haproxy) echo 10.0.0.13 ;;
	nginx) echo 10.0.0.14 ;;
	least) echo 10.9.0.5 ;;
	esac
}

# Port of the switch that its packets come to it by.
port_of() # RIVAL
{
	case $1 in
	nat | dsr | ipip) echo veth7 ;;
	*-generic) echo to-generic ;;
	nginx) echo to-stream ;;
	*) echo "to-$1" ;;
	esac
}

new_host() # NAME NUMBER
{
	new_netns "$1"
	on sw ip link add "to-$1" type veth peer name veth0 netns "$1"
	on sw ip link set dev "to-$1" master br0 up
	on "$1" ip link set dev veth0 address "de:ad:be:ef:00:$2" up
	on "$1" ip addr add "10.0.0.$2/24" dev veth0
}

# Ports enough for a connection each, and none that waits for its time to run out.
tune() # HOST
{
	on "$1" sysctl -qw net.ipv4.ip_local_port_range='1024 65535' net.ipv4.tcp_tw_reuse=1 \
		net.ipv4.tcp_max_syn_backlog=4096 net.core.somaxconn=4096
}

await() # COMMAND...
{
	local end=$((SECONDS + 10))

	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || { progress "in vain waited for: $*" && exit 1; }
		sleep 0.05
	done
}

serves() # HOST PORT
{
	[ -n "$(on "$1" ss -Hltn "sport = :$2")" ]
}

start_backend() # HOST
{
	on "$1" "$top/scripts/web.sh" "/run/$1" "$1" $WEB 2>/dev/null &
	on "$1" iperf3 -s -p $BULK >/dev/null 2>&1 &
	await serves "$1" $WEB
	await serves "$1" $BULK
}

# Services of one balancer, web and bulk, with one backend.
balance() # NETNS DEV MODE VIP BACKEND
{
	local port helper=("$top/xdp-lb" -n "$1" -d "$2")

	for port in $WEB $BULK; do
		"${helper[@]}" service add "$4:$port/tcp" mode "$3"
		"${helper[@]}" backend add "$4:$port/tcp" "$5"
	done
}

balance_modes() # NETNS DEV NAT_VIP DSR_VIP IPIP_VIP
{
	balance "$1" "$2" nat "$3" $BACKEND
	balance "$1" "$2" dsr "$4" $BACKEND
	balance "$1" "$2" ipip "$5" $TUNNEL_END
	on $CLIENT ip route add "$4/32" via "$3"
	on $CLIENT ip route add "$5/32" via "$3"
	quietly "$top/scripts/backend.sh" -n h2 apply dsr "$4" veth3
	quietly "$top/scripts/backend.sh" -n h3 apply ipip "$5" veth5
}

native_up()
{
	quietly "$top/scripts/attach.sh" -n lb -m native veth6
	# Joins again what could not come joined. Not in the lab: with GRO, what is sent to a port
	# without the stub is lost unseen.
	on sw ethtool -K veth7 gro on
	balance_modes lb veth6 10.0.0.10 10.9.0.1 10.9.0.2
}

# A balancer of its own: its maps must not be those of the other.
generic_up()
{
	new_host generic 11
	# shellcheck disable=SC2016 # the inner shell's
	quietly unshare --mount sh -c 'mount -t bpf bpf /sys/fs/bpf && exec "$@"' sh \
		"$top/scripts/attach.sh" -n generic -m generic veth0
	balance_modes generic veth0 10.0.0.11 10.9.0.3 10.9.0.4
}

least_up()
{
	new_host least 15
	load_bench
	on least bpftool net attach xdpdrv pinned "$PINS/least_to_h2" dev veth0
	on sw ip link set dev to-least xdp obj "$top/stub.bpf.o" sec xdp
	on sw ethtool -K to-least tx off gro on
	on $CLIENT ip route add 10.9.0.5/32 via 10.0.0.15
	quietly "$top/scripts/backend.sh" -n h2 apply dsr 10.9.0.5 veth3
}

nftables_up()
{
	new_host nftables 12
	on nftables sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 \
		net.ipv4.conf.veth0.send_redirects=0
	on nftables nft -f - <<-END
		table ip bench {
			chain in {
				type nat hook prerouting priority dstnat
				ip daddr 10.0.0.12 tcp dport { $WEB, $BULK } dnat to $BACKEND
			}
			chain out {
				type nat hook postrouting priority srcnat
				ip daddr $BACKEND masquerade
			}
		}
	END
	# Connections that are over do not fill its table from round to round.
	on nftables sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_time_wait=1 \
		net.netfilter.nf_conntrack_tcp_timeout_close=1
}

haproxy_up()
{
	local port

	new_host haproxy 13
	{
		printf '%s\n' global '  maxconn 8192' defaults '  mode tcp' '  timeout connect 5s' \
			'  timeout client 1m' '  timeout server 1m'
		for port in $WEB $BULK; do
			printf '%s\n' "listen port$port" "  bind 10.0.0.13:$port" \
				"  server h2 $BACKEND:$port"
		done
	} >/run/haproxy.cfg
	on haproxy haproxy -db -f /run/haproxy.cfg >/dev/null 2>&1 &
	await serves haproxy $WEB
}

nginx_up()
{
	local port

	new_host stream 14
	{
		printf '%s\n' 'daemon off;' 'user root;' 'worker_processes auto;' \
			'pid /run/stream.pid;' 'worker_rlimit_nofile 16384;' \
			'load_module modules/ngx_stream_module.so;' \
			'events { worker_connections 8192; }' 'stream {'
		for port in $WEB $BULK; do
			echo "server { listen $port backlog=4096; proxy_pass $BACKEND:$port; }"
		done
		echo '}'
	} >/run/stream.conf
	on stream nginx -c /run/stream.conf -p /usr/share/nginx -e /dev/null &
	await serves stream $WEB
}

rivals_up()
{
	local host

	quietly env LAB= "$top/scripts/setup.sh"
	start_backend h2
	start_backend h3
	native_up
	generic_up
	least_up
	nftables_up
	haproxy_up
	nginx_up
	for host in h1 h2 h3 nftables haproxy stream; do
		tune $host
	done
}
