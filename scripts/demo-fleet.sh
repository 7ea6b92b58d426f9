#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# demo-fleet.sh: what becomes of connections while balancers die, are drained, are added, and get
# another configuration, in the lab of fleet.sh. Nothing stays behind, however it ends.
export LAB=demo MODES="dsr ipip dnat nat"
. "$(dirname "$(realpath "$0")")/../tests/fleet.sh"

readonly BUSY=40 IDLE=10 # connections of each mode and family
readonly ETCD=http://10.0.0.1:2379
declare -A follower=() # of etcd, by balancer

# Without the shell's word on each process that was killed.
quietly() # COMMAND...
{
	exec 4>&2 2>/dev/null
	"$@"
	exec 2>&4
}

say()
{
	echo
	echo "== $*"
}

# A balancer follows the key, as xdp-lb-etcd.service has it do.
follow_etcd() # N
{
	spawn "lb$1" env ETCDCTL_API=3 ETCDCTL_ENDPOINTS=$ETCD REPORT_KEY="/xdp-lb/report/lb$1" \
		STATE_DIRECTORY="$TMP/state$1" LOCAL_CONFIGURATION="$run/lb$1.pool" \
		"$top/scripts/etcd.sh" >"$TMP/etcd$1.log" 2>&1
	follower[$1]=$pid
}

etcd_client() # WORD...
{
	on router env ETCDCTL_API=3 etcdctl --endpoints=$ETCD "$@"
}

start_etcd()
{
	local i

	spawn router etcd --data-dir "$TMP/etcd" --listen-client-urls $ETCD \
		--advertise-client-urls $ETCD --logger zap --log-outputs "$TMP/etcd.log"
	await 20 etcd_client put /xdp-lb/fleet -- "$(cat "$top/scripts/fleet.conf")"
	for ((i = 1; i <= 3; i++)); do
		follow_etcd $i
	done
}

reports_of_all() # REVISION
{
	[ "$(etcd_client get --prefix --print-value-only /xdp-lb/report/ |
		grep -c "applied revision $1")" = 3 ]
}

change_by_etcd()
{
	local revision

	revision=$(etcd_client put --write-out=json /xdp-lb/fleet -- \
		"$(sed "s/:8000\/tcp \(.*21\)$/:8000\/tcp \1 weight 20/" "$top/scripts/fleet.conf")" |
		jq .header.revision)
	await 10 reports_of_all "$revision"
	etcd_client get --prefix /xdp-lb/report/ | paste - - | sed 's/^/   /'
	sleep 0.5
}

nothing()
{
	sleep 1
}

killed()
{
	quietly fleet kill lb1
	quietly wait "${follower[1]}" || true
	await_next_hops "2 3"
	sleep 0.5
}

back_again()
{
	fleet start lb1
	follow_etcd 1
	await_next_hops "1 2 3"
	sleep 0.5
}

drained()
{
	"$top/xdp-lb" watch drain within 2 -o "$run/lb2" | sed 's/^/   /'
	await_next_hops "1 3"
	sleep 0.5
}

up_again()
{
	fleet up lb2
	await_next_hops "1 2 3"
	sleep 0.5
}

added()
{
	fleet start lb4
	await_next_hops "1 2 3 4"
	sleep 0.5
}

# What a step has broken, as a row of the table.
row() # TEXT
{
	local columns='' slowest=0

	for mode in $MODES; do
		columns+=$(printf ' %10s' "$(broken_of "$mode")")
		slowest=$(most "$slowest" "$(slowest_of "$mode")")
	done
	printf '   %-34s%s %8s ms\n' "$1" "$columns" "$slowest" >>"$TMP/table"
}

broken_of() # MODE
{
	MODES=$1 each_service talked broken | awk '{ sum += $1 } END { print sum }'
}

slowest_of() # MODE
{
	MODES=$1 each_service talked worst | sort -n | tail -n 1
}

step() # TEXT COMMAND
{
	say "$1"
	begin_talks $BUSY $IDLE
	"${@:2}"
	end_talks
	row "$1"
}

take_down()
{
	fleet teardown
	wait || true
}

say "setting up: a router, three balancers, four backends, two clients"
fleet_up resilient
start_etcd
sleep 1
{
	printf '   %-34s' "broken, of $((2 * (BUSY + IDLE))) connections each"
	for mode in $MODES; do
		printf ' %10s' "$mode"
	done
	printf ' %11s\n' slowest
} >"$TMP/table"
step "traffic" nothing
step "lb1 killed" killed
step "lb1 back again" back_again
step "lb2 drained for maintenance" drained
step "lb2 announces again" up_again
step "lb4 added" added
step "a backend's weight, by etcd" change_by_etcd
say "what broke"
cat "$TMP/table"
quietly take_down
echo
echo "The fleet is down."
