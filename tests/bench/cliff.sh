#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# cliff.sh PASS: what a feature costs a packet, each compared with the plain balancer of the same load,
# which is timed just before it.
#
#    lb: veth6 (the balancer), veth8 (the second arm, where that is what is compared)
. "$(dirname "$(realpath "$0")")/lib.sh"

readonly ROUNDS=2
readonly VIP=10.0.0.16 OTHER=10.9.0.1
readonly FLOWS=1,100000
pass=${1?usage: cliff.sh PASS}

# The plain balancer: the service that is timed, and one that no packet goes to.
plain() # MODE [PROTOCOL] [WORDS of service add]
{
	local protocol=${2-tcp}

	cat <<-END
		service add $VIP:8000/$protocol mode $1 ${*:3}
		backend add $VIP:8000/$protocol 10.1.0.1 mac 02:00:00:01:00:01
		backend add $VIP:8000/$protocol 10.1.0.2 mac 02:00:00:01:00:02
		service add $OTHER:9000/tcp mode dsr
		backend add $OTHER:9000/tcp 10.1.0.3 mac 02:00:00:01:00:03
	END
}

configure() # lines of `apply` on standard input
{
	quietly helper apply -
}

# Times packets, as lines of cliffs.jq.
time_it() # plain|with NAME LIMIT [WORD=VALUE...]
{
	sender packet rounds=$ROUNDS rivals=0 patience=2 flows=$FLOWS "${@:4}" |
		jq -c --arg name "$2" --arg side "$1" --arg limit "$3" --argjson pass "$pass" \
			'. + { name: $name, side: $side, limit: ($limit | tonumber? // null), pass: $pass }'
}

# A feature that `$with` switches on over the plain configuration, and `$without` off.
compare() # NAME LIMIT MODE KINDS [WORD=VALUE...]
{
	time_plain "$@"
	"$with"
	time_it with "$1" "$2" mode="$3" kinds="$4" "${@:5}"
	"$without"
}

time_plain() # NAME LIMIT MODE KINDS
{
	plain "$3" | configure
	time_it plain "$1" "$2" mode="$3" kinds="$4"
}

nothing()
{
	:
}

# Deny list: addresses between those of the clients, so that a search goes deep, and each another way.

denied() # COUNT
{
	awk -v count="$1" 'BEGIN {
		for (i = 0; i < count; i++) {
			n = 2 * int(i * 100000 / count) + 1
			printf "deny add 10.%d.%d.%d\n", 128 + n / 65536, n / 256 % 256, n % 256
		}
	}'
}

deny_lists()
{
	local mode count limit name

	for mode in dsr nat; do
		for count in 1 1000 100000; do
			name="deny list of $count"
			case $mode-$count in
			dsr-1) limit=20 ;;
			dsr-*) limit=- ;;
			nat-*) limit=10 ;;
			esac
			plain $mode | configure
			time_it plain "$name" $limit mode=$mode client_shift=1
			{ plain $mode && denied $count; } | configure
			time_it with "$name" $limit mode=$mode client_shift=1
		done
	done
}

# Limits.

limit_other()
{
	helper limit set $OTHER:9000/tcp pps 1000
}

limit_own()
{
	helper limit set $VIP:8000/tcp pps 100000000 burst 100000000
}

no_limits()
{
	helper limit del $OTHER:9000/tcp 2>/dev/null || helper limit del $VIP:8000/tcp
}

limits()
{
	local mode with without=no_limits

	for mode in dsr nat; do
		with=limit_other
		compare "limit on another service" 10 $mode data
		with=limit_own
		compare "limit on the service" 60 $mode data flows=1
		compare "limit on the service" - $mode data flows=100000
	done
}

# A trace of a client that is not there.

trace_nobody()
{
	"$tree/xdp-lb" -n lb trace $VIP:8000/tcp 10.200.0.1:1 >/dev/null &
	tracer=$!
	sleep 0.3
}

no_trace()
{
	kill -TERM "$tracer"
	wait "$tracer" || true
	sleep 0.1
}

traces()
{
	local mode with=trace_nobody without=no_trace

	for mode in dsr nat; do
		compare "trace that matches nothing" 10 $mode data
	done
}

vlans()
{
	local mode with=nothing without=nothing

	for mode in dsr nat; do
		compare "VLAN tag" 10 $mode data vlan=5
	done
	compare "VLAN tag, back" 10 nat answer vlan=5
}

# The backends are behind another device.

