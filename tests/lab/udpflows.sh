#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# UDP flows stay with their backend while backends come and drain, as long as they are not idle.
#
#    h1 60 sockets --- lb VIP:9 --- h2, h3, then b4 (10.0.0.x): each answers with its name
. "$(dirname "$(realpath "$0")")/../topology.sh"

# Opens sockets; for each line of input says something on each of them, and prints who answers.
readonly TALK='
for ((i = 0; i < 60; i++)); do
	exec {fd}<>"/dev/udp/$0/9"
	sockets+=("$fd")
done
while read -r _; do
	for fd in "${sockets[@]}"; do
		name=-
		echo hello >&"$fd"
		read -r -t 3 name <&"$fd"
		echo "$name"
	done
	echo end
done'

serve_name() # HOST: from the VIP, where that is the host's
{
	local bind=''

	[ "$mode" = nat ] || bind=,bind=$vip
	spawn "$1" socat "UDP$family-RECVFROM:9,fork$bind" "SYSTEM:'echo $1'"
	servers+=("$pid")
	await 5 serves "$1" 9
}

# What each of the client's sockets hears, line by line.
hear()
{
	local name

	echo >&"${client[1]}"
	while read -r -u "${client[0]}" name && [ "$name" != end ]; do
		echo "$name"
	done
}

udp_flows()
{
	local servers=() before after

	[ "$mode" = nat ] || { backends_apply && backend_apply b4 eth0; }
	for host in h2 h3 b4; do
		serve_name $host
	done
	service_up 9/udp mode "$mode"
	coproc client { on h1 bash -c "$TALK" "$vip_address"; }
	before=$(hear)
	within "$(grep -c h2 <<<"$before")" 10 50 "of 60 flows, to h2"
	equal "$(grep -c 'h[23]' <<<"$before")" 60 "flows that are answered"

	lb backend add "$vip:9/udp" "$(at 0 4)"
	equal "$(hear)" "$before" "answers after b4 came"
	lb backend drain "$vip:9/udp" "$(at 0 2)"
	equal "$(hear)" "$before" "answers while h2 drains"
	lb backend set "$vip:9/udp" "$(at 0 3)" weight 10
	equal "$(hear)" "$before" "answers after h3 got another weight"

	lb backend down "$vip:9/udp" "$(at 0 2)"
	hear >/dev/null
	after=$(hear)
	equal "$(grep -c h2 <<<"$after")" 0 "answers of h2, which is down"
	equal "$(grep -c 'h3\|b4' <<<"$after")" 60 "flows that are answered after that"
	equal "$(paste <(echo "$before") <(echo "$after") | grep -c 'h3.*h3')" \
		"$(grep -c h3 <<<"$before")" "flows that stay with h3"

	exec {client[1]}>&-
	kill "${servers[@]}"
	wait "${servers[@]}" || true
	lb service del "$vip:9/udp"
	[ "$mode" = nat ] || { backends_undo && backend_undo b4 eth0; }
}

lab_up
new_host b4
plug b4 eth0 sw 0 4
reach h1 $VIP_NETWORK 0 10
attach
each_family each_mode udp_flows
