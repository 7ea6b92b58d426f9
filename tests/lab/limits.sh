#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Limits: a source is held to its packets per second, whatever CPU they come in on, and its neighbour
# loses nothing; an IPv6 source is its /64; millions of sources take no more memory; new flows per
# second of a service, while the others go on.
#
#    h1 sources, on both CPUs ---> lb ---> h2, h3, where nftables counts by source
. "$(dirname "$(realpath "$0")")/../lib.sh"

readonly PORT=9000 MAC=de:ad:be:ef:00:10 PPS=1000 BURST=100
sources=$(scaled 300000 300000 5000000)

send() # WORDS of flood: to the service
{
	on h1 "$TOOLS/flood" -u "$@" veth0 $MAC "$vip_address" $PORT
}

# Mode dsr leaves the packets as they are, so that they can be counted by their source.
count_sources()
{
	local host set

	set=$([ "$family" = 4 ] && echo "ip saddr" || echo "ip6 saddr")
	for host in h2 h3; do
		on $host nft -f - <<-END
			table inet count {
				chain arrivals {
					type filter hook prerouting priority -300
					udp dport $PORT $set $limited counter comment "limited"
					udp dport $PORT $set $beside counter comment "beside"
				}
			}
		END
	done
}

arrived() # COMMENT
{
	local host

	for host in h2 h3; do
		on $host nft -j list table inet count
	done | jq -s --arg comment "$1" '[.[].nftables[].rule | select(.comment? == $comment) |
		.expr[] | .counter? // empty | .packets] | add'
}

# Seconds that `flood` took.
duration() # FILE
{
	sed 's/.* in \([0-9.]*\) s.*/\1/' "$1"
}

# Two senders of one address, each on a CPU of its own; a third sends half of what it may.
rate()
{
	local cpu pids=() allowed drops

	drops=$(lab_drops)
	count_sources
	for cpu in 0 1; do
		spawn h1 taskset -c $((cpu % $(nproc))) "$TOOLS/flood" -u -r 2500 -c 25000 \
			-s "$limited" -p $((5000 + cpu)) veth0 $MAC "$vip_address" $PORT >"$TMP/sent$cpu"
		pids+=("$pid")
	done
	send -r $((PPS / 2)) -c $((PPS * 5)) -s "$beside" -p 5000 >/dev/null
	wait "${pids[@]}"
	allowed=$(awk -v pps=$PPS -v burst=$BURST -v a="$(duration "$TMP/sent0")" \
		-v b="$(duration "$TMP/sent1")" 'BEGIN { print int(pps * (a > b ? a : b) + burst) }')
	within "$(arrived limited)" $((allowed * 95 / 100)) $((allowed * 105 / 100)) \
		"packets of 50000 by the limited source, allowed are $allowed"
	within "$(arrived beside)" $((PPS * 5 - $(lab_drops) + drops)) $((PPS * 5)) \
		"packets that arrived of the source beside it"
	on h2 nft delete table inet count
	on h3 nft delete table inet count
}

# All of an IPv6 /64 together; each IPv4 address for itself.
prefixes()
{
	local before after expected=$BURST

	[ "$family" = 6 ] || expected=$((BURST * 10))
	before=$(forwarded)
	send -c $((BURST * 10)) -s "${wide}" -n 10 -b 128 -p 6000 >/dev/null
	after=$(forwarded)
	within $((after - before)) "$expected" $((expected * 13 / 10)) \
		"packets of $((BURST * 10)) by ten neighbours that are forwarded"
}

forwarded()
{
	lb -j stats "$vip:$PORT/udp" | jq '.services[0].packets'
}

memory()
{
	local map

	for map in $(bpftool -j prog show id "$(program_id)" | jq '.map_ids[]'); do
		bpftool -j map show id "$map"
	done | jq -s 'map(.bytes_memlock) | add'
}

many_sources()
{
	local before

	before=$(memory)
	note "$(send -c "$sources" -s "$many" -n "$sources" -p 7000)"
	equal "$(memory)" "$before" "bytes in maps after $sources sources"
	note "bytes in maps, before and after: $before"
}

# Too many new flows for one service; the one beside it takes all that come.
new_flows()
{
	local sent drops

	drops=$(lab_drops)
	lb service add "$vip:8001/tcp" mode dsr
	lb service add "$vip:8002/tcp" mode dsr
	lb backend add "$vip:8001/tcp" "$backend2"
	lb backend add "$vip:8002/tcp" "$backend2"
	lb limit set "$vip:8001/tcp" flows 200
	on h1 "$TOOLS/flood" -r 2000 -c 10000 veth0 $MAC "$vip_address" 8001 >"$TMP/sent" &
	on h1 "$TOOLS/flood" -r 300 -c 1500 veth0 $MAC "$vip_address" 8002 >/dev/null
	wait $!
	sent=$(awk -v s="$(duration "$TMP/sent")" 'BEGIN { print int(200 * s + 200) }')
	within "$(lb -j stats "$vip:8001/tcp" | jq '.services[0].flows')" \
		$((sent * 95 / 100)) $((sent * 105 / 100)) "new flows of 10000, allowed are $sent"
	within "$(lb -j stats "$vip:8002/tcp" | jq '.services[0].flows')" \
		$((1500 - $(lab_drops) + drops)) 1500 \
		"new flows of the service beside it"
	lb service del "$vip:8001/tcp"
	lb service del "$vip:8002/tcp"
}

limit()
{
	case $family in
	4) limited=10.0.0.201 beside=10.0.0.202 wide=10.0.1.1 many=11.0.0.0 ;;
	6) limited=fd00:20::1 beside=fd00:20:0:1::1 wide=fd00:21::1 many=2001:db8:: ;;
	esac
	service_up $PORT/udp mode dsr
	lb limit set "$vip:$PORT/udp" pps $PPS burst $BURST
	rate
	prefixes
	many_sources
	rate_again
	new_flows
	lb service del "$vip:$PORT/udp"
}

# After so many sources the limit still holds.
rate_again()
{
	local before

	before=$(forwarded)
	send -c 5000 -s "$limited" -p 5000 >/dev/null
	within $(($(forwarded) - before)) $((BURST * 9 / 10)) $((BURST * 3)) \
		"packets of 5000 at once that are forwarded"
}

[ -n "$(command -v nft)" ] || skip "no nft"
lab_up
attach
each_family limit
