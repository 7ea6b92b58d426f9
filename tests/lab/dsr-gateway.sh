#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# In mode dsr a frame for the VIP reaches whoever has the MAC address: behind a gateway that is the
# gateway, which sends it back here. So such a backend is lb_refuses, or kept out of a file until its
# way is another one. And a backend is not taken twice.
#
#    h1 --- sw --- lb VIP --- sw ---+--- h2, h3
#                                   +--- g1 10.0.0.8 ---+--- b4 10.1.0.2
. "$(dirname "$(realpath "$0")")/../topology.sh"

readonly PORT=9

mac_of() # BACKEND
{
	lb -j service show "$service" |
		jq -r --arg a "$1" '.[0].backends[] | select(.address == $a) | .mac // "none"'
}

named()
{
	grep -qF "backend $far: mode dsr" "$TMP/error" || fail "not named: $(cat "$TMP/error")"
	equal "$(wc -l <"$TMP/error")" 1 "lines of error"
	equal "$(mac_of "$far")" none "MAC of a backend behind a gateway"
}

behind_gateway()
{
	service=$vip:$PORT/tcp far=$(at 1 2)
	lb service add "$service" mode dsr
	lb backend add "$service" "$near"
	lb_refuses 1 'gateway' backend add "$service" "$far"
	lb_refuses 1 'mac' backend add "$service" "$far"

	# Its word counts.
	lb backend add "$service" "$far" mac de:ad:be:ef:00:03
	lb refresh
	equal "$(mac_of "$far")" de:ad:be:ef:00:03 "MAC that was given"
	lb backend del "$service" "$far"

	# In a file it is kept out, and brought in when its way is another one.
	lb save >"$TMP/file"
	echo "backend add $service $far" >>"$TMP/file"
	lb apply "$TMP/file" >"$TMP/out" 2>"$TMP/error"
	named
	lb refresh 2>"$TMP/error"
	named
	plug b4 eth1 sw 0 44
	[ "$family" = 4 ] || on b4 ip addr add "$far/128" dev eth1 nodad
	on lb ip route replace "$far" dev veth6
	lb refresh
	[ "$(mac_of "$far")" != none ] || fail "it is on the link, and not brought in"
	on lb ip route del "$far"
	on b4 ip link del eth1

	# A route that becomes one over a gateway takes nothing away: its MAC may still be right.
	lb refresh 2>"$TMP/error"
	grep -qF "backend $far: mode dsr" "$TMP/error" || fail "not named: $(cat "$TMP/error")"
	[ "$(mac_of "$far")" != none ] || fail "refresh takes away what was known"
	lb service del "$service"
}

# By way of a service that was in another mode, of which gateways are no matter.
from_another_mode()
{
	lb service add "$service" mode nat
	lb backend add "$service" "$far"
	[ "$(mac_of "$far")" != none ] || fail "no MAC of a gateway in mode nat"
	lb save | sed 's/mode nat/mode dsr/' >"$TMP/file"
	lb apply "$TMP/file" >"$TMP/out" 2>"$TMP/error"
	named
	lb service del "$service"
}

with_port() # ADDRESS PORT
{
	[ "$family" = 4 ] && echo "$1:$2" || echo "[$1]:$2"
}

twice()
{
	lb service add "$service"
	lb backend add "$service" "$near"
	lb backend add "$service" "$(with_port "$other" $PORT)"
	lb backend add "$service" "$(with_port "$near" 10)"
	lb_refuses 1 "$near" backend add "$service" "$(with_port "$near" $PORT)"
	lb_refuses 1 "$other" backend add "$service" "$other"
	{ lb save && echo "backend add $service $other"; } >"$TMP/file"
	lb_refuses 2 "$TMP/file:$(wc -l <"$TMP/file")" apply "$TMP/file"
	lb service del "$service"

	# Of a service of any port these are two.
	lb service add "$vip:*/tcp"
	lb backend add "$vip:*/tcp" "$near"
	lb backend add "$vip:*/tcp" "$(with_port "$near" $PORT)"
	lb service del "$vip:*/tcp"
}

for_family()
{
	use_mode dsr
	near=$(at 0 2) other=$(at 0 3)
	behind_gateway
	from_another_mode
	twice
}

lab_up
beyond_router b4 g1 1 8 lb
attach
each_family for_family
