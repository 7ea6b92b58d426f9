#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A balancer with two arms: clients on one device, backends on the other, and one of them behind a
# gateway (nat, ipip).
#
#    h1 10.0.0.1          b1 10.5.0.1   b2 10.5.0.2              b3 10.6.0.2
#       |                     |            |                        |
#    ---+--- sw ---+---    ---+--- sw5 ----+---+---+---          ---+--- sw6
#       |          |                           |   |                |
#       |       veth6 ------ lb -------------veth8 |                |
#       +------------------- g 10.x.0.9 -----------+----------------+
: "${MODES:=nat dsr ipip}"
. "$(dirname "$(realpath "$0")")/../topology.sh"

wire_up()
{
	local host

	for host in b1 b2 b3 g; do
		new_host $host
	done
	new_switch sw5
	new_switch sw6
	make_router g
	plug lb veth8 sw5 5 10
	feed sw5 lb-veth8
	plug b1 eth0 sw5 5 1
	plug b2 eth0 sw5 5 2
	plug b3 eth0 sw6 6 2
	plug g eth0 sw 0 9
	plug g eth5 sw5 5 9
	plug g eth6 sw6 6 9
	for host in b1:5 b2:5 b3:6; do
		reach ${host%:*} 0 ${host#*:} 9
	done
	reach b3 5 6 9
	reach lb 6 5 9
	reach h1 $VIP_NETWORK 0 10
}

# What a backend sends as the VIP leaves by the gateway; in mode nat it is for the balancer.
set_up()
{
	local host

	if [ "$mode" = nat ]; then
		for host in b1 b2 g; do
			on $host ip route replace "$vip_address" via "$(at 5 10)"
		done
		return
	fi
	for host in $hosts; do
		backend_apply "$host" eth0
	done
}

take_down()
{
	local host

	if [ "$mode" = nat ]; then
		for host in b1 b2 g; do
			on $host ip route del "$vip_address" via "$(at 5 10)"
		done
		return
	fi
	for host in $hosts; do
		backend_undo "$host" eth0
	done
}

everyone_answers()
{
	local answers host sum=0 count

	answers=$(ask 120)
	for host in $hosts; do
		count=$(count_of "$host" "$answers")
		[ "$count" -gt 10 ] || fail "$host answered $count times only"
		sum=$((sum + count))
	done
	equal $sum 120 "answers"
	note "$(tr '\n' ' ' <<<"$answers")"
}

transfer()
{
	on h1 curl -sS --fail --max-time 60 -o "$TMP/got" "$url/file"
	cmp "$TMP/file" "$TMP/got" || fail "a download differs"
	on h1 curl -sS --fail --max-time 60 -T "$TMP/file" "$url/up"
	cmp "$TMP/file" "$TMP"/b[123]/files/up || fail "an upload differs"
	rm "$TMP/got" "$TMP"/b[123]/files/up
	on h1 "$TOOLS/udp" ask "$vip_address" 7 checksum 1 100 1400 1473 8000
}

two_arms()
{
	local port host hosts='b1 b2 b3'

	# To the MAC of a gateway a packet for the VIP would be one that has lost its way.
	[ "$mode" != dsr ] || hosts='b1 b2'
	set_up
	for port in 8000/tcp 7/udp; do
		lb service add "$vip:$port" mode "$mode"
		for host in $hosts; do
			lb backend add "$vip:$port" "$(address_of "$host")"
		done
	done
	everyone_answers
	transfer
	[ "$(redirected)" -gt "$(scaled 1000 400)" ] || fail "packets did not cross from arm to arm"
	for_nobody_else
	lb stats zero
	lb service del "$vip:8000/tcp"
	lb service del "$vip:7/udp"
	take_down
}

address_of() # HOST
{
	case $1 in
	b1) at 5 1 ;;
	b2) at 5 2 ;;
	b3) at 6 2 ;;
	esac
}

# A frame for the MAC of another host, which the switch floods, is not for us.
for_nobody_else()
{
	local before

	lb service add "$vip:9/udp" mode dsr
	lb backend add "$vip:9/udp" "$(address_of b1)"
	before=$(redirected)
	on h1 "$TOOLS/flood" -u -c 100 veth0 02:00:00:00:00:99 "$vip_address" 9 >/dev/null
	on h1 "$TOOLS/flood" -u -c 10 veth0 de:ad:be:ef:00:10 "$vip_address" 9 >/dev/null
	await 5 has_redirected "$before" 10
	equal "$(lb -j stats "$vip:9/udp" | jq '.services[0].packets')" 10 \
		"packets forwarded of 100 for another MAC and 10 for ours"
	lb service del "$vip:9/udp"
}

has_redirected() # BEFORE COUNT
{
	[ $(($(redirected) - $1)) -ge "$2" ]
}

redirected()
{
	lb -j stats | jq '[.verdicts[] | select(.action == "redirect") | .packets] | add // 0'
}

lab_up
wire_up
attach
"$top/scripts/attach.sh" -n "${prefix}lb" -m native veth8
random_file "$(scaled 10000000 200000)" "$TMP/file"
for host in b1 b2 b3; do
	on $host "$top/scripts/web.sh" "$TMP/$host" $host 8000 2>"$TMP/web.log" &
	on $host "$TOOLS/udp" serve 7 &
	await 60 serves $host 8000
	await 60 serves $host 7
	cp "$TMP/file" "$TMP/$host/files"
done
each_family each_mode two_arms
expect_no_errors h1 lb b1 b2 b3 g
