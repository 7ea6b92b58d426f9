#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# UDP flows stay with their backend while backends come, drain and weigh less, as long as they are
# not idle; those of a backend that goes down get another.
#
#    h1 60 sockets --- lb VIP:9 --- h2, h3, then b4 (10.0.0.x): each answers with its name
. "$(dirname "$(realpath "$0")")/../topology.sh"

# Who answers on each of the client's sockets, a line each.
names()
{
	local name

	echo >&"$asked"
	while read -r -t 60 name <&"$answers" && [ "$name" != end ]; do
		echo "$name"
	done
}

begin_client()
{
	rm -f "$TMP/ask" "$TMP/answers"
	mkfifo "$TMP/ask" "$TMP/answers"
	# Both ends of both, so that no opening waits and none closes.
	exec {asked}<>"$TMP/ask" {answers}<>"$TMP/answers"
	# Not spawn: a function's background has no input.
	nsenter --net="/run/netns/${prefix}h1" -- "$TOOLS/udp" names "$vip_address" 9 60 \
		<"$TMP/ask" >"$TMP/answers" &
	client=$!
}

count_names() # PATTERN NAMES
{
	grep -c "$1" <<<"$2" || true
}

udp_flows()
{
	local before after

	[ "$mode" = nat ] || { backends_apply && backend_apply b4 eth0; }
	service_up 9/udp mode "$mode"
	begin_client
	before=$(names)
	within "$(count_names h2 "$before")" 10 50 "of 60 flows, to h2"
	equal "$(count_names 'h[23]' "$before")" 60 "flows that are answered"

	lb backend add "$vip:9/udp" "$(at 0 4)"
	equal "$(names)" "$before" "answers after b4 came"
	lb backend drain "$vip:9/udp" "$(at 0 2)"
	equal "$(names)" "$before" "answers while h2 drains"
	lb backend set "$vip:9/udp" "$(at 0 3)" weight 10
	equal "$(names)" "$before" "answers after h3 got another weight"

	lb backend down "$vip:9/udp" "$(at 0 2)"
	after=$(names)
	equal "$(count_names h2 "$after")" 0 "answers of h2, which is down"
	equal "$(count_names 'h3\|b4' "$after")" 60 "flows that are answered after that"
	equal "$(paste <(echo "$before") <(echo "$after") | grep -c 'h3.*h3')" \
		"$(count_names h3 "$before")" "flows that stay with h3"

	kill "$client"
	lb service del "$vip:9/udp"
	[ "$mode" = nat ] || { backends_undo && backend_undo b4 eth0; }
}

lab_up
new_host b4
plug b4 eth0 sw 0 4
reach h1 $VIP_NETWORK 0 10
attach
for host in h2 h3 b4; do
	on $host "$TOOLS/udp" serve 9 $host &
	await 60 serves $host 9
done
each_family each_mode udp_flows
