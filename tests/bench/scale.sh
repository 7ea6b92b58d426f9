#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# scale.sh [quick]: how many times as many packets two CPUs take as one, in each mode; beside the empty
# program. In mode nat with both directions of a flow on one CPU (both), and on different ones (split).
. "$(dirname "$(realpath "$0")")/lib.sh"

[ "$(nproc)" -ge 2 ] || { progress "scale: needs two CPUs" && exit; }

time_mode() # MODE KIND
{
	progress "scale: $1 $2"
	unconfigure
	configuration "$1" 4 tcp 1 2 | quietly helper apply -
	scale "$PINS-second" mode="$1" kinds="$2" flows=1000
}

# The second CPU's programs have a state of their own.
scale() # PINS WORD=VALUE...
{
	on lb "$TOOLS/scale" "$1" program="$(program_id lb veth6)" ifindex="$(ifindex lb veth6)" \
		pins="$PINS" helper=: "${@:2}" </dev/null
}

balancer_up
fronts_up
quietly bpftool prog loadall "$TOOLS/bench.bpf.o" "$PINS-second" pinmaps "$PINS-second-maps"
for name in front front_empty; do
	attach_bench lb $name "$PINS-second" two-$name
done
time_mode dsr data
time_mode ipip data
time_mode nat both
time_mode nat split
