#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Three balancers share their VIPs by BGP. In modes without state at rest no connection breaks when
# one of them dies, in whatever way, is withdrawn, comes back, nor by changes of the configuration.
# The router notices a death by BFD.
#
#    c1 --- router (BIRD) ---+--- lb1, lb2, lb3 (BIRD)
#                            +--- b1 to b4
. "$(dirname "$(realpath "$0")")/../fleet.sh"

BUSY=$(scaled 50 10 500) IDLE=$(scaled 20 5 200)

drain()
{
	fleet drain lb2
	await_next_hops "1 3"
	sleep 0.5
}

undrain()
{
	fleet up lb2
	await_next_hops "1 2 3"
	sleep 0.5
}

come_back() # N
{
	fleet start "lb$1"
	await_next_hops "1 2 3"
	sleep 0.5
}

device_down()
{
	death "2 3" "a device that goes down" on lb1 ip link set dev eth0 down
	sleep 0.5
	on lb1 ip link set dev eth0 up
	fleet start lb1
	await_next_hops "1 2 3"
}

# Its data path lives on, but what happens to that is not known.
bird_killed()
{
	death "1 3" "a BIRD that is killed" kill -KILL "$(cat "$run/lb2.pid")"
	sleep 0.5
	come_back 2
}

namespace_gone()
{
	death "1 2" "a machine that is gone" fleet kill lb3
	sleep 0.5
}

# By detach.sh, while packets come.
detached()
{
	"$top/scripts/detach.sh" -n "${prefix}lb2" eth0 >"$TMP/detached" 2>&1
	await_next_hops "1 3"
	sleep 0.5
	come_back 2
}

# Each is brought to all balancers, one after the other, as a file is.
changes()
{
	local i

	for ((i = 1; i <= 20; i++)); do
		sed "s/:8000\/tcp \(.*2$((1 + i % 4))\)$/:8000\/tcp \1 weight $((20 * i))/" \
			"$top/scripts/fleet.conf" >"$TMP/fleet.conf"
		apply_everywhere "$TMP/fleet.conf"
	done
	apply_everywhere "$top/scripts/fleet.conf"
}

apply_everywhere() # FILE
{
	local i

	for i in 1 2 3; do
		balancer $i apply "$1" "$run/lb$i.pool" >"$TMP/applied"
	done
}

fleet_up plain
with_talks "a drain of a balancer" drain
with_talks "the end of a drain" undrain
with_talks "death of a device" device_down
with_talks "death of BIRD" bird_killed
with_talks "death of a machine" namespace_gone
with_talks "a machine that is added" come_back 3
with_talks "20 changes" changes
with_talks "a balancer that is detached" detached
expect_noticed
expect_no_errors c1 lb1 lb2 lb3
# The router tells backends that a balancer is gone, maybe when the connection is, too.
EXPECTED_ERRORS='^Icmp6?InErrors$' expect_no_errors b1 b2 b3 b4
