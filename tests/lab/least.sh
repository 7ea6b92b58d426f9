#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR disable=SC2154 # each_family sets the addresses
# `pick least`: in a closed loop a backend that holds its answers ten times longer than three others
# gets a tenth of what each of them gets, 1/31 of all; the counts of flows are right afterwards, and a
# census mends those that are not.
#
#    h1 120 connections ---> lb VIP:9 ---> h2 slow; h3, b4, b5 fast
. "$(dirname "$(realpath "$0")")/../topology.sh"

# Where all is slow, so long that the time to connect is little beside it.
fast_ms=$(scaled 100 300)
readonly LIVE=120
seconds=$(scaled 6 9 60) # a multiple of what the slow one takes

# Flows begun with each backend, in the order of their addresses.
begun()
{
	lb -j stats "$vip:9/tcp" | jq -c '[.services[0].backends[].flows]'
}

# The counts of flows that the data path goes by, in the order of backends' numbers.
counts()
{
	bpftool -j map dump pinned /sys/fs/bpf/tc/globals/xlb_live |
		jq -c '[.[].formatted.value | select(.weight > 0) | .flows]'
}

counts_are() # COUNTS
{
	[ "$(counts)" = "$1" ]
}

shared()
{
	lb service add "$vip:9/tcp" pick least
	for number in 2 3 4 5; do
		lb backend add "$vip:9/tcp" "${net}$number"
	done
	equal "$(lb -j service show "$vip:9/tcp" | jq -r '.[0].pick')" least "pick of service show"
	equal "$(lb save | grep -c 'pick least$')" 1 "pick that save prints"
	lb save >"$TMP/saved"
	lb apply "$TMP/saved" >"$TMP/out"
	equal "$(cat "$TMP/out")" '' "what apply changes of what runs"
	lb_refuses 2 "expected hash" service add "$vip:10/tcp" mode dsr pick least

	ask_in_a_loop begun "$vip_address"
	within "$share" 223 423 "share of the slow one in hundredths of a percent (1/31 is 322)"
	lb -j where "$vip:9/tcp" "${net}1:9" >"$TMP/where" 2>&1 || true
	wait "$asker" || fail "connections failed"
	note "$(cat "$TMP/answered")"
	await 10 counts_are '[0,0,0,0]'
}

# Which share the slow one gets, by what COUNTER says.
ask_in_a_loop() # COUNTER VIP_ADDRESS
{
	local before after

	spawn h1 "$TOOLS/closed" ask "$2" 9 $LIVE $((seconds + 3)) >"$TMP/answered"
	asker=$pid
	sleep 2 # until what began at once is spread
	before=$("$1")
	sleep "$seconds"
	after=$("$1")
	note "flows begun: $before, and $seconds s later $after"
	share=$(jq -n --argjson a "$before" --argjson b "$after" '
		[$b, $a] | transpose | map(.[0] - .[1]) | 10000 * .[0] / add | floor')
}

begun_by_ipvs()
{
	on lb ipvsadm -Ln --stats --exact | awk '/->/ && $3 ~ /^[0-9]+$/ { print $3 }' | jq -cs .
}

has_ipvs()
{
	[ -n "$(command -v ipvsadm)" ] && { modprobe -q ip_vs_wlc || [ -e /proc/net/ip_vs ]; }
}

# IPVS on the balancer's host: what comes to its VIP passes the balancer. Backends answer through it.
beside_ipvs()
{
	local other=10.0.0.99 number

	if ! has_ipvs; then
		note "no IPVS here"
		return
	fi
	on lb sysctl -qw net.ipv4.ip_forward=1
	on lb ip addr add $other/32 dev veth6
	on lb ipvsadm -A -t $other:9 -s wlc
	for number in 2 3 4 5; do
		on lb ipvsadm -a -t $other:9 -r 10.0.0.$number:9 -m -w 100
		on "$(backend_host $number)" ip route add 10.0.0.1/32 via 10.0.0.10
	done
	ask_in_a_loop begun_by_ipvs $other
	note "IPVS, wlc: the slow one gets $share hundredths of a percent"
	wait "$asker" || fail "connections by IPVS failed"
	note "$(cat "$TMP/answered")"
}

backend_host() # NUMBER
{
	[ "$1" -gt 3 ] && echo "b$1" || echo "h$1"
}

# What nobody has counted down, and what is counted too low.
mended()
{
	local map=/sys/fs/bpf/tc/globals/xlb_live number

	number=$(bpftool -j map dump pinned $map |
		jq -c '[.[].formatted | select(.value.weight > 0) | .key][0]')
	bpftool map update pinned $map key hex "$(printf '%02x' "$number")" 00 00 00 \
		value hex 63 00 00 00 64 00 00 00
	counts_are '[99,0,0,0]' || fail "a count that is wrong: $(counts)"
	lb refresh
	counts_are '[0,0,0,0]' || fail "counts after a census: $(counts)"
	lb service del "$vip:9/tcp"
}

both()
{
	shared
	mended
}

lab_up
for number in 4 5; do
	new_host b$number
	plug b$number eth0 sw 0 $number
done
attach
on h2 "$TOOLS/closed" serve 9 $((10 * fast_ms)) &
for host in h3 b4 b5; do
	on $host "$TOOLS/closed" serve 9 "$fast_ms" &
done
for host in h2 h3 b4 b5; do
	await 5 serves $host 9
done
each_family both
beside_ipvs
