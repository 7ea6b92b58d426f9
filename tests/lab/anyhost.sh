#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The demo and the lab do not depend on this machine's settings: they run on a host with others
# (tests/anyhost). Those that run here failed there before the lab had settings of its own; with LONG
# it is all of them.
. "$(dirname "$(realpath "$0")")/../lib.sh"

on_other_host() # COMMAND...
{
	note "${1##*/}"
	LONG='' "$top/tests/anyhost/run" "$@" >"$TMP/out" 2>&1 ||
		[ $? = $SKIP ] || fail "$*: $(tail -n 30 "$TMP/out")"
}

tests=(arp-from-vip path-mtu traceroute)
[ -z "${LONG-}" ] || mapfile -t tests < <(cd "$top/tests/lab" && basename -s .sh ./*.sh)
on_other_host "$top/scripts/demo.sh"
for test in "${tests[@]}"; do
	[ "$test" = anyhost ] || on_other_host "$top/tests/lab/$test.sh"
done
