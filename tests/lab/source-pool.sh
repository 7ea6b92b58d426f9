#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Source pools: backends see addresses of the pool instead of the VIP, each client keeps its own, an
# address that is deleted keeps its flows and goes when it has none; traffic goes on all the while.
#
#    h1 16 addresses ---> lb VIP:7000, pool ...21, ...22, ...23 ---> h2, h3 echo
. "$(dirname "$(realpath "$0")")/../lib.sh"

readonly CONNECTIONS=160

own() # add|del NUMBER...: addresses of the balancer's
{
	local number

	for number in "${@:2}"; do
		if [ "$family" = 4 ]; then
			on lb ip addr "$1" "$net$number/24" dev veth6
		else
			on lb ip addr "$1" "$net$number/64" dev veth6 nodad
		fi
	done
}

sources() # FILTER
{
	lb -j source show | jq -c "$1"
}

hold() # NAME: opens connections, which are awaited
{
	spawn h1 "$TOOLS/tcp" hold "$vip_address" 7000 $CONNECTIONS "$more" 16 >"$TMP/$1"
	holder=$pid
	await 10 grep -q open "$TMP/$1"
}

# What stats and metrics say of the flows of each source, and of backends; one that drains says so.
counted_by_source()
{
	equal "$(lb -j stats | jq '[.sources[].live] | add')" $CONNECTIONS "live flows of all sources"
	equal "$(lb -j stats | jq -c '.sources | map({address, flows: .live})')" \
		"$(sources 'map({address, flows})')" "live flows by source in stats"
	equal "$(lb metrics | awk '/^xdplb_source_live_flows/ { sum += $2 } END { print sum }')" \
		$CONNECTIONS "live flows by source in metrics"
	equal "$(lb -j stats | jq '[.services[].backends[].live] | add')" $CONNECTIONS "by backend"
	lb backend drain "$vip:7000/tcp" "$backend2"
	lb -j stats | jq -e --arg address "$backend2" '[.services[].backends[] | select(.live > 0) |
		.draining == if .address == $address then .live else 0 end] == [true, true]' \
		>/dev/null || fail "draining flows of $backend2: $(lb -j stats)"
	lb stats | grep "^    $backend2 .* live, .* draining$" >/dev/null || fail "$(lb stats)"
	lb backend up "$vip:7000/tcp" "$backend2"
}

release() # uses what is held, and closes it
{
	kill -USR1 "$holder"
	wait "$holder" || fail "connections were lost"
}

# The addresses that the backends see, sorted.
seen_by_backends()
{
	for host in h2 h3; do
		on "$host" ss -Hnt state established 'sport = :7000'
	done | awk '{ sub(/:[0-9]*$/, "", $4); gsub(/[][]|::ffff:/, "", $4); print $4 }' | sort -u | xargs
}

# Of each client address all flows have one source; the sources are those of the pool.
one_source_each()
{
	lb -j flow show | jq -r '.[] | "\(.client | sub(":[0-9]+$"; "")) \(.source.address)"' |
		sort -u >"$TMP/pairs"
	equal "$(wc -l <"$TMP/pairs")" 16 "pairs of client and source"
	equal "$(cut -d ' ' -f 2 "$TMP/pairs" | sort -u | xargs)" "$1" "sources of flows"
}

# `where` says which source a known flow has, and a new one would get.
told()
{
	local client new

	client=$(lb -j flow show | jq -r '.[0].client')
	equal "$(lb -j where "$vip:7000/tcp" "$client" | jq -r .source)" \
		"$(lb -j flow show "$client" | jq -r '.[0].source.address')" "source of where"
	new=$(lb -j where "$vip:7000/tcp" "${client%:*}:9" | jq -r .source)
	equal "$new" "$(lb -j where "$vip:7000/tcp" "$client" | jq -r .source)" \
		"source of another flow of the client"
}

configured()
{
	lb save >"$TMP/saved"
	equal "$(grep -c '^source add' "$TMP/saved")" 2 "sources that save prints"
	grep -v '^source' "$TMP/saved" >"$TMP/without"
	lb apply "$TMP/without" >"$TMP/out"
	equal "$(grep -c '^source del' "$TMP/out")" 2 "sources that apply deletes"
	lb apply "$TMP/saved" >"$TMP/out"
	equal "$(grep -c '^source add' "$TMP/out")" 2 "sources that apply adds"
	lb save | cmp "$TMP/saved" - || fail "configuration after apply"
	lb_refuses 1 "is already a source" source add "${net}23" "${net}21"
	lb_refuses 1 "is the VIP" source add "$vip_address"
	lb_refuses 1 "is a backend" source add "$backend2"
	lb_refuses 1 "is a source" service add "${vip/$vip_address/${net}21}:1/tcp"
	lb_refuses 1 "is a source" backend add "$vip:7000/tcp" "${net}21"
	lb_refuses 1 "is not a source" source del "${net}23"
	lb_refuses 2 "expected an address" source add "${net}23" "${net}24/32"
	lb_refuses 2 "expected no more words" source del "${net}21" "${net}22"
}

drained()
{
	lb source del "${net}21"
	equal "$(sources ".[] | select(.address == \"${net}21\") | .state")" '"draining"' state
	equal "$(lb save | grep -c '^source add')" 1 "sources that are saved"
	release
	hold second
	equal "$(seen_by_backends)" "${net}22" "addresses that the backends see, one draining"
	lb timeout set fin 1
	await 10 is_gone
	release
	lb source add "${net}23"
	hold third
	equal "$(seen_by_backends)" "${net}22 ${net}23" "addresses after source add"
	release
	lb source del "${net}22"
	lb source del "${net}23"
	hold fourth
	equal "$(seen_by_backends)" "$vip_address" "addresses without a pool"
	release
	await 10 all_gone
}

# A change, or refresh, takes out what has no flow left.
is_gone()
{
	lb refresh
	[ "$(sources 'map(.address)')" = "[\"${net}22\"]" ]
}

all_gone()
{
	lb refresh
	[ "$(sources length)" = 0 ]
}

pool()
{
	add_addresses 16
	own add 21 22 23
	service_up 7000/tcp
	lb source add "${net}21" "${net}22"
	equal "$(sources 'map([.state, .flows])')" '[["up",0],["up",0]]' "states and flows"
	configured
	hold first
	counted_by_source
	equal "$(seen_by_backends)" "${net}21 ${net}22" "addresses that the backends see"
	one_source_each "${net}21 ${net}22"
	equal "$(sources '[.[].flows] | add')" $CONNECTIONS "flows of the sources"
	equal "$(lb -j flow count | jq .flows)" $CONNECTIONS flows
	told
	drained
	expect_no_errors
	lb timeout set fin 120
	lb service del "$vip:7000/tcp"
	own del 21 22 23
}

lab_up
attach
start_echo tcp 7000 2
each_family pool
