#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# `watch announce` keeps a route for each VIP that can be served, and BIRD tells the router of it.
# Withdrawn: when no backend can get flows, by `watch drain`, by SIGTERM, by detach.sh. They stay when
# it is killed, and while BIRD is started anew.
#
#    h1: BIRD ---- lb: BIRD, watch announce 100
. "$(dirname "$(realpath "$0")")/../lib.sh"

readonly VIP4=10.9.0.1 OTHER4=10.9.0.2 LATER4=10.9.0.3 VIP6=fd00:19::1
readonly POOL4=10.9.0.11 POOL6=fd00:19::11
readonly SOON=100 # ms from the kernel's table to the router's, on a quiet machine; 20 to 30 here

start_bird() # HOST
{
	spawn "$1" nice -n -20 bird -f -c "$TMP/$1.conf" -s "$TMP/$1.ctl"
	declare -g "bird_$1=$pid"
}

configure_birds()
{
	cat >"$TMP/lb.conf" <<-END
	log "$TMP/lb.log" all;
	router id 10.0.0.10;
	include "$top/scripts/bird/balancer.conf";
	protocol bgp router4 from announce4 { neighbor 10.0.0.1 as ROUTERS; }
	protocol bgp router6 from announce6 { neighbor fd00:10::1 as ROUTERS; }
	END
	cat >"$TMP/h1.conf" <<-END
	log "$TMP/h1.log" all;
	define VIPS = 254;
	router id 10.0.0.1;
	include "$top/scripts/bird/router.conf";
	protocol bgp lb4 from balancer4 { neighbor 10.0.0.10 as BALANCERS; }
	protocol bgp lb6 from balancer6 { neighbor fd00:10::10 as BALANCERS; }
	END
}

start_watch() # [WORD...]
{
	spawn lb "$top/xdp-lb" watch announce 100 "$@" -o "$TMP/watch" 2>>"$TMP/watch.log"
	watch=$pid
}

# How many routes a host has to an address; in the balancer those of the table.
routes() # HOST ADDRESS
{
	local family=4 table=main

	[ "${2/:/}" = "$2" ] || family=6
	[ "$1" != lb ] || table=100
	on "$1" ip "-$family" route show "$2" table $table 2>/dev/null | wc -l
}

announced() # ADDRESS...
{
	local address

	for address in "$@"; do
		[ "$(routes lb "$address")" = 1 ] && [ "$(routes h1 "$address")" = 1 ] || return 1
	done
}

withdrawn() # ADDRESS...
{
	local address

	for address in "$@"; do
		[ "$(routes lb "$address")" = 0 ] && [ "$(routes h1 "$address")" = 0 ] || return 1
	done
}

# When, in ms, an address was last withdrawn from the balancer's table, or from the router's.
time_of() # HOST ADDRESS
{
	date -d "$(sed -n "s/^\\[\\(.*\\)\\] Deleted .*$2 .*/\\1/p" "$TMP/$1.routes" | tail -n 1)" +%s%3N
}

# From the kernel's table to the router's.
expect_soon() # ADDRESS
{
	local took

	took=$(($(time_of h1 "$1") - $(time_of lb "$1")))
	within $took -$SOON "$(scaled $SOON 5000)" "ms until the router has withdrawn $1"
}

backends() # down|up VIP
{
	lb backend "$1" "$2" 10.0.0.2
	lb backend "$1" "$2" 10.0.0.3
}

services()
{
	local port

	for port in 80 443; do
		lb service add "$VIP4:$port/tcp"
		lb backend add "$VIP4:$port/tcp" 10.0.0.2
		lb backend add "$VIP4:$port/tcp" 10.0.0.3
	done
	lb service add "$OTHER4:80/tcp"
	lb service add "[$VIP6]:80/tcp"
	lb backend add "[$VIP6]:80/tcp" fd00:10::2
	lb source add $POOL4 $POOL6
}

# The pool's addresses, until it is detached.
pool_stays()
{
	announced $POOL4 $POOL6 || fail "addresses of the pool are withdrawn by $1"
}

