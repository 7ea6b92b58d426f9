#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A client machine that balances for itself, as one of a fleet: no balancer is in the way. Its
# configuration comes from etcd; `watch` checks the backends in every mode at their own addresses, as
# that is where its sockets go. Failing backends, backups, drains, a service of any port.
#
#    h1: curl in a cgroup, watch, etcdctl ---> h2 (etcd), h3: nginx; a backup at port 8001 of h3
. "$(dirname "$0")/../lib.sh"
. "$top/tests/cgroup.sh"

readonly OWN=/sys/fs/bpf/xdp-lb-sock
readonly DSR_VIP=10.9.0.1 # an address that no backend has

client()
{
	on h1 "$top/xdp-lb" -p $OWN "$@"
}

etcd_client() # WORD...
{
	on h1 env ETCDCTL_API=3 etcdctl --endpoints=http://10.0.0.2:2379 --command-timeout=3s "$@"
}

start_etcd()
{
	spawn h2 etcd --name h2 --data-dir "$TMP/etcd" --listen-client-urls http://10.0.0.2:2379 \
		--advertise-client-urls http://10.0.0.2:2379 \
		--listen-peer-urls http://10.0.0.2:2380 --logger zap --log-outputs "$TMP/etcd.log"
	await 20 etcd_client get nothing
}

# What xdp-lb-etcd.service does.
follow_etcd()
{
	spawn h1 env ETCDCTL_API=3 ETCDCTL_ENDPOINTS=http://10.0.0.2:2379 REPORT_KEY=/xdp-lb/report/h1 \
		BALANCER="-p $OWN" STATE_DIRECTORY="$TMP/state" \
		LOCAL_CONFIGURATION="$TMP/local.conf" "$top/scripts/etcd.sh" >"$TMP/unit.log" 2>&1
}

put() # CONFIGURATION
{
	etcd_client put /xdp-lb/fleet -- "$1" >"$TMP/put"
}

service() # VIP MODE BACKEND...
{
	echo "service add $1 mode $2"
	printf "backend add $1 %s\n" "${@:3}"
	echo "check set $1 http / interval 0.3 fall 2 rise 1"
}

# What a fleet's balancers have as well.
configuration()
{
	service 10.0.0.10:80/tcp nat 10.0.0.2:8000 10.0.0.3:8000 '10.0.0.3:8001 backup'
	service '[fd00:10::10]:80/tcp' nat '[fd00:10::2]:8000' '[fd00:10::3]:8000' \
		'[fd00:10::3]:8001 backup'
	service $DSR_VIP:8000/tcp dsr 10.0.0.2 10.0.0.3
	echo 'service add 10.0.0.10:*/tcp'
	echo 'backend add 10.0.0.10:*/tcp 10.0.0.2'
}

start_backup()
{
	on h3 "$top/scripts/web.sh" "$TMP/backup" backup 8001 2>"$TMP/web.log" &
	await 5 serves h3 8001
}

stop_server() # NAME
{
	kill "$(cat "$TMP/$1/pid")"
}

answers() # URL: who answers 20 connections, without a number
{
	inside h1 curl -sS --max-time 5 -H 'Connection: close' "$1?[1-20]" 2>&1 | sort -u | paste -sd ' '
}

healthy() # HEALTH COUNT: how many backends have it
{
	[ "$(client -j service show | jq --arg health "$1" \
		'[.[].backends[] | select(.health == $health)] | length')" = "$2" ]
}

equal_answers() # WANTED WHAT
{
	equal "$(answers http://10.0.0.10/)" "$1" "IPv4, $2"
	equal "$(answers 'http://[fd00:10::10]/')" "$1" "IPv6, $2"
	[ "$1" = backup ] || equal "$(answers http://$DSR_VIP:8000/)" "$1" "dsr, $2"
}

is_draining() # COUNT: of backends
{
	client -j service show | jq -e --argjson count "$1" \
		'[.[].backends[] | select(.state == "draining")] | length == $count'
}

lab_up
start_web
start_backup
make_cgroup
on h1 "$top/scripts/attach-sock.sh" "$cgroup" 2>"$TMP/log"
on h1 ip route add $DSR_VIP via 10.0.0.10
start_etcd
follow_etcd
put "$(configuration)"
await 10 client service show 10.0.0.10:*/tcp
spawn h1 "$top/xdp-lb" -p $OWN watch >"$TMP/watch" 2>&1
watch=$pid
await 10 healthy ok 8
equal_answers 'h2 h3' 'all are ok'
equal "$(answers http://10.0.0.10:8000/)" h2 'a service of any port'
! client where 10.0.0.10:80/tcp 10.0.0.1:40000 2>"$TMP/error" || fail "where knows what is drawn"
grep -q 'drawn when it connects' "$TMP/error" || fail "where: $(cat "$TMP/error")"

stop_server h2
await 10 healthy failing 3
equal_answers h3 'h2 is failing'
stop_server h3
await 10 healthy failing 6
equal_answers backup 'h2 and h3 are failing'
equal "$(grep -c 'next hop' "$TMP/watch")" 0 'next hops, which sockets do not need'

start_web
await 10 healthy ok 8
equal_answers 'h2 h3' 'all are ok again'
drains=$(configuration | sed -n '/\*/d; s/add \(.*2\(]:8000\|:8000\|\)\)$/drain \1/p')
put "$(configuration)"$'\n'"$drains"
await 10 is_draining 3
equal_answers h3 'h2 drains'
kill "$watch"
wait "$watch" || fail "watch ended: $(cat "$TMP/watch")"
