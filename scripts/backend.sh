#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# backend.sh [-n NETNS] [apply|undo] MODE VIP DEV [OPTION]...: what a backend must set for a service
# of MODE (nat, dsr, ipip, dnat) at VIP, DEV being its device towards the balancer. Prints it; `apply`
# does it (and undoes first what it did before for this VIP); `undo` puts all back as it was.
#
#    via ROUTER           answers leave by ROUTER; in mode nat: ROUTER is the balancer, VIP off-link;
#                         in mode dnat it is the balancer, or leads to one
#    to CLIENTS           dnat: only what goes to this prefix; default: all that has no other route
#    outer ipv4|ipv6      ipip: the family of the tunnel and of the backend's address; default: of VIP
#    tunnel kernel|xdp    ipip: taken out by the kernel's device, or by decap.bpf.o on DEV; default:
#                         the kernel's if it has one
#    mtu N                ipip: the MTU of the way from the balancer, if it is less than DEV's
#    accept-local         the balancer sends ARP from VIP, for want of another address there
set -euo pipefail
. "$(dirname "$(realpath "$0")")/lib.sh"

readonly WORDS="$program [-n NETNS] [apply|undo] nat|dsr|ipip|dnat VIP DEV [via ROUTER]
       [to CLIENTS] [outer ipv4|ipv6] [tunnel kernel|xdp] [mtu N] [accept-local]"
# Files NAMESPACE/VIP have the commands that undo; NAMESPACE/host those for when the last VIP goes.
readonly STATE=/run/xdp-lb-backend
readonly TUNNEL_SOURCES=172.16.0.0/16 # where the balancer's tunnels come from: datapath/encap.h
readonly MAX_LINEAR_MTU=3498 # that a program in section xdp takes

ns='' verb=print router='' clients=default outer='' tunnel='' mtu='' accept_local=''

# One thing to be done, for this VIP or for the host as a whole. Commands are split at blanks.
step() # vip|host UNDO COMMAND...
{
	local scope=$1 undo=$2

	shift 2
	if [ "$verb" = print ]; then
		echo "$*"
		return
	fi
	# First the note: to undo what was not done does no harm.
	[ -z "$undo" ] || echo "$undo" >>"$state/$([ "$scope" = host ] && echo host || echo "$vip")"
	cmd_in "$ns" "$@"
}

explain()
{
	[ "$verb" != print ] || echo "# $*"
}

set_sysctl() # KEY VALUE
{
	local old

	old=$(in_netns "$ns" sysctl -n "$1" 2>/dev/null) || old=0
	[ "$verb" = apply ] && [ "$old" = "$2" ] ||
		step host "sysctl -qw $1=$old" sysctl -qw "$1=$2"
}

is_up() # DEV
{
	in_netns "$ns" ip -j link show dev "$1" 2>/dev/null |
		jq -e '.[0].flags | index("UP")' >/dev/null
}

# Strict reverse path filtering of DEV becomes loose: answers need not leave by DEV.
loosen() # DEV
{
	local all own

	all=$(in_netns "$ns" sysctl -n net/ipv4/conf/all/rp_filter)
	own=$(in_netns "$ns" sysctl -n "net/ipv4/conf/$1/rp_filter" 2>/dev/null) || own=$all
	[ "$all" != 1 ] && [ "$own" != 1 ] || set_sysctl "net/ipv4/conf/$1/rp_filter" 2
}

hold_vip()
{
	if [ "$family" = 6 ]; then
		explain "the VIP on loopback, never the source of the host's own connections;" \
			"neighbour discovery on $dev finds it not"
		step vip "ip addr del $vip/128 dev lo" \
			ip addr replace "$vip/128" dev lo nodad preferred_lft 0
		return
	fi
	explain "the VIP on loopback; no ARP for it, neither answered nor sent"
	set_sysctl "net/ipv4/conf/$dev/arp_ignore" 1
	set_sysctl "net/ipv4/conf/$dev/arp_announce" 2
	step vip "ip addr del $vip/32 dev lo" ip addr replace "$vip/32" dev lo
	[ -z "$accept_local" ] || set_sysctl "net/ipv4/conf/$dev/accept_local" 1
}

