#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Two balancers, of which one has the VIPs by keepalived: it is stopped, its network dies, it is killed.
# What a takeover costs: in modes without state nothing breaks; in mode nat all does that the former
# one had.
#
#    h1 ---+--- lb  10.0.0.10, keepalived     VIPs 10.0.0.100 (nat), .101 (dsr), .102 (ipip), .103 (dnat)
#          +--- lb2 10.0.0.11, keepalived
#          +--- h2, h3
: "${MODES:=nat dsr ipip dnat}"
. "$(dirname "$(realpath "$0")")/../topology.sh"

CONNECTIONS=$(scaled 30 5 200)
readonly -A MODE_NUMBER=([nat]=100 [dsr]=101 [ipip]=102 [dnat]=103)
declare -A keepalived=()

lb2()
{
	"$top/xdp-lb" -n "${prefix}lb2" "$@"
}

second_balancer()
{
	new_host lb2
	plug lb2 veth6 sw 0 11
	feed sw lb2-veth6
	ip -n "${prefix}lb2" link set dev veth6 xdpdrv obj "$top/xdp_lb.bpf.o" sec xdp
}

each_vip() # FUNCTION
{
	for family in 4 6; do
		for mode in $MODES; do
			vip_address=$(at 0 "${MODE_NUMBER[$mode]}") vip=$vip_address
			[ "$family" = 4 ] || vip="[$vip_address]"
			"$@"
		done
	done
}

serve_vip()
{
	local helper

	for helper in lb lb2; do
		$helper service add "$vip:9/tcp" mode "$mode"
		$helper backend add "$vip:9/tcp" "$(at 0 2)"
		$helper backend add "$vip:9/tcp" "$(at 0 3)"
	done
	case $mode in
	dsr | ipip) backends_apply ;;
	dnat) answer_by_vip ;;
	esac
}

# What backends answer by their own address leaves by whoever has the VIP.
answer_by_vip()
{
	local number

	for number in 2 3; do
		on h$number ip "-$family" rule add from "$(at 0 $number)" to "$(at 0 1)" lookup 50
		on h$number ip "-$family" route add "$(at 0 1)" via "$vip_address" table 50
	done
}

make_configurations()
{
	cp "$top/scripts/keepalived/keepalived.conf" "$TMP/lb.conf"
	sed 's/10\.0\.0\.10$/10.0.0.x/; s/10\.0\.0\.11$/10.0.0.10/; s/10\.0\.0\.x$/10.0.0.11/
		s/priority .*/priority 100/; s/^\trouter_id .*/\trouter_id lb2/' \
		"$TMP/lb.conf" >"$TMP/lb2.conf"
}

start_keepalived() # HOST
{
	spawn "$1" keepalived --dont-fork --vrrp --log-console --use-file "$TMP/$1.conf" \
		--pid "$TMP/$1.pid" --vrrp_pid "$TMP/$1-vrrp.pid" >>"$TMP/$1.log" 2>&1
	keepalived[$1]=$pid
}

has_vips() # HOST
{
	on "$1" ip addr show dev veth6 | grep "10.0.0.100/32" >/dev/null &&
		on "$1" ip addr show dev veth6 | grep "fd00:10::102/128" >/dev/null
}

has_no_vips() # HOST
{
	! on "$1" ip addr show dev veth6 | grep "10.0.0.100/32" >/dev/null
}

talk()
{
	begin_talk "$mode-$family-$kind" "$CONNECTIONS"
}

judge()
{
	local name=$mode-$family-$kind

	end_talk "$name" >"$TMP/out" 2>&1
	[ "$mode" = nat ] || equal "$(talked "$name" broken)" 0 "connections broken, mode $mode"
	note "$mode, IPv$family: $(talked "$name" broken) of $CONNECTIONS broken," \
		"the slowest message took $(talked "$name" worst) ms"
}

# One balancer has the VIPs; after COMMAND the other one has them.
takeover() # KIND FROM TO COMMAND...
{
	kind=$1
	note "$1: from $2 to $3"
	await 10 has_vips "$2"
	has_no_vips "$3" || fail "both have the VIPs"
	each_vip talk
	sleep 0.5
	"${@:4}"
	await 10 has_vips "$3"
	sleep 1
	each_vip judge
}

stop_keepalived() # HOST
{
	kill "${keepalived[$1]}"
	wait "${keepalived[$1]}" || true
}

cut_off() # HOST
{
	on "$1" ip link set dev veth6 down
}

# What systemd does: the rest of its group, and ExecStopPost.
killed() # HOST
{
	# Neither may hear of the other one's death: the one that does VRRP would give up in order, and
	# the other would start it again, which begins with no VIPs.
	kill -STOP "${keepalived[$1]}"
	kill -KILL "$(cat "$TMP/$1-vrrp.pid")" "${keepalived[$1]}"
	wait "${keepalived[$1]}" 2>/dev/null || true
	has_vips "$1" || fail "killed, it has no VIPs any more: release.sh is not needed"
	on "$1" "$top/scripts/keepalived/release.sh" "$TMP/$1.conf" >"$TMP/released"
	has_no_vips "$1" || fail "release.sh leaves VIPs: $(cat "$TMP/released")"
}

lab_up
second_balancer
make_router lb
make_router lb2
attach
start_listeners h2 h3
each_vip serve_vip
make_configurations
start_keepalived lb
await 10 has_vips lb
start_keepalived lb2
takeover stopped lb lb2 stop_keepalived lb
start_keepalived lb
takeover killed lb2 lb killed lb2
start_keepalived lb2
sleep 1
takeover cut-off lb lb2 cut_off lb
