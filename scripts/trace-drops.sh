#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# trace-drops.sh [SECONDS]: packets that the kernel's network stack dropped, each second: the reason
# by number and name (both are this kernel's own), the function, how many, and for the reasons that
# are met around a balancer what they mean. Until Ctrl+C, or for SECONDS. What an XDP program drops
# never was a packet of the stack: `xdp-lb stats` and trace-xdp-errors.sh show that.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/bpftrace.sh"

read_seconds "$@"

# shellcheck disable=SC2016 # bpftrace's and awk's own
readonly PROGRAM='
	tracepoint:skb:kfree_skb
	{ @[args->reason, args->protocol, ksym(args->location)] = sum(1); }
	interval:s:1 { print(@); clear(@); }'

# shellcheck disable=SC2016
readonly EXPLAIN='
	BEGIN {
		text["NOT_SPECIFIED"] = "the function says it"
		text["NO_SOCKET"] = "nothing listens on the port"
		text["OTHERHOST"] = "for another MAC address"
		text["TCP_CSUM"] = text["UDP_CSUM"] = text["SKB_CSUM"] = "wrong checksum: is tx off at the " \
			"peer of the veth of the balancer?"
		text["IP_RPFILTER"] = "the way back is by another device: rp_filter"
		text["IP_LOCAL_SOURCE"] = "from an address of this host: it has the VIP itself"
		text["IP_INADDRERRORS"] = text["IP_INNOROUTES"] = "not for this host, and no way on"
		text["IP_OUTNOROUTES"] = "no route to its destination"
		text["NEIGH_FAILED"] = "the next hop does not answer"
		text["PKT_TOO_BIG"] = "longer than the MTU"
		text["NETFILTER_DROP"] = "a rule of nftables or iptables"
		text["TCP_LISTEN_OVERFLOW"] = "the server does not accept fast enough"
		text["CPU_BACKLOG"] = "came faster than it was taken: net.core.netdev_max_backlog"
		text["FULL_RING"] = "the ring of the device is full"
		text["XDP"] = "by an XDP program in generic mode"
		while ((getline line <format) > 0)
			while (match(line, /[{] *[0-9]+, "[A-Z0-9_]+"/)) {
				split(substr(line, RSTART + 1, RLENGTH - 1), pair, /[ ,"]+/)
				name[pair[1] == "" ? pair[2] : pair[1]] = pair[1] == "" ? pair[3] : pair[2]
				line = substr(line, RSTART + RLENGTH)
			}
	}
	/^@\[/ {
		gsub(/^@\[|,|\]:/, " ")
		reason = $1 in name ? name[$1] : "?"
		printf "kfree_skb reason %d (%s), protocol 0x%04x, in %s: %d packets%s\n", $1, reason, $2, $3,
			$4, reason in text ? ": " text[reason] : ""
		fflush()
	}'

watch "$PROGRAM" "${1-}" awk -v format="$TRACEFS/events/skb/kfree_skb/format" "$EXPLAIN"