# The host's routes of the VIP's family, a line each; all of one next hop that are not link-local.
own_routes()
{
	in_netns "$ns" ip "-$family" -j route show table main | jq -r '.[] |
		select(.dev and .dev != "lo" and (.type // "unicast") == "unicast") |
		select(.dst | test("^f[ef]") | not) |
		select((.flags // []) | any(. == "dead" or . == "linkdown") | not) |
		"\(.dst)\(if .gateway then " via \(.gateway)" else "" end) dev \(.dev)" +
		(if .metric then " metric \(.metric)" else "" end)' | sort -s -k 2,2
}

# A routing table for what the VIP sends, and the words that go behind each of its routes.
answer_by() # WORD...
{
	local table route undo

	table=$((10000 + $(cksum <<<"$vip" | cut -d ' ' -f 1) % 10000))
	undo="ip -$family route flush table $table"
	while read -r -a route; do
		[ "${route[0]}" != default ] || [ -z "$router" ] || continue
		step vip "$undo" ip "-$family" route add "${route[@]}" "$@" table $table
		undo=
	done < <(own_routes)
	[ -z "$router" ] || step vip "$undo" \
		ip "-$family" route add default via "$router" dev "$dev" "$@" table $table
	step vip "ip -$family rule del from $vip lookup $table" \
		ip "-$family" rule add from "$vip" lookup $table
}

# Packets up to the size that fits into the tunnel are all that a client is told to send.
limit_mss()
{
	local size=${mtu:-$dev_mtu} headers=40 overhead=20

	[ "$family" = 4 ] || headers=60
	[ "$outer" = ipv4 ] || overhead=40
	explain "TCP tells clients an MSS of $size - $overhead (tunnel) - $headers, by routes for" \
		"the VIP alone: copies of the host's"
	answer_by advmss $((size - overhead - headers))
}

# The kernel's device for every tunnel of the kind: "DEVICE MODULE".
tunnel_device()
{
	case $family-$outer in
	4-ipv4) echo tunl0 ipip ;;
	6-ipv4) echo sit0 sit ;;
	*) echo ip6tnl0 ip6_tunnel ;;
	esac
}

# Whether there is a device. `ip link show` would make the kernel load it.
is_device() # DEV
{
	in_netns "$ns" grep -qs "^ *$1:" /proc/net/dev
}

kernel_has_tunnel()
{
	local device module

	read -r device module < <(tunnel_device)
	is_device "$device" ||
		modprobe -q -n "$module" 2>/dev/null
}

# The tunnels' source needs a route to somewhere for any reverse path filter to let it through.
admit_tunnel_source()
{
	local all own

	loosen "$dev"
	all=$(in_netns "$ns" sysctl -n net/ipv4/conf/all/rp_filter)
	own=$(in_netns "$ns" sysctl -n "net/ipv4/conf/$dev/rp_filter")
	[ "$all$own" != 00 ] || return 0
	in_netns "$ns" ip route get "${TUNNEL_SOURCES%0.0/*}0.1" >/dev/null 2>&1 ||
		step host "ip route del $TUNNEL_SOURCES dev $dev" \
			ip route replace "$TUNNEL_SOURCES" dev "$dev"
}

kernel_tunnel()
{
	local device module

	read -r device module < <(tunnel_device)
	explain "the kernel's device for tunnels from anywhere: a filter must let only the" \
		"balancers send IP protocols 4 and 41"
	is_device "$device" || step host '' modprobe "$module"
	[ "$device" != ip6tnl0 ] ||
		step host 'ip -6 tunnel change ip6tnl0 mode ip6ip6' \
			ip -6 tunnel change ip6tnl0 mode any
	[ "$verb" = apply ] && is_up "$device" ||
		step host "ip link set dev $device down" ip link set dev "$device" up
	[ "$outer" = ipv6 ] || admit_tunnel_source
	[ "$family" = 6 ] || loosen "$device"
}

xdp_tunnel()
{
	local object section=xdp there

	object=$(find_built decap.bpf.o)
	[ "$dev_mtu" -le $MAX_LINEAR_MTU ] || section=xdp.frags
	there=$(in_netns "$ns" ip -j -d link show dev "$dev" | jq -r '.[0].xdp.prog.name // ""')
	explain "decap.bpf.o on $dev takes packets out of any tunnel: a router must let only the" \
		"balancers send IP protocols 4 and 41"
	case $verb-$there in
	apply-xdp_decap*) ;;
	apply-?*) die "$dev has an XDP program already: $there" ;;
	*)
		step host "ip link set dev $dev xdp off" \
			ip link set dev "$dev" xdp obj "$object" sec $section
		;;
	esac
	[ "$family" = 6 ] || loosen "$dev"
}

