#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Mode dnat, by `via` and by the kernel's routes: clients see the VIP alone, backends see clients;
# files, UDP, routers of MTU 1280 on each side; what a backend asks others, and the balancer a
# backend, is left alone. Nothing is remembered.
#
#    c1 10.1.0.2 --- r1 10.0.0.8 ---+ sw +--- lb ---+ sw5 +--- b1 10.5.0.1, b2 10.5.0.2
#              1280      h1 10.0.0.1 |    10.0.0.10  10.5.0.10 +-- r2 10.5.0.9 --- b3 10.6.0.2
#                                                                       1280
. "$(dirname "$(realpath "$0")")/../topology.sh"

size=$(scaled 100000000 500000)
readonly NARROW='mtu lock 1280'

# All that a host does not know leaves by X of network N.
leave_by() # HOST N X
{
	on "$1" ip route add default via "10.$2.0.$3"
	on "$1" ip -6 route add default via "fd00:1$2::$3"
}

narrow() # ROUTER NETWORK DEV
{
	# shellcheck disable=SC2086 # words of `ip route`
	on "$1" ip route replace "10.$2.0.0/24" dev "$3" $NARROW
	# shellcheck disable=SC2086
	on "$1" ip route replace "fd00:1$2::/64" dev "$3" metric 256 $NARROW
}

wire_up()
{
	local host

	for host in b1 b2 b3 r2; do
		new_host $host
	done
	new_switch sw5
	new_switch sw6
	make_router r2
	make_router lb
	beyond_router c1 r1 1 8 h1 lb
	plug lb veth8 sw5 5 10
	feed sw5 lb-veth8
	plug b1 eth0 sw5 5 1
	plug b2 eth0 sw5 5 2
	plug r2 eth5 sw5 5 9
	plug r2 eth6 sw6 6 1
	plug b3 eth0 sw6 6 2
	leave_by b1 5 10
	leave_by b2 5 10
	leave_by r2 5 10
	leave_by b3 6 1
	reach lb 6 5 9
	reach h1 5 0 10
	reach h1 6 0 10
	reach r1 5 0 10
	reach h1 $VIP_NETWORK 0 10
	narrow r1 1 eth1
	narrow r2 6 eth6
}

address_of() # HOST
{
	case $1 in
	b1) at 5 1 ;;
	b2) at 5 2 ;;
	b3) at 6 2 ;;
	esac
}

with_port() # ADDRESS PORT
{
	[ "$family" = 4 ] && echo "$1:$2" || echo "[$1]:$2"
}

dnat_up() # PORT/PROTO BACKEND_PORT [WORD of service add...]
{
	local host

	lb service add "$vip:$1" mode dnat "${@:3}"
	for host in b1 b2 b3; do
		lb backend add "$vip:$1" "$(with_port "$(address_of $host)" "$2")"
	done
}

dnat_down()
{
	lb service del "$vip:8000/tcp"
	lb service del "$vip:7/udp"
}

everyone_answers()
{
	local answers host

	answers=$(ask 60)
	for host in b1 b2 b3; do
		[ "$(count_of "$host" "$answers")" -gt 5 ] || fail "answers: $answers"
	done
	equal "$(sum_of "$answers")" 60 "answers"
}

transfer() # CLIENT
{
	on "$1" curl -sS --fail --max-time 60 -o "$TMP/got" "$url/file"
	cmp "$TMP/file" "$TMP/got" || fail "a download differs"
	on "$1" curl -sS --fail --max-time 60 -T "$TMP/file" "$url/up"
	cmp "$TMP/file" "$TMP"/[bh][123]/files/up || fail "an upload differs"
	rm "$TMP/got" "$TMP"/[bh][123]/files/up
}

use_it()
{
	everyone_answers
	transfer h1
	transfer c1
	on h1 "$TOOLS/udp" ask "$vip_address" 7 checksum 0 1 2 99 1400 1472 8000
	on c1 "$TOOLS/udp" ask "$vip_address" 7 1 1200
	equal "$(lb -j flow count | jq .flows)" 0 "flows that are remembered"
}

served() # HOST URL
{
	on "$1" curl -sS --fail --max-time 5 "$2"
}

# What a backend asks others, what the balancer asks a backend, and a ping are none of the service's.
others_pass()
{
	local each

	equal "$(served b1 "http://$(with_port "$(at 0 1)" 8080)/")" h1 "what b1 gets from h1"
	equal "$(served lb "http://$(with_port "$(at 5 1)" 8080)/")" b1 "what the balancer gets from b1"
	for each in h1 lb; do
		on $each ping -c 1 -W 5 "$(at 5 1)" >/dev/null || fail "no ping from $each to b1"
	done
}

