#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# fleet.sh VERB: a lab of several balancers that share their VIPs. Nothing on the host; LAB=name
# prefixes the namespaces, as in setup.sh.
#
#    setup [plain|resilient]   router, three balancers, four backends, two clients. The router shares
#                              VIPs out by a plain or a resilient multipath route
#    teardown                  ends all of it, also what is left of half a fleet
#    start LB...               adds a balancer, or puts it right: lb1 to lb4
#    kill LB...                it dies at once with all that it has
#    drain LB...               for maintenance: its VIPs are withdrawn, once no flow needs it
#    up LB...                  announces them again
#
#    c1 10.2.0.2 ---+    router    +--- lb1, lb2, lb3: 10.0.0.11, .12, .13
#                   +--- BIRD   ---+                   10.1.0.11, .12, .13 to backends
#    c2 10.3.0.2 ---+              +--- b1 to b4:      10.1.0.21 to .24
#                                 lan
#    IPv6: fd00:1N::X where IPv4 has 10.N.0.X. The VIPs are in network 9, which nobody has:
#    10.9.0.1 dsr, .2 ipip, .3 dnat, .4 nat; 10.9.0.11, .12, .13 are the balancers' pools.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/lab.sh"

readonly WORDS='fleet.sh setup [plain|resilient] | teardown | start LB... | kill LB... |
       drain LB... | up LB...'
readonly BALANCERS=4 # for which the router is prepared
readonly BACKENDS=4
readonly TABLE=100 # of addresses to be announced; 200 and 201: see bird/router.conf
readonly ANSWERS=200 VIPS_ASIDE=201
readonly LAST=4294967295 # metric of what is taken when BIRD has no route
readonly DSR=1 IPIP=2 DNAT=3 NAT=4 # the last number of a mode's VIPs
readonly SERVICES=$here/fleet.conf

# With a directory for what BIRD has: configuration, socket, log.
run=/run/xdp-lb-fleet${LAB:+-$LAB}

addresses() # HOST DEV NETWORK NUMBER
{
	cmd_in "$prefix$1" ip addr replace "10.$3.0.$4/24" dev "$2"
	cmd_in "$prefix$1" ip addr replace "fd00:1$3::$4/64" dev "$2" nodad
}

default_route() # HOST NETWORK
{
	cmd_in "$prefix$1" ip route replace default via "10.$2.0.1"
	cmd_in "$prefix$1" ip -6 route replace default via "fd00:1$2::1"
}

forward() # HOST
{
	cmd_in "$prefix$1" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv4.conf.{all,default}.send_redirects=0
}

host() # HOST NETWORK NUMBER
{
	namespace "$1"
	plug "$1" eth0 "$(mac "$2" "$3")" lan "$1"
	addresses "$1" eth0 "$2" "$3"
	default_route "$1" "$2"
}

mac() # NETWORK NUMBER
{
	printf 'de:ad:be:ef:%02x:%02d\n' "$1" "$2"
}

client() # NUMBER
{
	local name=c$1 network=$((1 + $1))

	namespace "$name"
	cable "$name" eth0 router "$name"
	cmd_in "$prefix$name" ip link set dev eth0 up
	cmd_in "${prefix}router" ip link set dev "$name" up
	addresses router "$name" $network 1
	addresses "$name" eth0 $network 2
	default_route "$name" $network
}

# Two devices on one network, of which each answers for its own addresses.
router()
{
	local family rules

	namespace router
	forward router
	cmd_in "${prefix}router" sysctl -qw net.ipv4.conf.all.arp_ignore=1 \
		net.ipv4.conf.all.arp_announce=2 \
		net.ipv{4,6}.fib_multipath_hash_policy=1
	plug router balancers "$(mac 0 1)" lan router0
	plug router backends "$(mac 1 1)" lan router1
	addresses router balancers 0 1
	addresses router backends 1 1
	for family in 4 6; do
		rules=$(in_netns "${prefix}router" ip "-$family" rule show)
		[[ $rules == *"lookup $ANSWERS"* ]] || cmd_in "${prefix}router" ip "-$family" \
			rule add iif backends from "$(network_of $family 1)" lookup $ANSWERS
		cmd_in "${prefix}router" ip "-$family" route replace blackhole default \
			table $ANSWERS metric $LAST
	done
	bird router router_configuration
	[ "$multipath" = plain ] || resilient
}

