#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What belongs to no service passes: SSH-like traffic to the balancer's own address, its own
# connections, ping, all while the balancer is at work on another port.
#
#    h1 ---> lb 10.0.0.10:22, 2022, 2023 (socat)      h1 ---> lb VIP:8000 ---> h2, h3 nginx
. "$(dirname "$(realpath "$0")")/../lib.sh"

host_traffic()
{
	service_up 8000/tcp
	ask 50 >"$TMP/shares" &
	equal "$(echo hello | on h1 socat -t "$(scaled 5 50)" - "TCP:$vip:22")" hello "an echo of port 22"
	on h1 socat -u "TCP:$vip:2022" "CREATE:$TMP/got"
	cmp "$TMP/file" "$TMP/got" || fail "10 MB from the balancer"
	rm -f "$TMP/sent"
	on h1 socat -u "OPEN:$TMP/file" "TCP:$vip:2023"
	await 10 cmp -s "$TMP/file" "$TMP/sent"
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
# Not both ways at once through the echo: socat waits for itself once its pipe is full.
on lb socat TCP6-LISTEN:22,ipv6-v6only=0,fork,reuseaddr PIPE &
on lb socat -U TCP6-LISTEN:2022,ipv6-v6only=0,fork,reuseaddr "OPEN:$TMP/file" &
on lb socat -u TCP6-LISTEN:2023,ipv6-v6only=0,fork,reuseaddr "CREATE:$TMP/sent" &
disown -a
for port in 22 2022 2023; do
	await 60 serves lb $port
done
start_web
disown -a
each_family host_traffic
expect_no_errors