# The route to clients leads to the balancer; one that is in its place comes back with `undo`.
answer_by_balancer()
{
	local -a old

	read -r -a old < <(in_netns "$ns" ip "-$family" route show exact "$clients" | head -n 1) || true
	[ "$verb" = print ] || [ ${#old[@]} = 0 ] ||
		echo "ip -$family route replace ${old[*]}" >>"$state/$vip"
	step vip "ip -$family route del $clients via $router dev $dev" \
		ip "-$family" route replace "$clients" via "$router" dev "$dev"
}

set_up()
{
	case $mode in
	nat)
		explain "mode nat asks only that the way from here to the VIP leads to the balancer"
		[ -z "$router" ] || step vip "ip -$family route del $vip via $router dev $dev" \
			ip "-$family" route replace "$vip" via "$router" dev "$dev"
		;;
	dnat)
		[ -n "$router" ] || usage_error "mode dnat needs 'via ROUTER'"
		explain "mode dnat asks that answers to clients come back to a balancer"
		answer_by_balancer
		;;
	dsr)
		hold_vip
		[ -z "$router" ] || answer_by
		;;
	ipip)
		hold_vip
		"${tunnel}_tunnel"
		limit_mss
		;;
	esac
}

undo_file() # FILE
{
	local words

	[ -e "$1" ] || return 0
	while read -r -a words; do
		cmd_in "$ns" "${words[@]}" || true
	done < <(tac "$1")
	rm "$1"
}

# Undoes what was done for the VIP, and with the last one what was done for all.
undo()
{
	undo_file "$state/$vip"
	[ -z "$(find "$state" -type f ! -name host)" ] || return 0
	undo_file "$state/host"
	rmdir "$state"
	rmdir --ignore-fail-on-non-empty $STATE
}

apply()
{
	[ ! -e "$state/$vip" ] || undo
	mkdir -p "$state"
	touch "$state/$vip"
	trap '[ $? = 0 ] || undo' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	set_up
}

option() # WORD VALUE: returns how many words it has
{
	case $1 in
	accept-local)
		accept_local=yes
		return
		;;
	esac
	[ $# = 2 ] || usage "$WORDS"
	case $1-$2 in
	via-*) router=$(address "$2") ;;
	to-*) clients=$(address "${2%/*}")/${2#*/} ;;
	outer-ipv4 | outer-ipv6) outer=$2 ;;
	tunnel-kernel | tunnel-xdp) tunnel=$2 ;;
	mtu-*) [[ $2 =~ ^[1-9][0-9]{2,4}$ ]] && mtu=$2 || usage_error "bad mtu '$2'" ;;
	*) usage_error "unknown option '$1 $2'" ;;
	esac
}

usage_error()
{
	echo "$program: $*" >&2
	usage "$WORDS"
}

address() # TEXT
{
	"$here/bytes.sh" ip "$1" >/dev/null 2>&1 ||
		usage_error "bad address '$1': no port, no prefix"
	echo "$1"
}

while getopts n: letter; do
	case $letter in
	n) ns=$OPTARG ;;
	*) usage "$WORDS" ;;
	esac
done
shift $((OPTIND - 1))
case ${1-} in
apply | undo)
	verb=$1
	shift
	;;
esac
[ $# -ge 3 ] || usage "$WORDS"
mode=$1 vip=$(address "$2") dev=$3
shift 3
case $mode in
nat | dsr | ipip | dnat) ;;
*) usage_error "unknown mode '$mode'" ;;
esac
while [ $# -gt 0 ]; do
	option "${@:1:2}"
	[ "$1" = accept-local ] || shift
	shift
done

need_device "$ns" "$dev"
[ "${vip/:/}" = "$vip" ] && family=4 || family=6
: "${outer:=ipv$family}"
: "${tunnel:=$(kernel_has_tunnel && echo kernel || echo xdp)}"
dev_mtu=$(in_netns "$ns" ip -j link show dev "$dev" | jq '.[0].mtu')
state=$STATE/$(stat -L -c %i "/${ns:+run/netns/$ns}$([ -n "$ns" ] || echo proc/self/ns/net)")
[ "$verb" = print ] || need_root
case $verb in
print) set_up ;;
apply) apply ;;
undo)
	[ -e "$state/$vip" ] || die "nothing is set up for $vip here"
	undo
	;;
esac
