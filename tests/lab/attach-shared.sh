#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Which balancer a device gets: that of the pins, and attach says what it takes over; a new one by
# FRESH=1; one for two devices, however they are attached, or it says that there are two; none where
# its pins would be gone.
#
#    h1 flood --- lb veth6; dummies veth8 <-> veth9
. "$(dirname "$(realpath "$0")")/../lib.sh"

readonly PINS=/sys/fs/bpf/tc/globals
readonly HERE=${prefix}lb

run_make() # TARGET DEV [WORD]...
{
	make -s -C "$top" "$1" DEV="$2" NETNS="$HERE" "${@:3}" >"$TMP/out" 2>&1
}

says() # TEXT
{
	grep -qF -- "$1" "$TMP/out" || fail "no '$1' in: $(cat "$TMP/out")"
}

silent_on() # TEXT
{
	! grep -F -- "$1" "$TMP/out" || fail "'$1' is said"
}

# The VIPs of the balancer on a device.
vips_of() # DEV
{
	lb -d "$1" -j service show | jq -r '[.[].vip] | join(" ")'
}

# What a maintenance leaves in the pins.
takes_over()
{
	run_make attach veth6 || fail "attach: $(cat "$TMP/out")"
	silent_on 'takes over'
	lb service add 10.0.0.10:80/tcp
	lb service add 10.0.0.10:81/tcp
	lb service add 10.0.0.10:53/udp
	lb backend add 10.0.0.10:53/udp 10.0.0.2
	start_echo udp 53
	seq 20001 21204 | sed 's/^/10.0.0.1 /' |
		on h1 "$TOOLS/flood" -l -u -r 3000 veth0 de:ad:be:ef:00:10 10.0.0.10 53 >"$TMP/sent"
	await 5 knows_flows 1204
	on lb ip link set dev veth6 xdp off
	run_make attach veth6 || fail "attach: $(cat "$TMP/out")"
	says 'takes over 3 services and 1,204 flows from the pins'
	equal "$(vips_of veth6)" '10.0.0.10:53/udp 10.0.0.10:80/tcp 10.0.0.10:81/tcp' "services"
}

# Not while a program uses them: that would make two balancers of one.
fresh()
{
	! run_make attach veth8 FRESH=1 || fail "FRESH=1 beside a device that is attached"
	says "veth6 in $HERE"
	equal "$(vips_of veth6)" '10.0.0.10:53/udp 10.0.0.10:80/tcp 10.0.0.10:81/tcp' "services"
	on lb ip link set dev veth6 xdp off
	run_make attach veth6 FRESH=1 || fail "attach FRESH=1: $(cat "$TMP/out")"
	silent_on 'takes over'
	equal "$(vips_of veth6)" '' "services of a fresh balancer"
}

# A second device; and who keeps the pins when the first is detached.
one_of_two()
{
	lb service add 10.0.0.10:80/tcp
	run_make attach veth8 || fail "attach: $(cat "$TMP/out")"
	says "veth8 is one balancer with veth6 in $HERE: 1 service and 0 flows"
	equal "$(vips_of veth8)" 10.0.0.10:80/tcp "services of the second device"
	run_make detach veth6
	says "on veth8 in $HERE"
	run_make detach veth8
}

# As the man page shows it, and with make attach.
by_xdp_loader()
{
	local dev line

	line=$(sed -n 's/\\-/-/g; s/^\(xdp-loader load .*\) eth0 .*/\1/p' "$top/maps/man/xdp-lb.8")
	[ -n "$line" ] || fail "xdp-loader is not in the man page"
	for dev in veth6 veth8; do
		# shellcheck disable=SC2086 # a command line
		on lb $line $dev "$top/xdp_lb.bpf.o" >"$TMP/out" 2>&1 || fail "$(cat "$TMP/out")"
	done
	lb service add 10.0.0.10:82/tcp
	run_make attach veth9 || fail "attach: $(cat "$TMP/out")"
	says 'is one balancer with veth'
	for dev in veth6 veth8 veth9; do
		equal "$(vips_of $dev)" 10.0.0.10:82/tcp "services of $dev"
	done
	on lb xdp-loader unload veth6 --all
	run_make detach veth9
	says "on veth8 in $HERE"
	on lb xdp-loader unload veth8 --all
	run_make detach veth9
	equal "$(find /sys/fs/bpf -name 'xlb_*')" '' "pins after all"
}

# Without pins there is nothing to share.
two()
{
	ip -n "$HERE" link set dev veth6 xdp obj "$top/xdp_lb.bpf.o" sec xdp
	run_make attach veth8 || fail "attach: $(cat "$TMP/out")"
	says "veth6 in $HERE has a balancer of its own"
	run_make detach veth6
	run_make attach veth6
	silent_on 'of its own'
	run_make detach veth6
	run_make detach veth8
}

# The pins would be in a /sys that ends with the command.
throwaway()
{
	! ip netns exec "$HERE" "$top/scripts/attach.sh" veth6 >"$TMP/out" 2>&1 ||
		fail "attached with pins that are gone"
	says 'ip netns exec'
	says "attach.sh -n $HERE veth6"
	equal "$(program_id)" 0 "program"
	on lb "$top/scripts/attach.sh" veth6 >"$TMP/out" 2>&1 || fail "attach: $(cat "$TMP/out")"
	[ -e $PINS/xlb_services ] || fail "no pins"
	! ip netns exec "$HERE" "$top/scripts/detach.sh" veth6 >"$TMP/out" 2>&1 ||
		fail "detached with pins that stay"
	says "detach.sh -n $HERE veth6"
	ip netns exec "$HERE" "$top/xdp-lb" doctor veth6 >"$TMP/out" 2>&1 || true
	says "of 'ip netns exec'"
}

lab_up
on lb ip link add veth8 type veth peer name veth9
takes_over
fresh
one_of_two
by_xdp_loader
two
throwaway
