# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What is checked with the guest. Each check prints PASS or FAIL; the runner counts.

# shellcheck disable=SC2034,SC2154 # used by the others; set by run: here, tree
readonly VIP4=10.0.0.10 VIP6=fd00:10::10
passed=0 failed=0 skipped=0

# Runs a function as a check: it fails when one of its commands does.
check() # NAME FUNCTION [ARG]...
{
	local name=$1 log=$PWD/log status=0 began=$SECONDS

	shift
	# Not `if "$@"`: the shell would go on after a failing command.
	set +e
	(set -e && "$@") >"$log" 2>&1
	status=$?
	set -e
	if [ $status = 0 ]; then
		passed=$((passed + 1))
		echo "PASS $name ($((SECONDS - began)) s)"
	else
		failed=$((failed + 1))
		echo "FAIL $name"
		tail -n 30 "$log" | sed 's/^/    /'
	fi
}

# Not `!`, whose failure would not end a check.
not() # COMMAND...
{
	! "$@"
}

# What the verifier has to do for each program, on this machine's kernel and on the guest's.
check_load()
{
	check "load/$(uname -r)" "$here/cost.sh" "$tree"/*.bpf.o
	sed 's/^PASS load/    /' log
	check load/guest guest 'tests/vm/cost.sh *.bpf.o'
	sed 's/^PASS load/    /' log
}

# What runs in the guest: the packet tests, and the lab tests in which packets meet the kernel. Not
# the other lab tests: what they test is the helper and scripts, which do the same on any kernel; or
# rates, which an emulated processor does not reach; or they take more than some minutes there.
# Not vlan either: where tc of 6.1 pushes a second tag on what comes in, it breaks the frame. The packet
# tests have both tags.
readonly IN_GUEST='packet lab/dsr-ipip lab/fragments lab/health-glue lab/host-traffic lab/http'"\
 lab/import-ipvs lab/jumbo lab/kxdpgun lab/least lab/path-mtu lab/replace-program lab/same-source-port\
 lab/sock-connect lab/sock-recipe lab/sockmap lab/traceroute lab/tunnel-mss lab/two-arms lab/udp lab/udp-loop\
 lab/user-mode lab/xdp-loader lab/xdpdump"

# The guest's first namespace, which nobody needs any more, gets settings that the lab must not depend
# on: there they are really inherited.
check_tests()
{
	local numbers

	check settings guest tests/anyhost/settings
	guest "tests/run $IN_GUEST" | tee results | sed -u '/^[0-9]* passed, /d' || true
	numbers=$(tail -n 1 results)
	if [[ $numbers =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
		passed=$((passed + BASH_REMATCH[1]))
		failed=$((failed + BASH_REMATCH[2]))
		skipped=$((skipped + BASH_REMATCH[3]))
	else
		failed=$((failed + 1))
		echo 'FAIL tests/run in the guest did not come to its end'
	fi
}

summary()
{
	echo "$passed passed, $failed failed, $skipped skipped"
	[ $failed = 0 ]
}

run_checks()
{
	check_load
	check_nic
	check_modes
	check no-checksum-errors no_checksum_errors
	check vlans guest tests/vm/vlans.sh
	check_dispatcher
	check_tests
	end_guest
	check_months
	check_boot
	summary
}