# Instead of BIRD's own routes in the main table.
resilient()
{
	[ -z "$(in_netns "${prefix}router" ip nexthop show)" ] || return 0
	echo "[#] (${prefix}router) $here/bird/nexthops.sh $VIPS_ASIDE &" >&2
	in_netns "${prefix}router" "$here/bird/nexthops.sh" $VIPS_ASIDE </dev/null \
		>"$run/nexthops.log" 2>&1 &
}

network_of() # FAMILY NUMBER
{
	[ "$1" = 4 ] && echo "10.$2.0.0/24" || echo "fd00:1$2::/64"
}

address_of() # FAMILY NETWORK NUMBER
{
	[ "$1" = 4 ] && echo "10.$2.0.$3" || echo "fd00:1$2::$3"
}

router_configuration()
{
	local i

	echo "define VIPS = $([ "$multipath" = plain ] && echo 254 || echo $VIPS_ASIDE);"
	echo "router id 10.0.0.1;"
	echo "include \"$here/bird/router.conf\";"
	for ((i = 1; i <= BALANCERS; i++)); do
		cat <<-END
		protocol bgp lb${i}v4 from balancer4 { neighbor 10.0.0.1$i as BALANCERS; }
		protocol bgp lb${i}v6 from balancer6 { neighbor fd00:10::1$i as BALANCERS; }
		END
	done
}

balancer_configuration() # NUMBER
{
	cat <<-END
	router id 10.0.0.1$1;
	include "$here/bird/balancer.conf";
	protocol bgp router4 from announce4 { neighbor 10.0.0.1 as ROUTERS; }
	protocol bgp router6 from announce6 { neighbor fd00:10::1 as ROUTERS; }
	protocol static gateway4 from gateway4_of { route 0.0.0.0/0 recursive 10.9.0.$DNAT; }
	protocol static gateway6 from gateway6_of { route ::/0 recursive fd00:19::$DNAT; }
	END
}

# Runs BIRD on a host. The one that runs takes a new configuration.
bird() # HOST CONFIGURATION [WORD...]
{
	local name=$1 socket=$run/$1.ctl

	{
		echo "log \"$run/$name.log\" all;"
		"${@:2}"
	} >"$run/$name.conf"
	! birdc -s "$socket" configure >/dev/null 2>&1 || return 0
	# The hosts share the processors of one machine, and BFD is in a hurry.
	cmd_in "$prefix$name" nice -n -20 bird -c "$run/$name.conf" -s "$socket" -P "$run/$name.pid"
}

# It has maps of its own: `ip -n` has a /sys of its own, where nobody else finds them pinned.
balancer() # NUMBER
{
	local name=lb$1 ns=${prefix}lb$1

	host "$name" 0 "1$1"
	addresses "$name" eth0 1 "1$1"
	forward "$name"
	balancer_port lan "$name" "$name" eth0
	[ -n "$(xdp_programs "$ns" eth0)" ] ||
		cmd ip -n "$ns" link set dev eth0 xdpdrv obj "$object" sec xdp
	# In mode nat a balancer has the VIP: who asks it of a flow that it does not know gets a RST.
	cmd_in "$ns" ip addr replace "$(address_of 4 9 $NAT)/32" dev lo
	cmd_in "$ns" ip addr replace "$(address_of 6 9 $NAT)/128" dev lo nodad
	echo "source add $(address_of 4 9 "1$1") $(address_of 6 9 "1$1")" >"$run/$name.pool"
	cmd "$helper" -n "$ns" apply "$SERVICES" "$run/$name.pool"
	cmd "$helper" -n "$ns" refresh # whoever did not answer at once
	watch "$1"
	bird "$name" balancer_configuration "$1"
}