# A backend sees who asks; who asks it by its own address gets the VIP's answer, and no connection.
clients_are_seen()
{
	local held

	on h1 sleep 20 | on h1 bash -c "exec 3<>/dev/tcp/$vip_address/8000; read -t 20 _ || true; exec 3>&-" &
	held=$!
	await 5 sees_client
	kill "$held" 2>/dev/null || true
	! served h1 "http://$(with_port "$(at 5 1)" 8080)/" 2>/dev/null || fail "a client reached b1 itself"
	doctor_sees_it
}

# While a client tries.
doctor_sees_it()
{
	! { lb doctor veth6 || true; } | grep '^direct: ' || fail "doctor sees a client where none is"
	# shellcheck disable=SC2016 # the inner shell's
	spawn h1 bash -c 'while :; do curl -s --max-time 0.2 "$1" || true; done' - \
		"http://$(with_port "$(at 5 1)" 8080)/"
	lb doctor veth6 >"$TMP/found" || true
	kill "$pid"
	wait "$pid" 2>/dev/null || true
	grep -qF "direct: $(at 0 1) speaks to $(with_port "$(at 5 1)" 8080), a backend of $vip:8000/tcp" \
		"$TMP/found" || fail "doctor on a client that asks a backend itself: $(cat "$TMP/found")"
}

sees_client()
{
	on b1 ss -Htn "sport = :8080" | grep -F "$(at 0 1)" ||
		on b2 ss -Htn "sport = :8080" | grep -F "$(at 0 1)" ||
		on b3 ss -Htn "sport = :8080" | grep -F "$(at 0 1)"
}

# The way of answers is the service's next hop, whatever the kernel thinks; it is in what is saved.
by_next_hop()
{
	dnat_down
	on lb sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
	dnat_up 9/tcp 9
	lb doctor veth8 >"$TMP/found" || true
	grep -q "^forwarding: veth8 does not forward IPv$family: " "$TMP/found" ||
		fail "doctor on forwarding: $(cat "$TMP/found")"
	lb service del "$vip:9/tcp"
	dnat_up 8000/tcp 8080 via "$(at 0 8)"
	dnat_up 7/udp 7 via "$(at 0 8)"
	equal "$(lb -j service show | jq -r '.[0] | .mode + " " + .via')" "dnat $(at 0 8)" "mode and via"
	lb save >"$TMP/saved"
	lb apply "$TMP/saved" >"$TMP/said"
	equal "$(cat "$TMP/said")" '' "what changes by what was saved"
	everyone_answers
	transfer c1
	on c1 "$TOOLS/udp" ask "$vip_address" 7 checksum 1 1200 3000
	follows_next_hop
}

# Its MAC changes, and `refresh` sees that.
follows_next_hop()
{
	local mac

	mac=$(on r1 ip -j link show dev eth0 | jq -r '.[0].address')
	on r1 ip link set dev eth0 address de:ad:be:ef:09:09
	lb refresh
	equal "$(served c1 "$url/" | cut -c 1)" b "an answer by the next hop"
	on r1 ip link set dev eth0 address "$mac"
	lb refresh
}

# An address and port of a backend is one service's alone.
belongs_to_one()
{
	local other=${vip%1*}2

	[ "$family" = 4 ] && other=10.9.0.2 || other='[fd00:19::2]'
	lb service add "$other:80/tcp" mode dnat
	lb_refuses 1 "$vip:8000/tcp" backend add "$other:80/tcp" "$(with_port "$(at 5 1)" 8080)"
	lb_refuses 2 'IPv' backend add "$other:80/tcp" \
		"$([ "$family" = 4 ] && echo fd00:15::1 || echo 10.5.0.1)"
	lb backend add "$other:80/tcp" "$(with_port "$(at 5 1)" 8081)"
	lb service add "$other:*/tcp" mode dnat
	lb_refuses 1 "$vip:8000/tcp" backend add "$other:*/tcp" "$(at 5 1)"
	lb_refuses 2 8082 backend add "$other:*/tcp" "$(with_port "$(at 5 2)" 8082)"
	lb_refuses 2 via service add "$other:81/tcp" mode dsr via "$(at 0 8)"
	lb_refuses 2 'IPv' service add "$other:81/tcp" mode dnat \
		via "$([ "$family" = 4 ] && echo fd00:10::8 || echo 10.0.0.8)"
	lb service del "$other:80/tcp"
	lb service del "$other:*/tcp"
}

