#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A forged datagram does not go round for ever: from where a backend serves, from a VIP, from the
# balancer's host. Peers with the service's port on both sides work. Between a service and a client
# that answers answers (CVE-2024-2169) a loop ends as soon as it meets the service's limit.
#
#    h1 forger, peer ---> lb VIP:7 ---> h2, h3 echo
. "$(dirname "$(realpath "$0")")/../lib.sh"

readonly MAC=de:ad:be:ef:00:10 PORT=7

forge() # SOURCE [PORT]: one datagram
{
	on h1 "$TOOLS/flood" -u -c 1 -s "$1" -p "${2-$PORT}" veth0 $MAC "$vip_address" $PORT >/dev/null
}

dropped() # REASON
{
	lb -j stats | jq --arg reason "$1" \
		'[.verdicts[] | select(.reason == $reason) | .packets] | add // 0'
}

forwarded()
{
	lb -j stats "$vip:$PORT/udp" | jq '.services[0].packets'
}

goes_nowhere() # SOURCE [PORT]
{
	local before

	before=$(dropped bad-source)
	forge "$@"
	await 5 has_dropped "$before"
	equal "$(forwarded)" "$still" "packets forwarded after one from $*"
}

has_dropped() # COUNT: and more
{
	[ "$(dropped bad-source)" -gt "$1" ]
}

is_quiet()
{
	local before

	before=$(forwarded)
	sleep 0.1
	[ "$(forwarded)" = "$before" ]
}

forged()
{
	local address host

	still=$(forwarded)
	for address in "$backend2" "$backend3" "$vip_address" "$host_address"; do
		goes_nowhere "$address"
	done
	goes_nowhere "$other_vip" 4000
	equal "$(lb -j flow show | jq length)" 0 flows
}

# A record that is flushed does not come back to life by the backend's packets.
flushed()
{
	on h1 "$TOOLS/udp" ask "$vip_address" $PORT checksum 100
	knows_flows 1 || fail "no flow"
	lb flow flush
	on h1 "$TOOLS/flood" -u -c 100 -s "$backend2" -p $PORT veth0 $MAC "$vip_address" $PORT \
		>/dev/null
	await 5 is_quiet
	knows_flows 0 || fail "a flow that was flushed lives again"
}

# The client's own server answers the service's answers.
two_servers()
{
	spawn h1 "$TOOLS/udp" serve $PORT
	await 5 serves h1 $PORT
	forge "$client"
	await 5 goes_round
	note "a loop with a client that answers answers: $(rate) packets/s"
	lb limit set "$vip:$PORT/udp" pps 100
	await 5 is_quiet
	lb limit del "$vip:$PORT/udp"
	kill "$pid"
}

goes_round()
{
	! is_quiet
}

rate()
{
	local before

	before=$(forwarded)
	sleep 1
	echo $(($(forwarded) - before))
}

loop()
{
	client=${net}1 other_vip=${net}77 host_address=${net}78
	service_up $PORT/udp
	lb service add "$([ "$family" = 4 ] && echo "$other_vip" || echo "[$other_vip]"):9/udp"
	# The host's address is another than the VIP here.
	on lb ip addr add "${net}78/$([ "$family" = 4 ] && echo 24 || echo 64)" dev veth6
	lb refresh
	forged
	flushed
	two_servers
	lb service del "$vip:$PORT/udp"
}

lab_up
attach
start_echo udp $PORT
each_family loop
