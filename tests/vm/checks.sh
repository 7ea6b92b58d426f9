# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What is checked with the guest. Each check prints PASS or FAIL; the runner counts.

# shellcheck disable=SC2034 # used by the others
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

# Adds up what tests/run says in its last line.
count_results() # FILE
{
	if [[ $(tail -n 1 "$1") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
		passed=$((passed + BASH_REMATCH[1]))
		failed=$((failed + BASH_REMATCH[2]))
		skipped=$((skipped + BASH_REMATCH[3]))
	else
		failed=$((failed + 1))
		echo 'FAIL tests/run in the guest: it did not come to its end'
	fi
}

run_checks()
{
	check_nic
	check_dispatcher
	echo "$passed passed, $failed failed, $skipped skipped"
	[ $failed = 0 ]
}
