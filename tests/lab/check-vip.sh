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

# A reset is what makes it fail: its time would come much later.
resets() # TYPE REASON MATCH...
{
	# shellcheck disable=SC2086 # http /: two words
	lb check set "$service" $1 interval 0.2 timeout 5 2>"$TMP/error"
	shift
	await 5 health_is "$(at 0 2)" ok
	on h2 nft add table inet t "{ chain c {
		type filter hook input priority 0; ${*:2} reject with tcp reset; }; }"
	fails_in_time "$1, mode $mode"
	[[ $(grep 'is failing' "$TMP/watch.log" | tail -n 1) == *"is failing: $1" ]] ||
		fail "another reason: $(tail -n 3 "$TMP/watch.log")"
	on h2 nft delete table inet t
	await 5 health_is "$(at 0 2)" ok
}

# One that has lost its VIP and forwards: what it gets comes back here, and would get to h3.
hands_it_back()
{
	backend_undo h2 veth3
	make_router h2
	reach h2 $VIP_NETWORK 0 10
	fails_in_time "forwards, mode $mode"
	sleep 1
	health_is "$(at 0 2)" failing >/dev/null || fail "ok by the answers of h3, mode $mode"
	on h2 sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
	on h2 ip route del 10.$VIP_NETWORK.0.0/24
	on h2 ip route del fd00:1$VIP_NETWORK::/64
	backend_apply h2 veth3
	await 5 health_is "$(at 0 2)" ok
}

stops() # TYPE
{
	resets "$1" 'Connection refused' tcp dport 8000
}

not_checked()
{
	grep -cF "$service is not checked: in mode $mode" "$TMP/watch.log" || true
}

is_said()
{
	[ "$(not_checked)" = 1 ]
}

# A check that comes by a file, for which this host has no address to check from: said once.
cannot_be_checked()
{
	lb save >"$TMP/saved"
	sed -i "\$ i check set $service http /" "$TMP/saved"
	lb apply "$TMP/saved"
	await 5 is_said
	lb backend set "$service" "$(at 0 2)" weight 50
	lb backend set "$service" "$(at 0 2)" weight 100
	sleep 0.5
	equal "$(not_checked)" 1 "times that it was said"
	health_is "$(at 0 2)" unknown || fail "it has a health"
}

with_from()
{
	start_watch from 10.0.0.11 fd00:10::11
	await 5 lb check set "$service" http / interval 0.2 timeout 0.3
	await 5 health_is "$(at 0 2)" ok
	await 5 health_is "$(at 0 3)" ok
	loses_its_vip
	hands_it_back
	stops 'http /'
	resets 'http /' 'reset by the backend' tcp dport 8000 tcp flags psh
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
	cannot_be_checked
	lb check set "$service" tcp interval 0.2 timeout 0.3 2>"$TMP/error"
	grep -q 'handshakes only' "$TMP/error" || fail "$(cat "$TMP/error")"
	await 5 health_is "$(at 0 2)" ok
	loses_its_vip
	hands_it_back
	stops tcp
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
