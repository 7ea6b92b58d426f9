#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# scripts/run.sh: balances every TCP port until Ctrl+C, and leaves nothing.
#
#    h1 curl ---> lb 10.0.0.10:* ---> h2, h3 nginx
. "$(dirname "$(realpath "$0")")/../lib.sh"

says() # TEXT
{
	grep -qF "$1" "$TMP/out" || fail "no '$1' in: $(cat "$TMP/out")"
}

run_balancer()
{
	local runner

	env --default-signal "$top/scripts/run.sh" -n "${prefix}lb" veth6 \
		"$backend2" de:ad:be:ef:00:02 "$backend3" de:ad:be:ef:00:03 >"$TMP/out" 2>&1 &
	runner=$!
	await 90 grep -q 'Ctrl+C' "$TMP/out"
	says "Backend 1: IP $backend2, MAC de:ad:be:ef:00:02"
	says "Backend 2: IP $backend3, MAC de:ad:be:ef:00:03"
	equal "$(sum_of "$(ask 50)")" 50 "answers on port 8000"
	equal "$(on h1 curl -sS "http://$vip:8001/")" other "the answer on port 8001"

	kill -INT "$runner"
	wait "$runner" || fail "status $? of run.sh"
	equal "$(program_id)" 0 "program after Ctrl+C"
	equal "$(find /sys/fs/bpf -name 'xlb_*')" '' "pins after Ctrl+C"
}

lab_up
start_web
for host in h2 h3; do
	on "$host" "$top/scripts/web.sh" "$TMP/other-$host" other 8001 &
	await 60 serves "$host" 8001
done
each_family run_balancer
! "$top/scripts/run.sh" -n "${prefix}lb" veth6 10.0.0.2 2>"$TMP/out" ||
	fail "an address without a MAC"
! "$top/scripts/run.sh" -n "${prefix}lb" veth6 10.0.0.2 nonsense 2>"$TMP/out" ||
	fail "a bad MAC"
equal "$(program_id)" 0 "program after a failure"