# Doctor's finding of rp_filter, if there is one.
finding() # FIELD
{
	{ lb -j doctor veth8 || true; } | jq -r "first(.[] | select(.check == \"rp-filter\")).$1"
}

# A VIP of the host's own: as long as it does not know the client's MAC it gets answers to forward, and
# drops them, as they come from itself. Doctor's command mends that.
own_vip()
{
	local own=10.0.0.10:8000 command

	[ "$family" = 4 ] || return 0
	lb service add $own/tcp mode dnat
	lb backend add $own/tcp 10.5.0.1:8080
	equal "$(served h1 http://$own/)" b1 "an answer by a VIP of the host"
	on lb ip neigh del 10.0.0.1 dev veth6
	! on h1 curl -s --max-time 1 http://$own/ || fail "no answer was dropped: doctor is wrong"
	command=$({ lb -j doctor veth8 || true; } |
		jq -r '.[] | select(.check == "accept-local").command')
	bash -c "$command" >/dev/null
	equal "$(served h1 http://$own/)" b1 "an answer that is left to the host"
	on lb sysctl -qw net.ipv4.conf.veth8.rp_filter=1
	bash -c "$(finding command)" >/dev/null
	equal "$(finding check)" '' "a finding once a VIP of the host's is taken again"
	on lb sysctl -qw net.ipv4.conf.veth8.accept_local=0 net.ipv4.conf.veth8.rp_filter=0
	lb service del $own/tcp
}

# What is left to the host comes in from the VIP by the backends' device: rp_filter drops it there, and so
# nobody asks for the client's MAC. A host that has a way to the VIP can be loose.
strict_filter()
{
	[ "$family" = 4 ] || return 0
	equal "$(finding check)" '' "a finding without rp_filter"
	on lb sysctl -qw net.ipv4.conf.veth8.rp_filter=1
	on lb ip neigh del 10.0.0.1 dev veth6
	! on h1 curl -s --max-time 1 "$url/" || fail "no answer was dropped: doctor is wrong"
	[[ $(finding problem) == *"no way to that address"* ]] || fail "doctor: $(finding problem)"
	on lb ip route add default via 10.0.0.1
	bash -c "$(finding command)" >/dev/null
	equal "$(finding check)" '' "a finding once it is loose"
	served h1 "$url/" >/dev/null
	on lb ip route del default
	on lb sysctl -qw net.ipv4.conf.veth8.rp_filter=0
}

# Client, balancer and backends by one device each, on one link; the client beyond a router.
one_arm()
{
	local host

	for host in h2 h3; do
		lb backend add "$vip:8000/tcp" "$(with_port "$(at 0 "${host#h}")" 8080)"
		lb backend add "$vip:7/udp" "$(with_port "$(at 0 "${host#h}")" 7)"
	done
	for host in b1 b2 b3; do
		lb backend down "$vip:8000/tcp" "$(with_port "$(address_of $host)" 8080)"
		lb backend down "$vip:7/udp" "$(with_port "$(address_of $host)" 7)"
	done
	for host in $(at 1 2) $(at 0 1); do # whoever is on the link needs it too
		on h2 ip route add "$host" via "$(at 0 10)"
		on h3 ip route add "$host" via "$(at 0 10)"
	done
	equal "$(ask 40 | awk '{ print $1 }' | sort | xargs)" "h2 h3" "who answers by one arm"
	transfer c1
	transfer h1
	on c1 "$TOOLS/udp" ask "$vip_address" 7 checksum 1 1200 3000
}

dnat()
{
	use_mode dnat
	own_vip
	dnat_up 8000/tcp 8080
	dnat_up 7/udp 7
	strict_filter
	use_it
	others_pass
	clients_are_seen
	belongs_to_one
	by_next_hop
	one_arm
	dnat_down
}

lab_up
wire_up
attach
"$top/scripts/attach.sh" -n "${prefix}lb" -m native veth8
on h1 "$top/scripts/web.sh" "$TMP/h1" h1 8080 2>"$TMP/web.log" &
await 60 serves h1 8080
random_file "$size" "$TMP/file"
for host in h2 h3 b1 b2 b3; do
	on $host "$top/scripts/web.sh" "$TMP/$host" $host 8080 2>"$TMP/web.log" &
	on $host "$TOOLS/udp" serve 7 &
	await 60 serves $host 8080
	await 60 serves $host 7
	cp "$TMP/file" "$TMP/$host/files"
done
each_family dnat
expect_no_errors h1 c1 lb b1 b2 b3 r1 r2
