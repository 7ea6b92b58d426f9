#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The configuration changes, and the program is replaced, under 500 connections with traffic: no
# reset, no stall, no wrong byte. Connections that begin meanwhile are no worse off.
#
#    h1 steady --- lb VIP --- h2, h3, b4, b5, b6 (10.0.0.x)
. "$(dirname "$(realpath "$0")")/../topology.sh"

# Nothing here ends flows. HOST stands for its address.
readonly CHANGES='
backend add b4
backend set h2 weight 40
backend drain h3
backend add b5 weight 200
backend up h3
apply_again
replace
backend set b4 weight 300
backend drain b4
talk while_b4_drains
backend add b6
backend up b4
apply_changed
backend drain h2
replace
backend set b5 weight 20
backend up h2
backend drain b6
apply_again
talk while_b6_drains
backend set h3 weight 900
backend up b6
backend set h2 weight 100
backend drain b5'

address_of() # HOST
{
	at 0 "${1#?}"
}

apply_again()
{
	lb save >"$TMP/saved"
	lb apply "$TMP/saved"
	equal "$(lb save)" "$(cat "$TMP/saved")" "configuration after apply"
}

apply_changed()
{
	lb save | sed "s/\(backend add .* $(address_of h3)\).*/\1 weight 150/" >"$TMP/changed"
	lb apply "$TMP/changed"
	equal "$(lb save)" "$(cat "$TMP/changed")" "configuration after apply"
}

replace()
{
	on lb ip -force link set dev veth6 xdpdrv obj "$top/xdp_lb.bpf.o" sec xdp
}

change() # WORD...
{
	case $1 in
	backend) lb backend "$2" "$vip:9/tcp" "$(address_of "$3")" "${@:4}" ;;
	talk) begin_talk "$2" 100 ;;
	*) "$1" ;;
	esac
}

change_all()
{
	local words

	while read -r -a words; do
		change "${words[@]}" >"$TMP/change.log" ||
			fail "${words[*]}: $(cat "$TMP/change.log")"
		sleep "$(scaled 0.4 1)"
	done < <(sed 1d <<<"$CHANGES")
}

under_load()
{
	local host

	[ "$mode" = nat ] || for host in $HOSTS; do
		backend_apply "${host%:*}" "${host#*:}"
	done
	lb service add "$vip:9/tcp" mode "$mode"
	lb backend add "$vip:9/tcp" "$(address_of h2)"
	lb backend add "$vip:9/tcp" "$(address_of h3)"
	begin_talk all "$(scaled 500 50)"
	change_all
	for talk in all while_b4_drains while_b6_drains; do
		end_talk $talk
		expect_unbroken $talk
	done
	equal "$(talked while_b4_drains connections b4)" 0 "new connections to b4 while it drained"
	equal "$(talked while_b6_drains connections b6)" 0 "new connections to b6 while it drained"
	lb service del "$vip:9/tcp"
	[ "$mode" = nat ] || for host in $HOSTS; do
		backend_undo "${host%:*}" "${host#*:}"
	done
}

readonly HOSTS='h2:veth3 h3:veth5 b4:eth0 b5:eth0 b6:eth0'
lab_up
for host in b4 b5 b6; do
	new_host $host
	plug $host eth0 sw 0 ${host#b}
done
reach h1 $VIP_NETWORK 0 10
attach
start_listeners h2 h3 b4 b5 b6
each_family each_mode under_load
expect_no_errors h1 lb h2 h3 b4 b5 b6
