#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What belongs to no service passes: SSH-like traffic to the balancer's own address, its own
# connections, ping, all while the balancer is at work on another port.
#
#    h1 ---> lb 10.0.0.10:22 (socat)      h1 ---> lb VIP:8000 ---> h2, h3 nginx
. "$(dirname "$(realpath "$0")")/../lib.sh"

host_traffic()
{
	service_up 8000/tcp
	ask 50 >"$TMP/shares" &
	equal "$(echo hello | on h1 socat -t "$(scaled 5 50)" - "TCP:$vip:22")" hello "an echo of port 22"
	on h1 socat -t "$(scaled 10 100)" - "TCP:$vip:22" <"$TMP/file" >"$TMP/back"
	cmp "$TMP/file" "$TMP/back" || fail "10 MB over port 22"
	equal "$(on lb curl -sS "http://${backend2//fd00:10::2/[fd00:10::2]}:8000/")" h2 \
		"what the balancer itself gets of a backend"
	on h1 ping -q -c 3 -i 0.2 -W 2 "$vip_address" || fail "ping of the VIP"
	on h1 ping -q -c 3 -i 0.2 -W 2 "$backend2" || fail "ping past the balancer"
	on h1 curl -s --max-time 5 "http://$vip:8001/" || equal $? 7 "status on a closed port"
	wait
	equal "$(sum_of "$(cat "$TMP/shares")")" 50 "answers through the VIP"
}

lab_up
attach
random_file 10000000 "$TMP/file"
on lb socat TCP6-LISTEN:22,ipv6-v6only=0,fork,reuseaddr PIPE &
disown
await 60 serves lb 22
start_web
disown -a
each_family host_traffic
expect_no_errors
