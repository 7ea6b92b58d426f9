# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# For the parts of the benchmark: to be sourced first. Each runs in namespaces of its own
# (scripts/isolated.sh), so that nothing stays behind, and prints its results as lines of JSON.
set -euo pipefail
export LC_ALL=C.UTF-8

here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../..")
readonly here top tree=${XDP_LB_TREE:-$top}
readonly TOOLS=$top/build/tests/bench
readonly PINS=/sys/fs/bpf/bench

if [ "${XDP_LB_ISOLATED-}" != "$(realpath "$0")" ]; then
	exec "$top/scripts/isolated.sh" "$(realpath "$0")" "$@"
fi

progress()
{
	echo "bench: $*" >&2
}

# A command that says something only if it fails.
quietly() # COMMAND...
{
	local output

	output=$("$@" 2>&1) || {
		progress "failed: $*"
		echo "$output" >&2
		return 1
	}
}

on() # NETNS COMMAND...
{
	nsenter --net="/run/netns/$1" -- "${@:2}"
}

# A namespace that does not depend on this machine's settings.
new_netns() # NAME
{
	ip netns add "$1"
	"$top/scripts/settings.sh" "$1"
	on "$1" ip link set dev lo up
}

ifindex() # NETNS DEV
{
	on "$1" ip -j link show dev "$2" | jq '.[0].ifindex'
}

program_id() # NETNS DEV
{
	on "$1" ip -j -d link show dev "$2" | jq '.[0].xdp.prog.id'
}

# Pins its maps as well: a map of programs that nobody holds is emptied, some time later.
load_bench()
{
	quietly bpftool prog loadall "$TOOLS/bench.bpf.o" "$PINS" pinmaps "$PINS-maps"
}

# Attaches a program to a device that is down. At each test run of one that is attached nowhere the
# kernel would wait for two grace periods: its dispatcher learns of the program, and forgets it.
attach_bench() # NETNS PROGRAM [PINS DEV]
{
	on "$1" ip link add "${4-$2}" type veth
	on "$1" bpftool net attach xdpgeneric pinned "${3-$PINS}/$2" dev "${4-$2}"
}

# A balancer by itself: namespace lb, device veth6, which all addresses that bench.h names are behind.
# It is this tree's, or that of the checkout XDP_LB_TREE; with the object XDP_LB_OBJECT, if that is set.
balancer_up()
{
	balancer_network
	on lb ip link set dev veth6 xdp obj "${XDP_LB_OBJECT:-$tree/xdp_lb.bpf.o}" sec xdp
}

balancer_network()
{
	new_netns lb
	on lb ip link add veth6 address de:ad:be:ef:00:10 type veth peer name veth7
	on lb ip link set dev veth6 up
	on lb ip link set dev veth7 up
	on lb ip addr add 10.0.0.10/8 dev veth6
	on lb ip addr add fd00::10/16 dev veth6 nodad
	# The next hop of answers in mode dnat, also as the kernel routes.
	on lb ip neigh replace 10.0.0.1 lladdr de:ad:be:ef:00:01 dev veth6
	on lb ip neigh replace fd00:10::1 lladdr de:ad:be:ef:00:01 dev veth6
	on lb ip route add 10.128.0.0/9 via 10.0.0.1
	on lb ip route add fd00:80::/32 via fd00:10::1
	on lb sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

helper() # WORD...
{
	"$tree/xdp-lb" -n lb "$@"
}

# Deletes all services.
unconfigure()
{
	quietly helper apply - empty </dev/null
}

# What stands before the program that is timed.
fronts_up()
{
	local name

	load_bench
	for name in front front_empty fenced fenced_empty; do
		attach_bench lb $name
	done
}

# Sends packets to the balancer, see setup.h: `packet` times them, `fill` fills the flow table.
sender() # PROGRAM WORD=VALUE...
{
	on lb "$TOOLS/$1" program="$(program_id lb veth6)" ifindex="$(ifindex lb veth6)" \
		pins="$PINS" helper="$tree/xdp-lb -d veth6" "${@:2}" </dev/null
}

# A configuration for `apply`: the services and backends that bench.h describes.
configuration() # MODE FAMILY PROTOCOL SERVICES BACKENDS [WORDS of service add]
{
	awk -v mode="$1 ${*:6}" -v family="$2" -v protocol="$3" -v services="$4" -v backends="$5" '
		function real(n)
		{
			if (family == 6)
				return sprintf("fd00:1::a01:%x", n)
			return sprintf("10.1.%d.%d", int(n / 256), n % 256)
		}
		BEGIN {
			form = family == 6 ? "[fd00:10::a00:%x]:%d/%s" : "10.0.0.%d:%d/%s"
			if (mode ~ /^dnat-fib/) # the way of answers is what the kernel routes
				sub("-fib", "", mode)
			else if (mode ~ /^nat-least/)
				sub("-least", " pick least", mode)
			else if (mode ~ /^dnat/)
				mode = mode " via " (family == 6 ? "fd00:10::1" : "10.0.0.1")
			for (s = 0; s < services; s++) {
				vip = sprintf(form, 16 + int(s / 8), 8000 + s % 8, protocol)
				print "service add", vip, "mode", mode
				for (n = s * backends + 1; n <= (s + 1) * backends; n++)
					printf "backend add %s %s mac 02:00:00:01:%02x:%02x\n",
						vip, real(n), int(n / 256), n % 256
			}
		}'
}

# Minimum, median and maximum of numbers on lines of standard input, as JSON.
spread()
{
	sort -g | jq -cs '[.[0], .[length / 2 | floor], .[-1]]'
}

# A result of the control path: milliseconds, on lines of standard input.
result() # NAME
{
	spread | jq -c --arg name "$1" '{ part: "control", name: $name, ms: . }'
}
