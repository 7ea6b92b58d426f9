#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The demo and the lab do not depend on this machine's settings: they run on a host with others
# (tests/anyhost). Those that run here failed there before the lab had settings of its own. With LONG
# it is all of them, and the CPUs are taken away: not else, as that slows down the tests beside this.
. "$(dirname "$(realpath "$0")")/../lib.sh"

on_other_host() # COMMAND...
{
	note "${1##*/}"
	# shellcheck disable=SC2086 # no word where it is empty
	LONG='' "$top/tests/anyhost/run" $idle "$@" >"$TMP/out" 2>&1 ||
		[ $? = $SKIP ] || fail "$*: $(tail -n 30 "$TMP/out")"
}

idle=$([ -n "${LONG-}" ] || echo idle)
tests=(arp-from-vip path-mtu traceroute)
[ -z "${LONG-}" ] || mapfile -t tests < <(cd "$top/tests/lab" && basename -s .sh ./*.sh)
on_other_host "$top/scripts/demo.sh"
for test in "${tests[@]}"; do
	[ "$test" = anyhost ] || on_other_host "$top/tests/lab/$test.sh"
done
