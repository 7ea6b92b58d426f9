#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The deny list: 100,000 prefixes are loaded in under 5 s; a denied source gets nothing from services,
# all else from the host; its neighbour gets everything.
#
#    h1 10.0.0.1, 10.0.0.101 (denied), 10.0.0.102 ---> lb ---> h2, h3 nginx
. "$(dirname "$(realpath "$0")")/../lib.sh"

# 60,000 IPv4 prefixes of several lengths, 40,000 of IPv6, none of them the lab's.
many_prefixes()
{
	awk 'BEGIN {
		for (i = 0; i < 30000; i++)
			printf "deny add %d.%d.%d.%d/32\n", 20 + i % 50, i / 256 % 256, i % 256, i % 7
		for (i = 0; i < 30000; i++)
			printf "deny add %d.%d.%d.0/24\n", 80 + i % 3, i / 250, i % 250
		for (i = 0; i < 20000; i++)
			printf "deny add 2001:db8:%x:%x::/64\n", i / 200, i % 200
		for (i = 0; i < 20000; i++)
			printf "deny add 2001:db9:%x::%x/128\n", i / 200, i % 200 + 1
	}'
}

load()
{
	local before took

	{
		lb save
		many_prefixes
	} >"$TMP/conf"
	before=${EPOCHREALTIME/./}
	lb apply "$TMP/conf" >"$TMP/applied"
	took=$(((${EPOCHREALTIME/./} - before) / 1000))
	equal "$(lb deny show | wc -l)" 100000 "denied prefixes"
	within $took 0 5000 "ms to load 100,000 prefixes"
	lb save | grep -v '^#' >"$TMP/saved"
	lb apply "$TMP/saved" >"$TMP/applied"
	equal "$(lb save | grep -v '^#' | cmp - "$TMP/saved" 2>&1)" "" "what is saved after it was applied"
}

# Requests from an address of the client's that are answered.
answered() # ADDRESS COUNT
{
	local i count=0

	for ((i = 0; i < $2; i++)); do
		! on h1 curl -sS --max-time 1 --interface "$1" "$url/" >/dev/null 2>&1 ||
			count=$((count + 1))
	done
	echo "$count"
}

deny()
{
	local denied=$more neighbour

	neighbour=$([ "$family" = 4 ] && echo 10.0.0.102 || echo fd00:10::102)
	add_addresses 2
	service_up 8000/tcp
	load
	equal "$(answered "$denied" 20)" 20 "answers before it is denied"

	lb deny add "$denied"
	equal "$(answered "$denied" 3)" 0 "answers to a denied source"
	equal "$(answered "$neighbour" 100)" 100 "answers to its neighbour"
	on h1 ping -q -c 2 -W 1 -I "$denied" "$vip_address" >/dev/null ||
		fail "the deny list applies to what is of no service"
	within "$(lb -j stats | jq '[.verdicts[] | select(.reason == "denied") | .packets] | add')" \
		3 100000 "packets denied"

	lb deny del "$denied"
	equal "$(answered "$denied" 20)" 20 "answers after it is denied no more"
	lb service del "$vip:8000/tcp"
	lb save | grep -v '^deny' >"$TMP/conf"
	lb apply "$TMP/conf" >/dev/null
	equal "$(lb deny show)" "" "denied prefixes at the end"
}

lab_up
attach
start_web
each_family deny
