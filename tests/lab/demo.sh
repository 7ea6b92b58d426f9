#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The demo runs, twice, and leaves nothing; nor does one that is interrupted or killed, nor a test
# run that is.
. "$(dirname "$(realpath "$0")")/../lib.sh"

# Processes besides this script; namespaces and pins where the host's would be.
leftovers()
{
	# shellcheck disable=SC2009 # pgrep does not show arguments so
	ps -e -o pid=,args= | grep -v -e "^ *$$ " -e "^ *$BASHPID " -e ' ps -e' -e ' grep ' |
		grep -v "/demo.sh$" || true
	ip netns
	find /sys/fs/bpf -name 'xlb_*'
}

nothing_left() # WHAT
{
	for _ in {1..100}; do
		[ -n "$(leftovers)" ] || return 0
		sleep 0.05
	done
	fail "left after $1: $(leftovers)"
}

# Starts COMMAND in a process group of its own, as a terminal does, and sends the group a signal.
interrupt() # SIGNAL SECONDS COMMAND...
{
	local pid

	env --default-signal setsid "${@:3}" >"$TMP/out" 2>&1 &
	pid=$!
	sleep "$2"
	kill "-$1" -- "-$pid"
	! wait "$pid" || fail "it was over before $1 after $2 s"
	nothing_left "$1 after $2 s"
}

for round in 1 2; do
	"$top/scripts/demo.sh" >"$TMP/out" 2>&1 || fail "demo, round $round: $(cat "$TMP/out")"
	grep -q 'h2 (10.0.0.2)' "$TMP/out" || fail "no answer of h2: $(cat "$TMP/out")"
	grep -q 'h3 (10.0.0.3)' "$TMP/out" || fail "no answer of h3: $(cat "$TMP/out")"
	nothing_left "demo, round $round"
done
for seconds in 0.1 0.7 1.5; do
	interrupt INT "$seconds" "$top/scripts/demo.sh"
done
interrupt TERM 1 "$top/scripts/demo.sh"
interrupt KILL 1 "$top/scripts/demo.sh"
interrupt INT 2 "$top/tests/run" lab/http
interrupt TERM 2 "$top/tests/run" lab/http
