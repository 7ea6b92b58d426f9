#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# checks.sh [quick]: percent of a core that `watch` takes, user and system, for 1,000 backends that are
# checked every 2 s. The system's part has most of what the network costs at both ends, as on a veth
# who sends also receives. Idle: the same backends without a check.
#
#    lb: watch, veth6 ------------- veth7: far, 1,000 addresses, nginx
. "$(dirname "$(realpath "$0")")/lib.sh"

readonly BACKENDS=1000
readonly SERVICE=10.0.0.16:8000/tcp
seconds=20
[ "${1-}" != quick ] || seconds=10

network()
{
	balancer_network
	new_netns far
	on lb ip link set dev veth7 netns far
	on far ip link set dev veth7 up
	configuration nat 4 tcp 1 $BACKENDS | awk '/^backend/ { print "addr add", $4 "/8 dev veth7" }' |
		on far ip -batch -
	nsenter --net=/run/netns/far -- "$top/scripts/web.sh" /run/far far 8000 2>/run/web.log &
	on lb ip link set dev veth6 xdp obj "${XDP_LB_OBJECT:-$tree/xdp_lb.bpf.o}" sec xdp
	configuration nat 4 tcp 1 $BACKENDS | sed 's/ mac .*//' | quietly helper apply -
}

# User and system time of `watch` so far, in hundredths of a second.
used()
{
	awk '{ print $14, $15 }' "/proc/$watch/stat"
}

measure() # NAME
{
	local before after

	progress "checks: $1"
	sleep 5
	before=$(used)
	sleep "$seconds"
	after=$(used)
	awk -v seconds="$seconds" -v name="$1" '{
		printf "{\"part\":\"checks\",\"name\":\"%s\",\"user\":%.1f,\"system\":%.1f}\n",
			name, ($3 - $1) / seconds, ($4 - $2) / seconds
	}' <<<"$before $after"
}

all_are_ok()
{
	helper -j service show $SERVICE | jq -e 'all(.[0].backends[]; .health == "ok")' >/dev/null
}

await_ok()
{
	local i

	for ((i = 0; i < 60; i++)); do
		! all_are_ok || return 0
		sleep 0.5
	done
	progress "checks: not all backends are well"
	return 1
}

network
nsenter --net=/run/netns/lb -- "$tree/xdp-lb" -n lb watch 2>/run/watch.log &
watch=$!
measure idle
for check in tcp 'http /'; do
	# shellcheck disable=SC2086 # words
	quietly helper check set $SERVICE $check interval 2
	await_ok
	measure "${check% *}"
done
