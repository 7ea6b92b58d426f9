#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The numbers of stats add up: backends to their service, verdicts to what the device received.
#
#    h1 curl, udp ---> lb VIP:8000, VIP:5300 ---> h2, h3
. "$(dirname "$(realpath "$0")")/../lib.sh"

number() # FILTER: over the last statistics
{
	jq "$1" "$TMP/stats"
}

received()
{
	on lb ethtool -S veth6 | awk '$1 ~ /^rx_queue_[0-9]*_xdp_packets:$/ { sum += $2 } END { print sum }'
}

# The statistics, at a moment when nothing arrives between them and the device's own counter.
sample()
{
	local i

	for ((i = 0; i < 20; i++)); do
		device=$(received)
		lb -j stats >"$TMP/stats"
		[ "$(received)" != "$device" ] || return 0
	done
	fail "packets keep coming"
}

add_up()
{
	local before

	sample
	before=$(number '[.verdicts[].packets] | add')
	before=$((device - before))

	service_up 8000/tcp
	service_up 5300/udp
	ask 100 >"$TMP/shares"
	on h1 "$TOOLS/udp" ask "$vip_address" 5300 checksum 1 2 3
	on h1 ping -q -c 3 -i 0.2 "$vip_address" >"$TMP/out"

	sample

	equal "$(number '.services | length')" 2 "services"
	equal "$(number "first(.services[] | select(.vip == \"$vip:8000/tcp\")) | .flows")" 100 "TCP flows"
	equal "$(number "first(.services[] | select(.vip == \"$vip:5300/udp\")) | .flows")" 1 "UDP flows"
	equal "$(number "first(.services[] | select(.vip == \"$vip:5300/udp\")) | .packets")" 6 "UDP packets"
	for what in packets bytes flows; do
		equal "$(number "[.services[] | .$what == ([.backends[].$what] | add)] | all")" true \
			"$what of the backends add up to their service's"
	done
	equal "$(number '[.services[].packets] | add')" \
		"$(number '[.verdicts[] | select(.reason == "forwarded") | .packets] | add')" \
		"packets of services, and forwarded ones"
	for host in h2 h3; do
		equal "$(number "first(.services[] | select(.vip == \"$vip:8000/tcp\")) | .backends[] |
			select(.address == \"$net${host#h}\") | .flows")" \
			"$(count_of "$host" "$(cat "$TMP/shares")")" "flows of $host, and its answers"
	done
	equal $((device - before)) "$(number '[.verdicts[].packets] | add')" \
		"packets that the device received, and verdicts"

	# A deleted service's packets stay in the totals; zero is zero.
	lb service del "$vip:8000/tcp"
	lb service del "$vip:5300/udp"
	forwarded=$(number '[.verdicts[] | select(.reason == "forwarded") | .packets] | add')
	sample
	within "$(number '[.verdicts[] | select(.reason == "forwarded") | .packets] | add')" \
		"$forwarded" $((forwarded + 10)) "forwarded after the services are deleted"
	lb stats zero
	sample
	within "$(number '[.verdicts[].packets] | add // 0')" 0 20 "packets after zero"
}

lab_up
attach
start_web
start_echo udp 5300
each_family add_up
lb stats >"$TMP/out"
lb metrics >"$TMP/out"
