#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# HTTP through a path with a VLAN tag, and with two: the switch tags what comes from a host and
# untags what goes there; the balancer is on a trunk.
#
#    h1 curl --- sw ===(tags)=== lb VIP ===(tags)=== sw --- h2, h3 nginx
. "$(dirname "$(realpath "$0")")/../topology.sh"

tagger() # HOST DEV ingress|egress SECTION
{
	on "$1" tc filter replace dev "$2" "$3" prio 1 handle 1 \
		bpf direct-action obj "$TAGS" section "$4" || fail "tc"
}

set_tags() # HOW_MANY
{
	local port

	for port in veth1 veth2 veth4; do
		tagger sw $port ingress "push$1"
		tagger sw $port egress "pop$1"
	done
	tagger lb veth6 ingress "pop$1"
	tagger lb veth6 egress "push$1"
}

# What leaves the balancer has its tags.
watch_tags() # HOW_MANY
{
	local filter='vlan 10'

	[ "$1" = 1 ] || filter='vlan 20 and vlan 30'
	spawn sw timeout 20 tcpdump -p -i veth7 -c 1 "ether src de:ad:be:ef:00:10 and $filter" \
		>/dev/null 2>&1
	watcher=$pid
}

tagged()
{
	local answers

	[ "$mode" = nat ] || backends_apply
	service_up 8000/tcp mode "$mode"
	answers=$(ask 100)
	within "$(count_of h2 "$answers")" 30 70 "of 100 requests, h2 answered"
	equal $(($(count_of h2 "$answers") + $(count_of h3 "$answers"))) 100 "answers"
	on h1 curl -sS --fail --max-time 30 -o "$TMP/got" "$url/file"
	cmp "$TMP/file" "$TMP/got" || fail "a download differs"
	on h1 curl -sS --fail --max-time 30 -T "$TMP/file" "$url/up"
	cmp "$TMP/file" "$TMP"/h[23]/files/up || fail "an upload differs"
	rm "$TMP"/h[23]/files/up "$TMP/got"
	lb service del "$vip:8000/tcp"
	[ "$mode" = nat ] || backends_undo
}

readonly TAGS=$top/build/tests/lab/tag.bpf.o
lab_up
# A NIC delivers tags in the frame; a veth would carry them beside it, where XDP does not see them.
on sw ethtool -K veth7 txvlan off tx-vlan-stag-hw-insert off >/dev/null
# Room for the second tag.
on sw ip link set dev veth7 mtu 1504
on lb ip link set dev veth6 mtu 1504
for port in sw:veth1 sw:veth2 sw:veth4 lb:veth6; do
	on "${port%:*}" tc qdisc add dev "${port#*:}" clsact
done
reach h1 $VIP_NETWORK 0 10
attach
start_web
random_file "$(scaled 10000000 500000)" "$TMP/file"
cp "$TMP/file" "$TMP/h2/files"
cp "$TMP/file" "$TMP/h3/files"
for tags in 1 2; do
	echo "$tags of them"
	set_tags $tags
	watch_tags $tags
	each_family each_mode tagged
	wait "$watcher" || fail "no frame with tags was seen"
done
expect_no_errors