# What tells BIRD of the VIPs, until its namespace goes.
watch() # NUMBER
{
	local name=lb$1

	[ ! -e "$run/$name.watch" ] || ! kill -0 "$(cat "$run/$name.watch")" 2>/dev/null || return 0
	echo "[#] ($prefix$name) xdp-lb watch announce $TABLE -o $run/$name &" >&2
	in_netns "$prefix$name" "$helper" watch announce $TABLE -o "$run/$name" \
		</dev/null >"$run/$name-watch.log" 2>&1 &
	echo $! >"$run/$name.watch"
}

# For maintenance: no new flows; returns when none needs it any more.
drain() # NUMBER
{
	cmd "$helper" watch drain -o "$run/lb$1"
}

up() # NUMBER
{
	cmd "$helper" watch up -o "$run/lb$1"
}

# A backend is ready for every mode.
backend() # NUMBER
{
	local family

	[ -e "/run/netns/${prefix}b$1" ] || forget_backend "$1"
	host "b$1" 1 "2$1"
	stat -L -c %i "/run/netns/${prefix}b$1" >"$run/b$1"
	for family in 4 6; do
		cmd "$here/backend.sh" -n "${prefix}b$1" apply dsr "$(address_of $family 9 $DSR)" eth0
		cmd "$here/backend.sh" -n "${prefix}b$1" apply ipip \
			"$(address_of $family 9 $IPIP)" eth0 tunnel xdp
	done
}

# What backend.sh notes of a namespace, by its inode, outlives it.
forget_backend() # NUMBER
{
	[ ! -e "$run/b$1" ] || rm -rf "/run/xdp-lb-backend/$(cat "$run/b$1")"
}

set_up()
{
	local i

	mkdir -p "$run"
	roll_back_on_failure
	namespace lan
	switch lan
	router
	for ((i = 1; i <= 2; i++)); do
		client $i
	done
	for ((i = 1; i <= BACKENDS; i++)); do
		backend $i
	done
	for ((i = 1; i <= 3; i++)); do
		balancer $i
	done
}

tear_down()
{
	local i

	for ((i = 1; i <= BACKENDS; i++)); do
		forget_backend $i
		remove_namespace b$i KILL
	done
	for ((i = 1; i <= BALANCERS; i++)); do
		remove_namespace lb$i KILL
	done
	for i in c1 c2 router lan; do
		remove_namespace $i KILL
	done
	rm -rf "$run"
	rmdir --ignore-fail-on-non-empty /run/xdp-lb-backend 2>/dev/null || true
}

each_balancer() # FUNCTION LB...
{
	local name

	for name in "${@:2}"; do
		[[ $name =~ ^lb[1-$BALANCERS]$ ]] ||
			usage_error "no balancer '$name': expected lb1 to lb$BALANCERS"
	done
	[ -d "$run" ] || die "there is no fleet: $program setup"
	for name in "${@:2}"; do
		"$1" "${name#lb}"
	done
}

# First the cable: a machine without power says no good-bye.
kill_balancer() # NUMBER
{
	cmd_in "${prefix}lb$1" ip link set dev eth0 down || true
	remove_namespace "lb$1" KILL
	rm -rf "${run:?}/lb$1"
}

usage_error()
{
	echo "$program: $*" >&2
	usage "$WORDS"
}

need_root
object=$(find_built xdp_lb.bpf.o)
helper=$(find_built xdp-lb)
verb=${1-} multipath=${2-plain}
case $verb-$# in
setup-[12])
	[[ $multipath =~ ^(plain|resilient)$ ]] || usage_error "bad word '$multipath'"
	set_up
	;;
teardown-1) tear_down ;;
start-1 | kill-1 | drain-1 | up-1) usage "$WORDS" ;;
start-?*) each_balancer balancer "${@:2}" ;;
kill-?*) each_balancer kill_balancer "${@:2}" ;;
drain-?* | up-?*) each_balancer "$verb" "${@:2}" ;;
*) usage "$WORDS" ;;
esac