second_arm()
{
	on lb ip link add veth8 address de:ad:be:ef:00:10 type veth peer name veth9
	on lb ip link set dev veth8 up
	on lb ip link set dev veth9 up
	on lb ip route add 10.1.0.0/16 dev veth8
	unconfigure
	plain "$mode" | configure
}

no_second_arm()
{
	on lb ip link del dev veth8
	unconfigure
}

arms()
{
	local mode with=second_arm without=no_second_arm

	for mode in dsr nat; do
		compare "two arms" 20 $mode data
	done
	time_plain "two arms, back" 20 nat answer
	mode=nat
	second_arm
	time_it with "two arms, back" 20 mode=nat kinds=answer answer_ifindex="$(ifindex lb veth8)"
	no_second_arm
}

by_source()
{
	unconfigure
	plain "$mode" tcp hash source | configure
}

sources()
{
	local mode with=by_source without=nothing

	for mode in dsr nat; do
		compare "hash source" 10 $mode data
	done
}

# A new flow, of which the flows of all backends are compared. It waits for memory, and so for where all
# lies: many turns, each a pass of its own, of which every other one has the plain balancer last.
readonly TURNS=8
least()
{
	local count turn

	for count in 4 16; do
		for ((turn = 0; turn < TURNS; turn++)); do
			[ $((turn % 2)) = 1 ] || time_new nat plain
			time_new nat-least with
			[ $((turn % 2)) = 0 ] || time_new nat plain
		done
	done
	unconfigure
}

time_new() # MODE plain|with
{
	local pass=$((pass * TURNS + turn))

	unconfigure
	configuration "$1" 4 tcp 1 "$count" | configure
	time_it "$2" "pick least of $count" 25 mode=nat kinds=new flows=52428 backends="$count"
}

# A flow of which only the client speaks.
silent()
{
	plain nat udp | configure
	time_it plain "UDP, one side silent" 10 mode=nat protocol=udp kinds=data
	unconfigure
	plain nat udp | configure
	time_it with "UDP, one side silent" 10 mode=nat protocol=udp kinds=data silent=1
}

# VIPs

beside() # MODE
{
	{
		plain "$mode"
		echo "service add $VIP:8001/tcp mode $1"
		echo "backend add $VIP:8001/tcp 10.1.0.4 mac 02:00:00:01:00:04"
	} | configure
}

mixed()
{
	local mode with without=nothing

	with='beside nat' mode=dsr
	time_plain "nat beside" 10 dsr data
	beside nat
	time_it with "nat beside" 10 mode=dsr kinds=data
	mode=nat
	time_plain "dsr beside" 10 nat data,answer
	beside dsr
	time_it with "dsr beside" 10 mode=nat kinds=data,answer
}

# Two VIPs, whose packets alternate.
two_vips()
{
	local mode second spread

	for mode in dsr ipip nat; do
		while read -r name second spread; do
			plain $mode | configure
			time_it plain "second VIP in a /$name" 10 mode=$mode flows=2,100000
			{
				plain $mode
				plain $mode | sed "/$OTHER/d; s/$VIP/$second/"
			} | configure
			time_it with "second VIP in a /$name" 10 mode=$mode flows=2,100000 \
				services=2 vip_shift=0 vip_spread="$spread"
		done <<<$'24 10.0.0.17 0\n16 10.0.1.16 8'
	done
}

# A packet to a port of the VIP that has no service; compared with one that has.
ports()
{
	local mode

	for mode in dsr nat; do
		time_plain "port without service" - $mode data
		time_it with "port without service" - mode=$mode kinds=port
	done
}

# The recipe of the documents: ip and bpftool alone.
by_hand()
{
	local recipe

	recipe=$(grep -rl --include='*.md' '^<!-- recipe' "$tree" --exclude-dir=build | head -n 1)
	sed -n '/^<!-- recipe/,/^```$/p' "$recipe" | sed '/^<!--/d; /^```/d' >/run/recipe.sh
	(cd "$tree" && quietly bash -eu /run/recipe.sh)
	time_it with "written by bpftool" 30 mode=nat kinds=data,answer vip=10.0.0.10 backend=10.0.0.0
	unconfigure
	plain nat | configure
	time_it plain "written by bpftool" 30 mode=nat kinds=data,answer
}

balancer_network
fronts_up
progress "cliffs, pass $pass"
by_hand
for part in deny_lists limits traces vlans arms sources least silent mixed two_vips ports; do
	$part
done
