#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The configuration comes from etcd, by scripts/etcd.sh. A value that is wrong or empty is refused and
# reported, and the old one stays. Changes go on while one member after the other dies; without a
# majority nothing changes, and traffic goes on.
#
#    h1, h2, h3: etcd ---- lb: etcdctl watch, xdp-lb apply
. "$(dirname "$(realpath "$0")")/../lib.sh"

readonly MEMBERS=h1=http://10.0.0.1:2380,h2=http://10.0.0.2:2380,h3=http://10.0.0.3:2380
readonly ENDPOINTS=http://10.0.0.1:2379,http://10.0.0.2:2379,http://10.0.0.3:2379
declare -A member=()

start_member() # HOST
{
	local address=http://10.0.0.${1#h}

	spawn "$1" etcd --name "$1" --data-dir "$TMP/etcd-$1" --initial-cluster $MEMBERS \
		--listen-peer-urls "$address:2380" --initial-advertise-peer-urls "$address:2380" \
		--listen-client-urls "$address:2379" --advertise-client-urls "$address:2379" \
		--initial-cluster-state "${2-new}" --logger zap --log-outputs "$TMP/etcd-$1.log"
	member[$1]=$pid
}

kill_member() # HOST
{
	kill -KILL "${member[$1]}"
	wait "${member[$1]}" 2>/dev/null || true
}

etcd_client() # WORD...
{
	on lb env ETCDCTL_API=3 etcdctl --endpoints=$ENDPOINTS --command-timeout=3s "$@"
}

# As systemd does: it is started again whenever it ends.
run_unit()
{
	while :; do
		on lb env ETCDCTL_API=3 ETCDCTL_ENDPOINTS=$ENDPOINTS REPORT_KEY=/xdp-lb/report/lb \
			STATE_DIRECTORY="$TMP/state" LOCAL_CONFIGURATION="$TMP/local.conf" \
			"$top/scripts/etcd.sh" || true
		sleep 0.2
	done >"$TMP/unit.log" 2>&1
}

configuration() # WEIGHT
{
	echo "service add 10.0.0.10:8000/tcp"
	echo "backend add 10.0.0.10:8000/tcp 10.0.0.2"
	echo "backend add 10.0.0.10:8000/tcp 10.0.0.3 weight $1"
}

put() # VALUE
{
	etcd_client put --write-out=json /xdp-lb/fleet -- "$1" >"$TMP/put" 2>"$TMP/put.log"
}

has_weight() # WEIGHT
{
	lb -j service show | jq -e --argjson weight "$1" '.[0].backends[1].weight == $weight'
}

reported()
{
	etcd_client get --print-value-only /xdp-lb/report/lb
}

reports() # TEXT
{
	reported | grep -F -- "$1" >/dev/null
}

change() # WEIGHT
{
	await 20 put "$(configuration "$1")" # while a leader is elected it takes none
	await 20 has_weight "$1"
}

refused() # VALUE
{
	local before

	before=$(lb save)
	put "$1"
	await 10 reports "refused revision $(jq .header.revision "$TMP/put"): xdp-lb: "
	equal "$(lb save)" "$before" "configuration after a value that is refused"
	note "$(reported)"
}

lab_up
attach
for host in h1 h2 h3; do
	start_member $host
done
start_web
await 20 put "$(configuration 1)"
run_unit &
await 10 has_weight 1
await 10 reports "applied revision"

change 2
refused "$(configuration many)"
refused ""
refused "$(configuration 3; echo "service del everything")"
change 3

weight=10
for host in h1 h2 h3; do
	kill_member $host
	change $((++weight))
	change $((++weight))
	start_member $host existing
	change $((++weight))
done
note "9 changes while each member was dead for a time"

# Two of three: no majority.
kill_member h2
kill_member h3
! put "$(configuration 99)" || fail "a change without a majority"
has_weight $weight >/dev/null || fail "another weight without a majority"
use_family 4
equal "$(sum_of "$(ask 20)")" 20 "answers while etcd has no majority"
start_member h2 existing
start_member h3 existing
await 20 put "$(configuration 50)"
await 20 has_weight 50

# No etcd, and a balancer that has lost its configuration: a machine that boots.
for host in h1 h2 h3; do
	kill_member $host
done
"$top/scripts/detach.sh" -n "${prefix}lb" veth6
attach
on lb pkill etcdctl || true
await 20 has_weight 50
