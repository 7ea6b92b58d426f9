#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Knot DNS's load generator, a client that nobody here wrote, which sends and receives by AF_XDP: its
# queries go through the balancer to knotd, and are answered.
#
#    h1 kxdpgun (AF_XDP on veth0) ---> lb 10.0.0.10:53, mode nat ---> h2, h3 knotd
. "$(dirname "$0")/../lib.sh"
. "$top/tests/dns.sh"

QPS=$(scaled 3000 300 20000)
readonly QPS

# It looks up the route, and puts a program of its own on the client's device.
shoot()
{
	local sent answered

	service_up 53/udp
	on h1 ping -c 1 "$vip_address" >/dev/null
	on h1 kxdpgun -t 2 -Q "$QPS" -F 0 -i "$TMP/queries" "$vip_address" >"$TMP/gun" 2>&1 ||
		fail "kxdpgun: $(cat "$TMP/gun")"
	sent=$(sed -n 's/^total queries: *\([0-9]*\).*/\1/p' "$TMP/gun")
	answered=$(sed -n 's/^total replies: *\([0-9]*\).*/\1/p' "$TMP/gun")
	note "$sent queries, $answered answers"
	# A busy machine loses some in its own queues.
	within "$answered" $((sent * 95 / 100)) "$sent" answers
	lb -j stats "$vip:53/udp" | jq -e '.services[0].backends | all(.packets > 0)' >/dev/null ||
		fail 'not both backends were asked'
	lb service del "$vip:53/udp"
}

lab_up
attach
start_knot h2 h2
await 10 serves h2 53
start_knot h3 h3
await 10 serves h3 53
echo 'name.example. TXT' >"$TMP/queries"
each_family shoot
