#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# group.sh MODE FAMILY PROTOCOL SERVICES BACKENDS ROUNDS FLOWS...: the cost of a packet in a balancer
# of SERVICES with BACKENDS each, for each number of flows; in quiet, see packet.c.
. "$(dirname "$(realpath "$0")")/lib.sh"

[ $# -ge 7 ] || { echo "usage: group.sh MODE FAMILY PROTOCOL SERVICES BACKENDS ROUNDS FLOWS..." >&2 &&
	exit 2; }
balancer_up
configuration "$1" "$2" "$3" "$4" "$5" | quietly helper apply -
load_bench
attach_bench lb front
attach_bench lb front_empty
on lb "$TOOLS/packet" "$(program_id lb veth6)" "$(ifindex lb veth6)" "$PINS" "$@"
