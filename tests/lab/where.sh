#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# `xdp-lb where` says what then happens: it is asked for random clients, then each sends a SYN, and
# what arrives at which backend is compared; in each mode, before and after changes. It leaves no
# trace in flows and counters.
#
#    h1 SYNs from anywhere ---> lb ---> h2, h3 tcpdump
. "$(dirname "$(realpath "$0")")/../lib.sh"

readonly PORT=8000 MAC=de:ad:be:ef:00:10
clients=$(scaled 100 100 10000)

# "ADDRESS PORT" lines. No port is there twice, so that it tells the client, in mode nat as well.
random_clients()
{
	paste <(shuf -i 1024-65535 -n "$clients") \
		<(head -c $((clients * 6)) /dev/urandom | od -An -v -w6 -t u2) |
		awk -v family="$family" '{
			if (family == 4)
				printf "%d.%d.%d.%d %d\n", 11 + $2 % 100, $3 % 256, $3 / 256, 1 + $4 % 254, $1
			else
				printf "2001:db8::%x:%x %d\n", 1 + $2 % 65535, 1 + $3 % 65535, $1
		}'
}

# What `where` says, as "PORT BACKEND" lines.
ask_where()
{
	local address port

	while read -r address port; do
		[ "$family" = 4 ] || address="[$address]"
		lb -j where "$vip:$PORT/tcp" "$address:$port"
	done | jq -r '"\(.client | sub(".*:"; "")) \(.backend.address)"' | sort
}

# Not to what the switch sends everywhere: it forgets a host that says nothing for five minutes.
listen_to() # HOST
{
	spawn "$1" tcpdump -nn -l -Q in "ether dst de:ad:be:ef:00:0${1#h} and \
		(tcp[tcpflags] & tcp-syn != 0 or ip6 or proto 4)" \
		>"$TMP/arrived-$1" 2>"$TMP/tcpdump-$1"
	listeners+=("$pid")
	await 5 grep -q listening "$TMP/tcpdump-$1"
}

# The same lines, of the SYNs that have come there; in a tunnel it is the inner packet that counts.
arrivals() # HOST ADDRESS
{
	sed -nE "s/.*[ .]([0-9]+) > ($vip_address|$2)\.$PORT: Flags \[S\].*/\1 $2/p" \
		"$TMP/arrived-$1"
}

# Asks, then sends, then compares.
agrees() # WHAT
{
	local listeners=() before differences

	random_clients >"$TMP/clients"
	before=$(lb -j stats | jq .services)
	ask_where <"$TMP/clients" >"$TMP/said"
	equal "$(lb -j stats | jq .services)" "$before" "counters after where"
	equal "$(lb -j flow count | jq .flows)" 0 "flows after where"

	listen_to h2
	listen_to h3
	on h1 "$TOOLS/flood" -l -r 2000 veth0 $MAC "$vip_address" $PORT <"$TMP/clients" >/dev/null
	sleep 0.5
	kill "${listeners[@]}"
	wait "${listeners[@]}" || true
	{
		arrivals h2 "$backend2"
		arrivals h3 "$backend3"
	} | sort -u >"$TMP/happened"
	differences=$(diff "$TMP/said" "$TMP/happened" | head -6) ||
		fail "$mode, $1: said and happened: $differences"
	equal "$(wc -l <"$TMP/happened")" "$clients" "clients whose SYN arrived"
	note "$mode, $1: $(cut -d' ' -f2 "$TMP/said" | sort | uniq -c | xargs)"
	lb flow flush >/dev/null
}

# A known flow keeps its backend, and `where` knows it.
known()
{
	local talker before

	service_up 8001/tcp
	spawn h1 "$TOOLS/steady" talk "$vip_address" 8001 20 20000 >"$TMP/talk" 2>/dev/null
	talker=$pid
	await 5 grep -q open "$TMP/talk"
	before=$(flows_by_where)
	equal "$(wc -l <<<"$before")" 20 "known flows"
	equal "$before" "$(lb -j flow show | jq -r '.[] | "\(.client) \(.backend) known-flow"' |
		sort)" \
		"backends of known flows"
	lb backend drain "$vip:8001/tcp" "$backend2" >/dev/null
	equal "$(flows_by_where)" "$before" "backends of known flows after a change"
	kill "$talker"
	wait "$talker" || true
	lb service del "$vip:8001/tcp"
}

flows_by_where()
{
	lb -j flow show | jq -r '.[].client' | while read -r address; do
		lb -j where "$vip:8001/tcp" "$address"
	done | jq -r '"\(.client) \(.backend) \(.reason)"' | sort
}

where()
{
	local mode

	known
	for mode in nat dsr ipip; do
		service_up $PORT/tcp mode $mode
		agrees "at first"
		lb backend set "$vip:$PORT/tcp" "$backend2" weight 30
		agrees "another weight"
		lb backend drain "$vip:$PORT/tcp" "$backend3" >/dev/null
		agrees "a backend drains"
		lb backend up "$vip:$PORT/tcp" "$backend3"
		lb backend down "$vip:$PORT/tcp" "$backend2"
		agrees "a backend is down"
		lb service del "$vip:$PORT/tcp"
	done
}

lab_up
attach
for host in h2 h3; do
	spawn $host "$TOOLS/steady" serve 8001 $host
	await 5 serves $host 8001
done
each_family where
