#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Mode user: packets of a service go to a program's XDP sockets, of whatever device and queue they
# came in by; and to the host while there is none. The program answers, and checks every byte.
#
#    h1 udp, nc ---> lb veth6: xsk answer (AF_XDP), or udp serve (a socket of the host)
#    h4 udp -------> lb veth8: the same balancer, a device with four queues
. "$(dirname "$0")/../topology.sh"

readonly MAP=/sys/fs/bpf/tc/globals/xlb_sockets PORT=7000

# A second device of the balancer, with several queues.
second_device()
{
	new_host h4
	on h4 ip link add veth9 numtxqueues 4 numrxqueues 4 type veth peer name veth8 \
		numtxqueues 4 numrxqueues 4 netns "${prefix}lb"
	on h4 ip link set dev veth9 up
	on h4 ip addr add 10.1.0.1/24 dev veth9
	on h4 ip addr add fd00:11::1/64 dev veth9 nodad
	on h4 ip route add 10.0.0.10 via 10.1.0.10
	on h4 ip route add fd00:10::10 via fd00:11::10
	on lb ip link set dev veth8 up
	on lb ip addr add 10.1.0.10/24 dev veth8
	on lb ip addr add fd00:11::10/64 dev veth8 nodad
	feed h4 veth9
}

start_xsk() # HOW DEV [QUEUES]
{
	spawn lb "$TOOLS/xsk" "$1" $MAP "${@:2}" >"$TMP/xsk-$2"
	xsk=$pid
	await 5 grep -q ready "$TMP/xsk-$2"
}

# Ends it; $said is what it counted.
stop_xsk() # DEV
{
	kill -INT "$xsk"
	wait "$xsk"
	said=$(tail -n 1 "$TMP/xsk-$1")
	grep -q 'wrong 0 ' <<<"$said" || fail "xsk: $said"
}

field() # NAME
{
	awk -v name="$1" '{ for (i = 1; i < NF; i += 2) if ($i == name) print $(i + 1) }' <<<"$said"
}

packets() # REASON: of the service
{
	lb -j stats "$vip:$PORT/udp" | jq --arg reason "$1" \
		'[.services[0].verdicts[] | select(.reason == $reason).packets] | add'
}

# Sizes odd and even, with checksums and (IPv4) without.
ask_host() # HOST
{
	on "$1" "$TOOLS/udp" ask "$vip_address" $PORT checksum 12 13 100 1001 1400
	[ "$family" = 6 ] || on "$1" "$TOOLS/udp" ask "$vip_address" $PORT none 12 13 1001
}

# shellcheck disable=SC2154 # of lib.sh
one_family()
{
	local asked=5

	[ "$family" = 6 ] || asked=8
	lb service add "$vip:$PORT/udp" mode user
	equal "$(lb -j service show "$vip:$PORT/udp" | jq -r '.[0].mode')" user 'mode'
	refused 2 'mode user has no backends' lb backend add "$vip:$PORT/udp" "$backend2"

	note 'to the host, while there is no program'
	spawn lb "$TOOLS/udp" serve $PORT
	await 5 serves lb $PORT
	ask_host h1
	kill "$pid"
	wait "$pid" || true
	equal "$(packets no-socket)" "$asked" 'no-socket'

	note 'to a program'
	start_xsk answer veth6
	ask_host h1
	equal "$(packets to-socket)" "$asked" 'to-socket'
	equal "$(lb -j stats "$vip:$PORT/udp" | jq '.services[0].packets')" "$asked" 'packets of the service'
	stop_xsk veth6
	equal "$(field answered)" "$asked" 'answered'

	note 'four queues of another device, which shares the balancer'
	start_xsk answer veth8 4
	for ((i = 0; i < 8; i++)); do
		ask_host h4
	done
	stop_xsk veth8
	equal "$(field answered)" $((8 * asked)) 'answered'

	note 'the deny list holds'
	lb deny add "${net}1"
	start_xsk count veth6
	on h1 "$TOOLS/udp" ask "$vip_address" $PORT checksum 12 2>/dev/null && fail 'denied, and answered'
	stop_xsk veth6
	equal "$(field received)" 0 'received of a denied source'
	lb deny del "${net}1"
	lb service del "$vip:$PORT/udp"
}

refused() # STATUS TEXT COMMAND...
{
	local status=0

	"${@:3}" >"$TMP/refused" 2>&1 || status=$?
	equal "$status" "$1" "status of ${*:3}"
	grep -qF "$2" "$TMP/refused" || fail "${*:3} says: $(cat "$TMP/refused")"
}

# The program stays in its place when the balancer's is replaced.
replaced()
{
	use_family 4
	lb service add "$vip:$PORT/udp" mode user
	start_xsk answer veth6
	on lb ip -force link set dev veth6 xdp obj "$top/xdp_lb.bpf.o" sec xdp
	ask_host h1
	lb upgrade veth6
	ask_host h1
	stop_xsk veth6
	equal "$(field answered)" 16 'answered, program replaced'
	equal "$(lb save | grep -c 'mode user')" 1 'mode user in save'
}

generic()
{
	"$top/scripts/detach.sh" -n "${prefix}lb" veth8
	"$top/scripts/detach.sh" -n "${prefix}lb" veth6
	"$top/scripts/attach.sh" -n "${prefix}lb" -m generic veth6
	on lb ethtool -K veth6 gro on
	lb service add "$vip:$PORT/udp" mode user
	start_xsk answer veth6
	ask_host h1
	stop_xsk veth6
	equal "$(field answered)" 8 'answered, generic'
}

# By another version, whose maps of the configuration have another size.
upgraded()
{
	[ -n "$(type -P clang)" ] && [ -n "$(type -P make)" ] || return 0
	mkdir "$TMP/next"
	cp -r "$top"/{Makefile,*.bpf.c,*.h,datapath,maps,scripts} "$TMP/next"
	make -s -C "$TMP/next" CPPFLAGS=-DMAX_DENIED=2048 xdp_lb.bpf.o xdp-lb >"$TMP/log" 2>&1 ||
		fail "make: $(cat "$TMP/log")"
	start_xsk answer veth6
	ask_host h1
	"$TMP/next/xdp-lb" -n "${prefix}lb" upgrade veth6
	ask_host h1
	stop_xsk veth6
	equal "$(field answered)" 16 'answered, balancer upgraded'
}

lab_up
second_device
attach
"$top/scripts/attach.sh" -n "${prefix}lb" -m native veth8
each_family one_family
replaced
generic
upgraded
