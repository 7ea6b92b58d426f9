# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A cgroup for a lab test: to be sourced after lib.sh. Cgroups are the machine's, not the test's, so
# the one of a test that was killed is there until the next comes.

remove_cgroup() # CGROUP
{
	[ ! -e "$1/cgroup.kill" ] || echo 1 >"$1/cgroup.kill"
	until rmdir "$1" 2>/dev/null; do sleep 0.1; done
}

# Sets $cgroup, which goes with the test.
make_cgroup()
{
	local root old

	root=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
	[ -n "$root" ] || skip "no cgroup2 is mounted"
	find "$root" -maxdepth 1 -name 'xdp-lb-test.*' -mmin +60 | while read -r old; do
		remove_cgroup "$old"
	done
	cgroup=$root/xdp-lb-test.$(date +%s%N)
	mkdir "$cgroup"
	# shellcheck disable=SC2154 # set in the same line
	trap 'status=$?; remove_cgroup "$cgroup"; (exit $status) || finish' EXIT
}

# On a host, in the cgroup.
inside() # HOST COMMAND...
{
	# shellcheck disable=SC2016 # the inner shell's
	on "$1" sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$cgroup" "${@:2}"
}
