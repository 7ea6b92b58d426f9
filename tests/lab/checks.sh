#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# `xdp-lb watch` checks backends in mode nat: by connections, by HTTP, by programs. A backend that
# fails gets no more clients in time, and gets them again; what ends `watch` ends no health.
#
#    h1 curl ---> lb, watch ---> h2, h3 nginx
. "$(dirname "$(realpath "$0")")/../lib.sh"

readonly PROGRAMS=/etc/xdp-lb/checks.d
readonly SHARED=$TMP/shared # with a program that checks

# With no more privileges than its unit gives it.
start_watch()
{
	local granted

	granted=$(sed -n 's/^CapabilityBoundingSet=//p' "$top/scripts/systemd/xdp-lb-watch.service" |
		tr 'A-Z ' 'a-z,' | sed 's/cap_/+/g')
	spawn lb setpriv --bounding-set "-all,$granted" "$top/xdp-lb" -n "${prefix}lb" watch \
		2>>"$TMP/watch.log"
	watch=$pid
}

health_is() # ADDRESS HEALTH
{
	lb -j service show "$service" | jq -e --arg address "$1" --arg health "$2" \
		'.[0].backends[] | select(.address == $address) | .health == $health'
}

logged() # TEXT
{
	grep -qF "$1" "$TMP/watch.log"
}


# What h2 does with what comes to a port.
on_port() # PORT VERDICT
{
	on h2 nft add table inet t "{ chain c {
		type filter hook input priority 0; tcp dport $1 $2; }; }"
}

# A port that refuses: the process is dead. Seen within fall * interval + timeout.
refuses()
{
	local began

	on_port 8000 'reject with tcp reset'
	began=$(date +%s%N)
	await 5 health_is "$backend2" failing
	within $((($(date +%s%N) - began) / 1000000)) 0 2200 "ms until h2 was failing"
	equal "$(ask 6)" 'h3 6' "answers while h2 refuses"
	logged "$backend2 of $service is failing: Connection refused" ||
		fail "not logged: $(cat "$TMP/watch.log")"
	on h2 nft delete table inet t
	await 5 health_is "$backend2" ok
}

# One that is silent.
is_silent()
{
	local began

	on_port 8000 drop
	began=$(date +%s%N)
	await 5 health_is "$backend2" failing
	within $((($(date +%s%N) - began) / 1000000)) 0 3200 "ms until h2 was failing"
	logged "is failing: no answer in time" || fail "not logged: $(cat "$TMP/watch.log")"
	on h2 nft delete table inet t
	await 5 health_is "$backend2" ok
}

# Where all would fail, checks are not believed, which is said once; and again, when they are.
says_panic()
{
	lb check set "$service" tcp port 1 interval 0.1 timeout 0.5 panic 60
	await 5 logged "$service: fewer than 60 % of the backends would be left"
	lb check set "$service" tcp interval 0.1 timeout 0.5 panic 60
	await 5 logged "$service: checks are believed again"
	await 5 health_is "$backend2" ok
}

by_http()
{
	lb check set "$service" http /no-such-file interval 0.1 timeout 0.5 fall 2
	await 5 health_is "$backend2" failing
	logged 'is failing: status 404' || fail "not logged: $(cat "$TMP/watch.log")"
	lb check set "$service" http /no-such-file status 404 interval 0.1 timeout 0.5
	await 5 health_is "$backend2" ok
	lb check set "$service" http / host www.example.org interval 0.1 timeout 0.5
	sleep 0.5
	health_is "$backend2" ok >/dev/null || fail "http / is not ok"
}