which_are_announced()
{
	await 15 announced $VIP4 $VIP6 $POOL4 $POOL6
	equal "$(routes lb $OTHER4)" 0 "routes to a VIP without a backend"
	lb backend add $OTHER4:80/tcp 10.0.0.2
	await 5 announced $OTHER4

	# One service of the VIP is enough.
	backends down $VIP4:80/tcp
	await 5 withdrawn 10.9.0.77
	announced $VIP4 || fail "withdrawn though another service of the VIP can be served"
	backends down $VIP4:443/tcp
	await 5 withdrawn $VIP4
	expect_soon $VIP4
	lb backend up $VIP4:443/tcp 10.0.0.3
	await 5 announced $VIP4
	lb service del $OTHER4:80/tcp
	await 5 withdrawn $OTHER4
	lb service add $OTHER4:80/udp mode user
	await 5 announced $OTHER4
	lb service del $OTHER4:80/udp
	await 5 withdrawn $OTHER4
	lb backend down "[$VIP6]:80/tcp" fd00:10::2
	await 5 withdrawn $VIP6
	expect_soon $VIP6
	lb backend up "[$VIP6]:80/tcp" fd00:10::2
	await 5 announced $VIP6

	# A table has been emptied by somebody else: with the next change all is there again.
	on lb ip route flush table 100
	lb backend up $VIP4:443/tcp 10.0.0.2
	await 5 announced $VIP4
}

killed_and_stopped()
{
	local bird

	kill -KILL "$watch"
	wait "$watch" || true
	announced $VIP4 $VIP6 || fail "withdrawn as the watch was killed"
	start_watch
	# shellcheck disable=SC2154 # by start_bird
	bird=$bird_lb
	kill -KILL "$bird"
	wait "$bird" || true
	await 5 withdrawn_at_router
	start_bird lb
	await 15 announced $VIP4 $VIP6
	kill -HUP "$watch"
	wait "$watch" || fail "status $? after SIGHUP"
	announced $VIP4 $VIP6 || fail "withdrawn though another watch is to come"
	start_watch
	await 5 announced $VIP4 $VIP6
	kill -TERM "$watch"
	wait "$watch" || fail "status $? after SIGTERM"
	equal "$(routes lb $VIP4)" 0 "routes when it has ended"
	await 5 withdrawn $VIP4 $VIP6
	pool_stays SIGTERM

	held_back

	# With keep.
	start_watch keep
	backends down $VIP4:80/tcp
	lb backend down $VIP4:443/tcp 10.0.0.2
	lb backend down $VIP4:443/tcp 10.0.0.3
	await 5 announced $VIP4 $VIP6
	sleep 0.5
	announced $VIP4 || fail "withdrawn in spite of keep"
	backends up $VIP4:80/tcp
}

# Of a service with a check a backend counts once the check has found it well; but a VIP that is
# announced already does not go before the check has said anything.
not_before_its_check()
{
	lb service add $OTHER4:80/tcp
	lb check set $OTHER4:80/tcp tcp interval 60
	lb backend add $OTHER4:80/tcp 10.0.0.2
	lb service add $LATER4:80/tcp
	lb backend add $LATER4:80/tcp 10.0.0.2
	await 5 announced $LATER4
	equal "$(routes lb $OTHER4)" 0 "routes to a VIP whose backend is not checked yet"
	lb check del $OTHER4:80/tcp
	await 5 announced $OTHER4
	lb check set $OTHER4:80/tcp tcp interval 60
	lb service del $LATER4:80/tcp
	await 5 withdrawn $LATER4
	announced $OTHER4 || fail "withdrawn as it got a check"
	lb service del $OTHER4:80/tcp
	await 5 withdrawn $OTHER4
}

# Without a way to one backend its table is not that of others: it is not announced at first.
held_back()
{
	{ lb save && echo "backend add $VIP4:80/tcp 10.0.0.77"; } >"$TMP/conf"
	lb apply "$TMP/conf" >"$TMP/out" 2>&1
	start_watch
	await 5 announced $VIP6
	sleep 1.5
	equal "$(routes lb $VIP4)" 0 "routes to a VIP one of whose backends is not found"
	on h2 ip addr add 10.0.0.77/24 dev veth3
	lb refresh
	await 3 announced $VIP4
	kill -TERM "$watch"
	wait "$watch" || fail "status $? after SIGTERM"
	lb backend del $VIP4:80/tcp 10.0.0.77
	on h2 ip addr del 10.0.0.77/24 dev veth3
}

withdrawn_at_router()
{
	[ "$(routes h1 $VIP4)" = 0 ]
}

