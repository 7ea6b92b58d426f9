#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Malformed arguments to every command: never a signal; a one-line error; status 2 for what is wrong.
. "$(dirname "$(realpath "$0")")/../lib.sh"

lab_up
attach
# Not over and over what an address that does not answer takes.
on lb sysctl -qw net.ipv4.neigh.veth6.retrans_time_ms=10 net.ipv6.neigh.veth6.retrans_time_ms=10
cd "$TMP" # `save` writes files
note "$("$TOOLS/argfuzz" "$(scaled 2000 2000 100000)" \
	"$top/xdp-lb" -n "${prefix}lb")"
lb save >"$TMP/conf"
lb apply "$TMP/conf" >/dev/null