by_program()
{
	rm -f "$PROGRAMS/probe"
	sed "s|SHARED|$SHARED|" >"$PROGRAMS/probe" <<-'END'
		#!/bin/sh
		echo "$# $VIP $REAL $(id -u) $(grep CapEff /proc/self/status)" >SHARED/said
		[ ! -e SHARED/bad ]
	END
	chmod 755 "$PROGRAMS/probe"
	rm -f "$SHARED/said" "$SHARED/bad"
	lb backend health "$service" "$backend2" failing
	lb check set "$service" exec probe interval 0.1 timeout 1
	await 5 health_is "$backend2" ok
	await 5 grep -qE "^0 .* 65534 CapEff:.0+$" "$SHARED/said"
	touch "$SHARED/bad"
	await 5 health_is "$backend2" failing
	logged 'is failing: status 1' || fail "not logged: $(cat "$TMP/watch.log")"
	rm "$SHARED/bad"
	chmod 777 "$PROGRAMS/probe"
	sleep 0.3
	chmod 755 "$PROGRAMS/probe"
	await 5 health_is "$backend2" ok
	chown nobody "$PROGRAMS/probe"
	await 5 health_is "$backend2" failing
	logged "not root's file" || fail "not logged: $(cat "$TMP/watch.log")"
}

hanging()
{
	[ "$(pgrep -c -f '^sleep 777')" -gt 0 ]
}

not_hanging()
{
	! hanging
}

# A program that does not end is ended, at its time or with `watch`; so is what it has begun.
program_hangs()
{
	printf '#!/bin/sh\nsetsid sleep 777 &\nexec sleep 777\n' >"$PROGRAMS/hang"
	printf '#!/bin/sh\nsetsid sleep 777 &\n' >"$PROGRAMS/leave"
	chmod 755 "$PROGRAMS/hang" "$PROGRAMS/leave"
	lb backend health "$service" "$backend2" ok
	lb check set "$service" exec hang interval 0.2 timeout 0.3
	await 5 health_is "$backend2" failing
	lb check set "$service" exec hang interval 0.2 timeout 60
	await 5 hanging
	kill -KILL "$watch"
	wait "$watch" 2>/dev/null || true
	await 2 not_hanging
	start_watch
	lb check set "$service" exec leave interval 0.2 timeout 0.3
	await 5 health_is "$backend2" ok
	lb check del "$service"
	await 2 not_hanging
}

# Doctor says so, when it has been dead for some time.
names_the_dead()
{
	sleep 10
	lb doctor veth6 >"$TMP/findings" || true
	grep -q '^watch: .*last alive 1[0-9] s ago' "$TMP/findings" ||
		fail "doctor does not name it: $(cat "$TMP/findings")"
}

# A kill leaves what it had said; the next one goes on.
killed()
{
	lb check set "$service" tcp interval 0.1 timeout 0.5
	await 5 health_is "$backend2" ok
	lb check set "$service" tcp port 1 interval 0.1 timeout 0.5
	await 5 health_is "$backend2" failing
	kill -KILL "$watch"
	wait "$watch" 2>/dev/null || true
	health_is "$backend2" failing >/dev/null || fail "health after a kill"
	[ "$family" = 6 ] || names_the_dead
	lb metrics | grep '^xdplb_watch_age_seconds ' >/dev/null || fail "no age in metrics"
	lb check set "$service" tcp interval 0.1 timeout 0.5
	start_watch
	await 5 health_is "$backend2" ok
}

all()
{
	service=$vip:8000/tcp
	service_up 8000/tcp
	lb check set "$service" tcp interval 0.5
	await 5 health_is "$backend2" ok
	await 5 health_is "$backend3" ok
	refuses
	is_silent
	says_panic
	by_http
	by_program
	program_hangs
	killed
	lb service del "$service"
}

chmod 755 "$TMP" # checks are nobody's
mkdir -m 1777 "$SHARED"
mkdir "$TMP/upper" "$TMP/work"
mount -t overlay -o "lowerdir=/etc,upperdir=$TMP/upper,workdir=$TMP/work" overlay /etc
mkdir -p "$PROGRAMS"
lab_up
attach
start_web
start_watch
each_family all
kill -TERM "$watch"
status=0
wait "$watch" || status=$?
equal $status 0 "status after SIGTERM"