# In mode nat once no flow is left; others would go on to another balancer.
drained()
{
	local drain

	"$top/xdp-lb" watch drain -o "$TMP/watch" >"$TMP/drain"
	grep -q '^empty: nothing' "$TMP/drain" || fail "said: $(cat "$TMP/drain")"
	await 5 withdrawn $VIP4 $VIP6
	pool_stays "a drain"
	"$top/xdp-lb" watch up -o "$TMP/watch"
	await 5 announced $VIP4 $VIP6
	! "$top/xdp-lb" watch up -o "$TMP/watch" 2>/dev/null || fail "a drain was ended twice"

	on h2 "$TOOLS/steady" serve 80 h2 &
	on h3 "$TOOLS/steady" serve 80 h3 &
	await 5 serves h2 80
	await 5 serves h3 80
	spawn h1 "$TOOLS/steady" talk $VIP4 80 20 20000 50 >"$TMP/talk"
	await 10 grep -q open "$TMP/talk"
	"$top/xdp-lb" watch drain -o "$TMP/watch" >"$TMP/drain" &
	drain=$!
	await 5 grep -q '^20 flows left' "$TMP/drain"
	await 5 announced $VIP4
	on lb ip route show table 100 | grep "$VIP4 .* metric 32768" >/dev/null ||
		fail "not marked as drained"
	birdc -s "$TMP/h1.ctl" show route $VIP4/32 table balancers4 all | grep '65535,0' >/dev/null ||
		fail "not announced as drained"
	await 5 withdrawn $VIP6
	sleep 1.5
	announced $VIP4 || fail "withdrawn though it has flows"
	kill -USR1 "$pid"
	wait "$pid" || fail "a message was wrong"
	equal "$(awk 'NF == 4 { sum += $3 } END { print sum }' "$TMP/talk")" 0 "connections broken"
	lb flow flush # closed ones, which live on for a time
	wait "$drain" || fail "status $? of watch drain"
	await 5 withdrawn $VIP4 $VIP6
	note "$(paste -sd, "$TMP/drain")"
	"$top/xdp-lb" watch up -o "$TMP/watch"
	await 5 announced $VIP4 $VIP6

	# Not for ever.
	spawn h1 "$TOOLS/steady" talk $VIP4 80 20 20100 50 >"$TMP/talk"
	await 10 grep -q open "$TMP/talk"
	"$top/xdp-lb" watch drain within 1 -o "$TMP/watch" >"$TMP/drain" &
	drain=$!
	await 5 grep -q 'flows left' "$TMP/drain"
	touch "$TMP/watch/other.new"
	mv "$TMP/watch/other.new" "$TMP/watch/other" # as status.json comes
	wait $drain || fail "status $? of watch drain within 1"
	grep -q '^empty: withdrawn with 20 flows left' "$TMP/drain" || fail "$(cat "$TMP/drain")"
	await 5 withdrawn $VIP4
	kill -KILL "$pid"
	wait "$pid" || true
	"$top/xdp-lb" watch up -o "$TMP/watch"
	await 5 announced $VIP4
}

lab_up
for host in h2 h3; do
	on $host ip route add $POOL4 via 10.0.0.10
done
on h1 sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
attach
configure_birds
on h1 ip -ts monitor route >"$TMP/h1.routes" &
on lb ip -ts monitor route >"$TMP/lb.routes" &
start_bird h1
start_bird lb
services
start_watch
which_are_announced
not_before_its_check
killed_and_stopped
drained

# Taken off while it runs, and after it was killed: the next one withdraws, or detach.sh.
on lb ip link set dev veth6 xdp off
await 5 withdrawn $VIP4 $VIP6 $POOL4 $POOL6
attach
await 5 announced $VIP4 $VIP6 $POOL4 $POOL6
kill -KILL "$watch"
wait "$watch" || true
on lb ip link set dev veth6 xdp off
start_watch
await 5 withdrawn $VIP4 $VIP6 $POOL4 $POOL6
attach
await 5 announced $VIP4 $VIP6 $POOL4 $POOL6
kill -KILL "$watch"
wait "$watch" || true
"$top/scripts/detach.sh" -n "${prefix}lb" veth6 >"$TMP/out" 2>&1
await 5 withdrawn $VIP4 $VIP6 $POOL4 $POOL6
