#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# In modes dsr and ipip `xdp-lb watch` checks the VIP at each backend: with an address of its own
# (from) by tcp and http, else by handshakes from the host's. A VIP that is missing, or a tunnel that
# is off, is found in time. Nothing stays when watch is killed.
#
#    h1 curl ---> lb, watch (10.0.0.11, fd00:10::11) ---> h2, h3 nginx, VIP on lo
. "$(dirname "$(realpath "$0")")/../topology.sh"

[ "$MODES" != 'nat dsr ipip dnat' ] || MODES='dsr ipip'

start_watch() # WORD...
{
	spawn lb "$top/xdp-lb" -n "${prefix}lb" watch "$@" 2>>"$TMP/watch.log"
	watch=$pid
}

health_is() # ADDRESS HEALTH
{
	lb -j service show "$service" | jq -e --arg address "$1" --arg health "$2" \
		'.[0].backends[] | select(.address == $address) | .health == $health'
}

more_failures() # THAN
{
	[ "$(grep -c 'is failing' "$TMP/watch.log")" -gt "$1" ]
}

# fall * interval + timeout + 0.2 s.
fails_in_time() # WHAT
{
	local began lines

	lines=$(grep -c 'is failing' "$TMP/watch.log") || true
	began=$(date +%s%N)
	await 5 more_failures "$lines"
	within $((($(date +%s%N) - began) / 1000000)) 0 "$(scaled 1400 20000)" "ms until failing: $1"
	await 5 health_is "$(at 0 2)" failing
	equal "$(ask 6)" 'h3 6' "answers: $1"
}

# The VIP is gone from a backend; its tunnel is off.
loses_its_vip()
{
	backend_undo h2 veth3
	fails_in_time "no VIP, mode $mode"
	backend_apply h2 veth3
	await 5 health_is "$(at 0 2)" ok
}

stops()
{
	on h2 nft add table inet t '{ chain c {
		type filter hook input priority 0; tcp dport 8000 reject with tcp reset; }; }'
	fails_in_time "refused, mode $mode"
	on h2 nft delete table inet t
	await 5 health_is "$(at 0 2)" ok
}

with_from()
{
	start_watch from 10.0.0.11 fd00:10::11
	await 5 lb check set "$service" http / interval 0.2 timeout 0.3
	await 5 health_is "$(at 0 2)" ok
	await 5 health_is "$(at 0 3)" ok
	loses_its_vip
	stops
	lb check set "$service" http /no-such-file interval 0.1 timeout 0.5
	await 5 health_is "$(at 0 2)" failing
	lb check set "$service" tcp interval 0.1 timeout 0.5
	await 5 health_is "$(at 0 2)" ok
	kill -KILL "$watch"
	wait "$watch" 2>/dev/null || true
	equal "$(on lb ip -o link | grep -c macvlan)$(on lb ip rule | wc -l)" 03 "what watch leaves"
	lb check del "$service"
}

refuses_http()
{
	! lb check set "$service" http / 2>"$TMP/error"
}

from_host()
{
	start_watch
	await 5 refuses_http
	grep -q 'watch from' "$TMP/error" || fail "$(cat "$TMP/error")"
	lb check set "$service" tcp interval 0.2 timeout 0.3 2>"$TMP/error"
	grep -q 'handshakes only' "$TMP/error" || fail "$(cat "$TMP/error")"
	await 5 health_is "$(at 0 2)" ok
	loses_its_vip
	stops
	kill -TERM "$watch"
	wait "$watch"
}

all()
{
	service=$vip:8000/tcp
	backends_apply
	lb service add "$service" mode "$mode"
	lb backend add "$service" "$(at 0 2)"
	lb backend add "$service" "$(at 0 3)"
	with_from
	from_host
	lb service del "$service"
	backends_undo
}

lab_up
reach h1 $VIP_NETWORK 0 10
attach
start_web
each_family each_mode all
