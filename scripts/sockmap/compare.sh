#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# compare.sh [SECONDS]: what the example brings on this machine: nginx and iperf3 over loopback by TCP
# and socket to socket, by turns, three rounds of SECONDS (default 3) each; medians. All of it in
# namespaces and a cgroup of its own.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/../lib.sh"

readonly ROUNDS=3
readonly WEB=8000 IPERF=5201
readonly tmp=/run/compare

seconds=${1-3}
cgroup=''

finish()
{
	[ -d "$cgroup" ] || return 0
	[ ! -e /sys/fs/bpf/sockmap ] || detach
	echo 1 >"$cgroup/cgroup.kill"
	until rmdir "$cgroup" 2>/dev/null; do sleep 0.1; done
}

attach()
{
	"$here/attach.sh" "$cgroup" $WEB $IPERF >"$tmp/log" 2>&1 || {
		cat "$tmp/log" >&2
		exit 1
	}
}

detach()
{
	"$here/detach.sh" -w 10 "$cgroup" >"$tmp/log" 2>&1
}

# In a process of its own, which joins the cgroup first.
inside() # COMMAND...
{
	# shellcheck disable=SC2016 # the inner shell's
	sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$cgroup" "$@"
}

start_servers()
{
	mkdir -p "$tmp/web/files"
	head -c 1024 /dev/urandom >"$tmp/web/files/1K"
	head -c 102400 /dev/urandom >"$tmp/web/files/100K"
	inside "$here/../web.sh" "$tmp/web" web $WEB >"$tmp/web.log" 2>&1 &
	disown
	inside iperf3 -s -p $IPERF >"$tmp/iperf.log" 2>&1 &
	disown
	until curl -s -o "$tmp/out" http://127.0.0.1:$WEB/1K; do sleep 0.05; done
	until [ -n "$(ss -Hltn "sport = :$IPERF")" ]; do sleep 0.05; done
}

requests() # FILE: per second
{
	inside wrk -t1 -c50 "-d${seconds}s" "http://127.0.0.1:$WEB/$1" |
		awk '/^Requests\/sec/ { printf "%d\n", $2 }'
}

mbits() # [OPTION]...
{
	inside iperf3 -J -c 127.0.0.1 -p $IPERF -t "$seconds" "$@" |
		jq '.end.sum_received.bits_per_second / 1e6 | floor'
}

measure() # tcp|socket
{
	local name

	for name in 1K 100K; do
		echo "nginx-$name $1 $(requests $name)"
	done
	echo "iperf3 $1 $(mbits)"
	echo "iperf3-l1448 $1 $(mbits -l 1448)"
}

table()
{
	jq -Rrn '
		def median: sort | .[length / 2 | floor];
		[inputs | split(" ") | { what: .[0], way: .[1], rate: (.[2] | tonumber) }]
		| group_by(.what)[] | . as $all
		| ("tcp", "socket" | . as $way | [$all[] | select(.way == $way).rate] | median) as $m
		| [$all[0].what, $m] | @tsv' |
		awk '$1 == what { printf "%-14s %10d %16d %7.2f\n", what, tcp, $2, $2 / tcp }
			{ what = $1; tcp = $2 }'
}

[[ $seconds =~ ^[1-9][0-9]?$ ]] || usage "$program [SECONDS]"
need_root
if [ "${XDP_LB_ISOLATED-}" != "$(realpath "$0")" ]; then
	exec unshare --net "$here/../isolated.sh" "$0" "$@"
fi
mkdir $tmp
ip link set dev lo up
cgroup=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)/sockmap-compare-$$
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir "$cgroup"
start_servers
for ((round = 0; round < ROUNDS; round++)); do
	measure tcp
	attach
	measure socket
	detach
done >"$tmp/rates"
echo "requests or Mbit/s     TCP socket to socket   ratio"
table <"$tmp/rates"
