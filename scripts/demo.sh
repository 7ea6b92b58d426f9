#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# demo.sh: the balancer's main job, in a lab of its own: attach, two backends with web servers,
# requests through the VIP, who answered. Runs in mount and pid namespaces of its own, so that
# nothing stays behind, however it ends.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/lib.sh"

readonly REQUESTS=40

if [ "${XDP_LB_ISOLATED-}" != "$(realpath "$0")" ]; then
	exec "$here/isolated.sh" "$0" "$@"
fi

export LAB=demo
tmp=/run/demo
step='starting'

finish()
{
	local status=$?

	trap '' INT TERM
	if [ $status != 0 ]; then
		echo
		echo "demo: failed while $step (status $status)"
		explain
	fi >&2
	"$here/teardown.sh" >"$tmp/log" 2>&1 || cat "$tmp/log" >&2
	[ $status = 0 ] || exit $status
	echo "The lab is down."
}

# What there is to see of a failure, and how to come back to this point by hand.
explain()
{
	set +e
	tail -n 20 "$tmp/log"
	[ ! -e /run/netns/demo-lb ] || {
		on lb ip -d link show dev veth6
		on lb ethtool -S veth6 | grep xdp
		xdp_lb service show
		xdp_lb stats
	} 2>&1
	cat <<-END
	To look into it by hand, the same step by step:
	    scripts/setup.sh
	    make attach DEV=veth6 NETNS=lb
	    nsenter --net=/run/netns/h2 scripts/web.sh /tmp/h2 h2 &     (and h3)
	    ./xdp-lb -n lb service add 10.0.0.10:8000/tcp
	    ./xdp-lb -n lb backend add 10.0.0.10:8000/tcp 10.0.0.2
	    nsenter --net=/run/netns/h1 curl -v http://10.0.0.10:8000/
	    ./xdp-lb -n lb stats; nsenter --net=/run/netns/lb tcpdump -ni veth6
	    scripts/teardown.sh
	END
}

on() # HOST COMMAND...
{
	in_netns "demo-$1" "${@:2}"
}

xdp_lb()
{
	"$helper" -n demo-lb "$@"
}

# A command of the balancer as one would type it.
show()
{
	echo "   # xdp-lb $*"
	xdp_lb "$@" | sed 's/^/   /'
}

begin() # STEP
{
	step=$1
	echo
	echo "== ${step^}"
}

start_server() # HOST ADDRESS
{
	on "$1" "$here/web.sh" "$tmp/$1" "$1 ($2)" 2>>"$tmp/log" &
	for _ in {1..100}; do
		! on "$1" curl -s -o "$tmp/out" "http://127.0.0.1:8000/" || return 0
		sleep 0.05
	done
	die "the web server of $1 does not start"
}

balance() # VIP BACKEND BACKEND
{
	begin "two backends for $1"
	show service add "$1"
	show backend add "$1" "$2"
	show backend add "$1" "$3"
}

# A connection for each request; a bar for each backend.
request() # ADDRESS
{
	begin "$REQUESTS requests from h1 to http://$1/"
	for ((i = 0; i < REQUESTS; i++)); do
		on h1 curl -sS --fail --max-time 5 "http://$1/"
	done >"$tmp/answers"
	printf '   %-20s %8s\n' backend answers
	sort "$tmp/answers" | uniq -c | while read -r count name; do
		printf '   %-20s %8d  %s\n' "$name" "$count" "$(printf '#%.0s' $(seq "$count"))"
	done
	[ "$(sort -u "$tmp/answers" | wc -l)" = 2 ] || die "not both backends have answered"
}

mkdir "$tmp"
touch "$tmp/log"
helper=$(find_built xdp-lb)
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

begin "setting up the lab: h1 client, h2 and h3 backends, lb balancer, sw switch"
"$here/setup.sh" >"$tmp/log" 2>&1
echo "   $(ip netns | wc -l) network namespaces, nothing on the host"
begin "attaching the balancer to veth6 in lb"
"$here/attach.sh" -n demo-lb veth6 2>&1 | sed 's/^/   /'
begin "starting a web server on each backend"
start_server h2 10.0.0.2
start_server h3 10.0.0.3
echo "   nginx on 10.0.0.2 and 10.0.0.3, port 8000"
balance 10.0.0.10:8000/tcp 10.0.0.2 10.0.0.3
request 10.0.0.10:8000
balance '[fd00:10::10]:8000/tcp' fd00:10::2 fd00:10::3
request '[fd00:10::10]:8000'
begin "what the balancer has counted"
show stats
begin "taking the lab down"
