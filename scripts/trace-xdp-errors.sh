#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# trace-xdp-errors.sh [SECONDS]: packets that the kernel lost after an XDP program had decided, each
# second: the tracepoint, the device's number (of its namespace: `ip link`), how many, the error
# number, and what it means. Until Ctrl+C, or for SECONDS.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/bpftrace.sh"

read_seconds "$@"

# Lines "TRACEPOINT ACTION DEVICE ERROR COUNT" of the maps.
# shellcheck disable=SC2016 # bpftrace's and awk's own
readonly PROGRAM='
	tracepoint:xdp:xdp_exception
	{ @["xdp_exception", args->act, args->ifindex, 0] = sum(1); }
	tracepoint:xdp:xdp_redirect_err
	{ @["xdp_redirect_err", args->act, args->to_ifindex, args->err] = sum(1); }
	tracepoint:xdp:xdp_bulk_tx /args->drops > 0/
	{ @["xdp_bulk_tx", args->act, args->ifindex, args->err] = sum(args->drops); }
	tracepoint:xdp:xdp_devmap_xmit /args->drops > 0/
	{ @["xdp_devmap_xmit", args->act, args->to_ifindex, args->err] = sum(args->drops); }
	interval:s:1 { print(@); clear(@); }'

# shellcheck disable=SC2016
readonly EXPLAIN='
	BEGIN {
		split("ABORTED DROP PASS TX REDIRECT", actions)
		name[0] = "no error"
		text[0] = "the queue of the device was full, or the frame too long for it"
		name[6] = "ENXIO"
		text[6] = "nobody receives: the peer of a veth has no XDP program (stub.bpf.o)"
		name[12] = "ENOMEM"
		text[12] = "no memory for the frame"
		name[22] = "EINVAL"
		text[22] = "no such device to redirect to, or flags that it does not know"
		name[28] = "ENOSPC"
		text[28] = "the queue of the target is full"
		name[90] = "EMSGSIZE"
		text[90] = "longer than the MTU of the target"
		name[95] = "EOPNOTSUPP"
		text[95] = "the target takes no XDP frames: its driver cannot, or the " \
			"peer of a veth has no XDP program (stub.bpf.o)"
		name[100] = "ENETDOWN"
		text[100] = "the target is down"
	}
	/^@\[/ {
		gsub(/^@\[|,|\]:/, " ")
		error = $4 < 0 ? -$4 : $4
		why = text[error]
		if (!why)
			why = "see errno(3)"
		if ($1 == "xdp_exception")
			why = $2 == 0 ? "the program gave up (reason internal)" : \
				"the program asked for what the driver could not do: its queue was " \
				"full, it lacks one for this CPU, or the frame does not fit"
		printf "%s XDP_%s device %s: %d packets, error %d (%s): %s\n", $1, actions[$2 + 1], $3, $5,
			error, error in name ? name[error] : "?", why
		fflush()
	}'

watch "$PROGRAM" "${1-}" awk "$EXPLAIN"
