#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What `xdp-lb doctor` proposes takes no traffic away, and what refuses clients is a finding.
#
#    h1 ---+--- sw --- veth6 lb ---+--- h2, h3 backends          VIPs: 10.0.0.10, 10.9.0.1
# The lab of README, whose recipe is run here, has no prefix.
# shellcheck disable=SC2034,SC2154 # for lib.sh, and from it
LAB=''
. "$(dirname "$(realpath "$0")")/../topology.sh" || exit
. "$top/tests/doctor.sh" || exit

# Requests are answered after all that doctor proposes was done, and it proposes some things only.
harmless() # UNWANTED
{
	local said line

	said=$(lb doctor veth6) && fail "doctor finds nothing"
	[[ $said != *$1* ]] || fail "'$1' is proposed: $said"
	while IFS= read -r line; do
		note "$line"
		parse_finding "$line"
		[ "$purpose" = 'mend at a quiet time' ] || run_command
	done <<<"$said"
	equal "$(sum_of "$(ask 20)")" 20 "requests of 20 that are answered afterwards"
}

recipe()
{
	sed -n '/^<!-- recipe/,/^```$/p' "$top/README.md" | sed '/^<!--/d; /^```/d' >"$TMP/recipe.sh"
	grep -q xlb_services "$TMP/recipe.sh" || fail "no recipe in README.md"
	(cd "$top" && bash -eu "$TMP/recipe.sh" >/dev/null)
	healthy
	"$top/scripts/detach.sh" -n lb veth6
}

# Traffic needs no route of the host's: XDP has the next hops.
route_gone()
{
	on lb ip route del "$(at 0 0)/$([ "$family" = 4 ] && echo 24 || echo 64)" dev veth6
	harmless 'backend d'
	on lb ip route add "$(at 0 0)/$([ "$family" = 4 ] && echo 24 || echo 64)" dev veth6
	lb refresh
	healthy
}

drained()
{
	lb backend drain "$vip:$PORT/tcp" "$backend2"
	healthy
	lb backend drain "$vip:$PORT/tcp" "$backend3"
	finds no-backend '2 draining'
	shows draining
	lb backend down "$vip:$PORT/tcp" "$backend3"
	finds no-backend '1 draining, 1 down'
	lb backend up "$vip:$PORT/tcp" "$backend2"
	lb backend up "$vip:$PORT/tcp" "$backend3"
	healthy
	lb service add "$vip:81/tcp"
	finds no-backend 'has no backend'
	lb service del "$vip:81/tcp"
	healthy
}

flood() # COUNT
{
	on h1 "$TOOLS/flood" -r 1000 -c "$1" -s "$client" veth0 "$balancer_mac" "$vip_address" $PORT \
		>/dev/null
}

refused()
{
	lb stats zero
	lb limit set "$vip:$PORT/tcp" flows 5
	healthy
	flood 74
	finds refused flow-limited
	shows 'flows 5'
	lb limit del "$vip:$PORT/tcp"
	lb stats zero
	lb flow flush
	lb limit set "$vip:$PORT/tcp" conns 5
	healthy
	flood 74
	finds refused flow-limited
	shows 'conns 5'
	lb limit del "$vip:$PORT/tcp"
	lb stats zero
	lb deny add "$client"
	healthy
	flood 50
	finds refused denied
	shows "$client"
	lb deny del "$client"
	lb stats zero
	healthy
}

# VIPs that this host does not own: one finding, not one each. Where packets come, none.
not_owned()
{
	local vips=("$(at 0 51)" "$(at 0 52)" "$(at $VIP_NETWORK 53)") each pid

	reach h2 $VIP_NETWORK 0 10
	for each in "${vips[@]}"; do
		[ "$family" = 4 ] || each="[$each]"
		lb service add "$each:$PORT/tcp"
		lb backend add "$each:$PORT/tcp" "$backend2"
	done
	finds vip 'the first is'
	[[ $command == *'ip route add local '* ]] || fail "no local route in: $command"
	[ "$family" = 6 ] || [[ $command != *'ip addr'* ]] || fail "an address in: $command"
	mends
	on lb ip route del local "$(at 0 51)" dev lo 2>/dev/null ||
		on lb ip addr del "$(at 0 51)/128" dev veth6
	finds vip "$(at 0 51)"
	on h1 "$TOOLS/flood" -r 50 -c 200 -s "$client" veth0 "$balancer_mac" "$(at 0 51)" $PORT \
		>/dev/null &
	pid=$!
	sleep 0.2
	lb doctor veth6 >"$TMP/said" || true
	! grep ^vip: "$TMP/said" || fail "a VIP for which packets come is reported"
	wait $pid
	for each in "${vips[@]}"; do
		[ "$family" = 4 ] || each="[$each]"
		lb service del "$each:$PORT/tcp"
	done
	on lb ip route flush table local to root "$(at $VIP_NETWORK 53)"
	lb stats zero
	healthy
}

