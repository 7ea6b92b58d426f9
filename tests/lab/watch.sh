#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# `xdp-lb watch` as a process: it tells systemd that it is ready and what it does, outlives the
# balancer, takes it up again with other maps, and ends by SIGTERM with status 0. There is one of a
# balancer.
#
#    lb: watch ---> socat, in the place of systemd
. "$(dirname "$(realpath "$0")")/../lib.sh"

logged() # TEXT
{
	grep -qF "$1" "$TMP/watch.log"
}

logged_times() # TEXT COUNT
{
	[ "$(grep -cF "$1" "$TMP/watch.log")" = "$2" ]
}

start_watch()
{
	spawn lb env NOTIFY_SOCKET="$TMP/socket" "$top/xdp-lb" -n "${prefix}lb" \
		watch 2>"$TMP/watch.log"
	watch=$pid
}

end_watch()
{
	local status=0

	kill -TERM "$watch"
	wait "$watch" || status=$?
	equal $status 0 "status after SIGTERM"
}

refused() # WORD...
{
	local status=0

	lb watch "$@" 2>"$TMP/error" || status=$?
	equal $status 2 "status of watch $*"
	equal "$(wc -l <"$TMP/error")" 1 "lines of error of watch $*"
}

# A second one ends, without a trace; one that was killed keeps nobody away.
alone()
{
	local status=0

	lb watch -o "$TMP/second" announce 100 2>"$TMP/error" || status=$?
	equal $status 1 "status of a second watch"
	equal "$(cat "$TMP/error")" 'xdp-lb: another watch of this balancer is running' "what it says"
	kill -KILL "$watch"
	wait "$watch" || true
	start_watch
	await 5 logged 'watching the balancer on veth6'
}

# What cannot be written is said once, and so is each change that waits for it.
says_once()
{
	lb backend add 10.0.0.10:80/tcp 10.0.0.2
	lb check set 10.0.0.10:80/tcp tcp port 9 interval 0.1 timeout 0.2
	await 5 logged '10.0.0.2 of 10.0.0.10:80/tcp is failing'
	await 5 is_health failing
	kill -STOP "$watch" # so that it has something to read as well
	lb backend set 10.0.0.10:80/tcp 10.0.0.2 weight 7
	rm /run/xdp-lb.lock
	mkdir /run/xdp-lb.lock
	kill -CONT "$watch"
	spawn h2 "$TOOLS/tcp" serve 9
	await 5 logged '10.0.0.2 of 10.0.0.10:80/tcp is ok'
	await 5 logged '/run/xdp-lb.lock: Is a directory'
	sleep 2.5
	rmdir /run/xdp-lb.lock
	await 5 is_health ok
	equal "$(grep -c 'is ok' "$TMP/watch.log") $(grep -c 'Is a directory' "$TMP/watch.log")" '1 1' \
		"lines of one change, and of why it could not be made"
	kill "$pid" && wait "$pid" || true
}

is_health() # HEALTH
{
	lb -j service show | jq -e --arg health "$1" '.[0].backends[0].health == $health'
}

socat -u UNIX-RECV:"$TMP/socket" OPEN:"$TMP/notified",creat,append &
await 5 test -S "$TMP/socket"
lab_up
refused nonsense
refused from
refused from 10.0.0.11 10.0.0.12
refused -o
refused from 10.0.0.11 from fd00:10::11

start_watch
await 5 logged 'no balancer'
attach
await 5 logged 'watching the balancer on veth6 in test-lb, 0 services'
lb service add 10.0.0.10:80/tcp
await 5 logged 'veth6 in test-lb, 1 services'
"$top/scripts/detach.sh" -n "${prefix}lb" veth6
await 5 logged_times "no balancer" 2
attach
await 5 logged_times "0 services" 2
alone
lb service add 10.0.0.10:80/tcp
says_once
end_watch
for told in READY=1 'STATUS=watching the balancer on veth6' STOPPING=1; do
	await 5 grep -q "$told" "$TMP/notified"
done
