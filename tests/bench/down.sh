#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# down.sh [quick]: milliseconds from the start of `backend down` to the last packet that the backend
# gets, and to the command's end, under a load of 50,000 packets a second.
#
#    source: generator          lb                        far: sink
#    veth9 ------------------ veth8   veth6 ------------- veth7
. "$(dirname "$(realpath "$0")")/lib.sh"

readonly SERVICE=10.0.0.16:8000/udp
times=5
[ "${1-}" != quick ] || times=3

network()
{
	balancer_up
	load_bench
	new_netns far
	on lb ip link set dev veth7 netns far
	on far ip link set dev veth7 address 02:00:00:01:00:01 up
	on far bpftool net attach xdpdrv pinned "$PINS/sink" dev veth7
	new_netns source
	attach_bench source generator
	on lb ip link add veth8 address de:ad:be:ef:00:10 type veth peer name veth9 netns source
	on lb ip link set dev veth8 up
	on source ip link set dev veth9 up
	quietly "$top/scripts/attach.sh" -n lb -m native veth8
}

# Of two backends the first is the sink, and goes down; the other's MAC is nobody's.
down() # MODE
{
	helper -d veth8 service add $SERVICE mode "$1"
	helper -d veth8 backend add $SERVICE 10.1.0.1 mac 02:00:00:01:00:01
	helper -d veth8 backend add $SERVICE 10.1.0.2 mac 02:00:00:01:00:02
	on source "$TOOLS/generate" "$PINS" "$(ifindex source veth9)" "${SERVICE%:*}" 8000 1 50000 \
		"$top/xdp-lb" -n lb -d veth8 backend down $SERVICE 10.1.0.1
	helper -d veth8 service del $SERVICE
}

measure() # NAME
{
	local mode i

	for mode in nat dsr ipip; do
		progress "backend down, mode $mode, $1"
		for ((i = 0; i < times; i++)); do
			down $mode
		done >/run/down
		cut -d ' ' -f 1 /run/down | result "$1-$mode-last-packet"
		cut -d ' ' -f 2 /run/down | result "$1-$mode-command"
	done
}

network
measure down
configuration nat 4 tcp 999 2 | quietly helper -d veth8 apply -
measure down-of-1000