# New flows of dsr take the fast path, unless they are traced.
slow_path()
{
	local pid

	spawn lb "$top/xdp-lb" trace >"$TMP/trace"
	sleep 0.5
	flood 300
	kill -INT "$pid"
	wait "$pid" || true
	finds slow-path "'trace'"
	shows "$vip"
	lb stats zero
	healthy
}

# A dsr backend that forwards and has not the VIP: it routes its packets back.
returned()
{
	lb service add "$vip:$PORT/tcp" mode dsr
	lb backend add "$vip:$PORT/tcp" "$backend2"
	lb backend add "$vip:$PORT/tcp" "$backend3"
	healthy
	flood 300
	healthy
	slow_path
	make_router h2
	reach h2 $VIP_NETWORK 0 10
	finds returned "$backend2"
	equal "$certainty" certain "how sure that is"
	mends
	on h2 sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
}

gateway()
{
	on lb ip route add "$backend2" via "$backend3" dev veth6
	finds gateway "$backend3"
	shows "via $backend3"
	on lb ip route del "$backend2"
	healthy
	lb service del "$vip:$PORT/tcp"
}

# A fault that has nothing to do with the VIP, though the backend has it, as it shall.
dead_tunnel()
{
	local said

	on h2 ip addr add "$vip_address/32" dev lo 2>/dev/null || true
	lb service add "$vip:$PORT/tcp" mode ipip
	lb backend add "$vip:$PORT/tcp" "$backend2"
	lb backend add "$vip:$PORT/tcp" "$backend3"
	on h2 ip link set dev veth3 down
	said=$(lb doctor veth6) && fail "doctor finds nothing"
	[[ $said != *accept_local* ]] || fail "accept_local is proposed: $said"
	finds backend 'does not answer'
	[[ $command == *"backend drain"* ]] || fail "no drain in: $command"
	lb backend drain "$vip:$PORT/tcp" "$backend3"
	finds backend 'does not answer'
	equal "$purpose" look "what the command is for, without another backend"
	on h2 ip link set dev veth3 up
	lb service del "$vip:$PORT/tcp"
}

# The balancer owns the VIP of a dsr service, and asks from it: a backend that has it too does not
# answer then. Nothing is wrong while its MAC is known.
deaf()
{
	vip_address=10.0.0.10 vip=10.0.0.10
	lb service add "$vip:$PORT/tcp" mode dsr
	lb backend add "$vip:$PORT/tcp" "$backend2"
	on h2 sysctl -qw net.ipv4.conf.all.arp_ignore=1
	on h2 ip addr add "$vip_address/32" dev lo
	healthy
	lb save >"$TMP/save"
	lb service del "$vip:$PORT/tcp"
	on lb ip neigh flush dev veth6
	lb apply "$TMP/save" 2>/dev/null >&2
	finds backend 'not from the VIP'
	[[ $command == *de:ad:be:ef:00:02* ]] || fail "not its MAC in: $command"
	mends
	lb service del "$vip:$PORT/tcp"
}

for_family()
{
	client=$(at 0 1)
	vip_address=$(at 0 10)
	use_mode nat
	service_up $PORT/tcp
	route_gone
	drained
	refused
	not_owned
	lb service del "$vip:$PORT/tcp"
	use_mode dsr
	returned
	gateway
}

lab_up
recipe
attach
start_web
each_family for_family
use_family 4
use_mode ipip
dead_tunnel
deaf
