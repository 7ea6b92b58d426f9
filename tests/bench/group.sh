#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# group.sh ROUNDS [WORD=VALUE...]: the cost of a packet in balancers of standard input, one a line:
#
#    MODE FAMILY PROTOCOL SERVICES BACKENDS KINDS FLOWS
#
# Lists have commas between. All have the program in the same place: it is loaded once.
. "$(dirname "$(realpath "$0")")/lib.sh"

[ $# -ge 1 ] || { echo "usage: group.sh ROUNDS [WORD=VALUE...] <GROUPS" >&2 && exit 2; }
balancer_up
fronts_up
while read -r mode family protocol services backends kinds flows; do
	unconfigure # no flow of one before
	configuration "$mode" "$family" "$protocol" "$services" "$backends" | quietly helper apply -
	sender packet mode="$mode" family="$family" protocol="$protocol" services="$services" \
		backends="$backends" kinds="$kinds" flows="$flows" rounds="$1" "${@:2}"
done
