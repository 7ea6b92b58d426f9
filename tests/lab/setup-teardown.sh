#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# scripts/setup.sh and teardown.sh: as in the contract, twice, rolled back on failure, nothing left.
#
#    two labs side by side: a-h1 ... a-sw, b-h1 ... b-sw
. "$(dirname "$(realpath "$0")")/../lib.sh"

setup()
{
	LAB=$1 "$top/scripts/setup.sh" >"$TMP/out" 2>&1
}

teardown()
{
	LAB=$1 "$top/scripts/teardown.sh" >"$TMP/out" 2>&1
}

everyone_answers() # LAB
{
	local host address

	for host in h1 h2 h3 lb; do
		for address in 10.0.0.{1,2,3,10} fd00:10::{1,2,3,10}; do
			nsenter --net="/run/netns/$1-$host" \
				ping -q -c 1 -W 2 "$address" >"$TMP/out" ||
				fail "$host does not reach $address"
		done
	done
}

devices_before=$(ip -br link)
setup a || fail "setup: $(cat "$TMP/out")"
setup b || fail "setup of a second lab: $(cat "$TMP/out")"
everyone_answers a
everyone_answers b
equal "$(nsenter --net=/run/netns/a-h2 ip -j link show dev veth3 | jq -r '.[0].address')" \
	de:ad:be:ef:00:02 "MAC of h2"
equal "$(nsenter --net=/run/netns/a-lb ip -j link show dev veth6 | jq -r '.[0].address')" \
	de:ad:be:ef:00:10 "MAC of lb"

# Again, and after half of it is gone.
setup a || fail "setup again: $(cat "$TMP/out")"
ip netns del a-h3
nsenter --net=/run/netns/a-h2 ip addr del 10.0.0.2/24 dev veth3
setup a || fail "setup of half a lab: $(cat "$TMP/out")"
everyone_answers a

"$top/scripts/attach.sh" -n a-lb veth6 >/dev/null 2>&1
nsenter --net=/run/netns/a-h2 sleep 1000 &
sleeper=$!
teardown a || fail "teardown: $(cat "$TMP/out")"
! wait "$sleeper" || fail "a process of the lab lives on"
equal "$(find /sys/fs/bpf -name 'xlb_*')" '' "pins after teardown"
teardown a || fail "teardown of nothing: $(cat "$TMP/out")"
everyone_answers b
teardown b

# A lab that cannot be finished goes again.
touch /run/netns/c-lb
! setup c || fail "setup over a name that is taken"
rm /run/netns/c-lb
equal "$(ip netns)" '' "namespaces in the end"
equal "$(ip -br link)" "$devices_before" "devices of the host"
