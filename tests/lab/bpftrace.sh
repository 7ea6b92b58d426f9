#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The scripts that watch the kernel's tracepoints see a real XDP_TX error (the stub is gone) and a
# really dropped packet (nothing listens), explain them, and leave nothing mounted behind.
#
#    h1 SYNs ---> sw (veth7, without the stub) --- veth6 lb
. "$(dirname "$(realpath "$0")")/../lib.sh"

[ -n "$(command -v bpftrace)" ] || skip "no bpftrace"

tracefs()
{
	grep -c tracefs /proc/mounts || true
}

# What a script prints while a command runs over and over.
watched() # SCRIPT COMMAND...
{
	local script=$1 end

	shift
	"$top/scripts/$script" "$(scaled 4 30)" >"$TMP/seen" 2>"$TMP/err" &
	end=$!
	while kill -0 $end 2>/dev/null; do
		"$@" >/dev/null 2>&1 || true
		sleep 0.2
	done
	wait $end || fail "$script: $(cat "$TMP/err")"
}

sees() # WORDS
{
	grep "$1" "$TMP/seen" >/dev/null || fail "'$1' is not in: $(cat "$TMP/seen" "$TMP/err")"
	note "$(grep -m 1 "$1" "$TMP/seen")"
}

before=$(tracefs)
lab_up
attach
use_family 4
service_up 8000/tcp
on sw ip link set dev veth7 xdpdrv off
watched trace-xdp-errors.sh on h1 "$TOOLS/flood" -c 20 veth0 de:ad:be:ef:00:10 "$vip_address" 8000
sees 'xdp_bulk_tx XDP_TX device 2: .* error 6 (ENXIO): nobody receives'
watched trace-drops.sh on h1 "$TOOLS/flood" -u -c 20 veth0 de:ad:be:ef:00:10 "$vip_address" 9
sees '(NO_SOCKET).*nothing listens'
equal "$(tracefs)" "$before" "mounts of tracefs afterwards"
