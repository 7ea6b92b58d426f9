#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The numbers of stats add up: backends to their service, verdicts to what the device received.
#
#    h1 curl, udp ---> lb VIP:8000, VIP:5300 ---> h2, h3
. "$(dirname "$(realpath "$0")")/../lib.sh"

readonly FORWARDED='[.verdicts[] | select(.reason == "forwarded") | .packets] | add'
readonly ALL='[.verdicts[].packets] | add // 0'

number() # FILTER: over the last statistics
{
	jq "$1" "$TMP/stats"
}

of_service() # PORT/PROTO FILTER
{
	number "first(.services[] | select(.vip == \"$vip:$1\")) | $2"
}

slow() # CAUSE
{
	number ".slow[] | select(.cause == \"$1\") | .packets"
}

received()
{
	on lb ethtool -S veth6 | awk '$1 ~ /^rx_queue_[0-9]*_xdp_packets:$/ { sum += $2 }
		END { print sum }'
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
	local before shares what host forwarded share

	sample
	before=$((device - $(number "$ALL")))
	service_up 8000/tcp
	service_up 5300/udp
	shares=$(ask 100)
	on h1 "$TOOLS/udp" ask "$vip_address" 5300 checksum 1 2 3
	on h1 ping -q -c 3 -i 0.2 "$vip_address" >"$TMP/out"
	sample

	equal "$(number '.services | length')" 2 "services"
	equal "$(of_service 8000/tcp .flows)" 100 "TCP flows"
	equal "$(of_service 5300/udp .flows)" 1 "UDP flows"
	for what in live closing; do
		equal "$(of_service 8000/tcp "[.backends[].$what] | add")" 100 "$what"
	done
	equal "$(of_service 5300/udp .packets)" 6 "UDP packets"
	for what in packets bytes flows; do
		equal "$(number "[.services[] | .$what == ([.backends[].$what] | add)] | all")" \
			true "$what of the backends add up to their service's"
	done
	equal "$(number '[.services[].packets] | add')" "$(number "$FORWARDED")" \
		"packets of services, and forwarded ones"
	for host in h2 h3; do
		what=".backends[] | select(.address == \"$net${host#h}\") | .flows"
		equal "$(of_service 8000/tcp "$what")" "$(count_of "$host" "$shares")" \
			"flows of $host, and its answers"
	done
	equal $((device - before)) "$(number "$ALL")" "packets that the device received, and verdicts"

	# In mode nat each flow begins on the slow path, but does not stay there.
	within "$(slow new-flow)" 100 150 "slow packets of 101 new flows"
	within "$(number '[.slow[].packets] | add')" 101 "$(number "$FORWARDED")" "slow packets"
	equal "$(lb stats | awk '/slow path/ { slow = 1 } slow && $1 == "new-flow" { print $2 }')" \
		"$(slow new-flow)" "slow packets in the text"
	equal "$(lb -j stats "$vip:8000/tcp" | jq 'has("slow")')" false "slow packets of a service"

	# A deleted backend's packets stay its service's; a new one with its number starts at zero.
	forwarded=$(of_service 8000/tcp .packets)
	lb backend del "$vip:8000/tcp" "$backend3"
	sample
	equal "$(of_service 8000/tcp .packets)" "$forwarded" "packets without h3"
	lb backend add "$vip:8000/tcp" "$backend3"
	ask 20 >"$TMP/out"
	sample
	share=$(of_service 8000/tcp ".backends[] | select(.address == \"${net}3\") | .packets")
	within "$share" 1 300 "packets of h3 when it is back"
	equal "$(number '[.services[].packets] | add')" "$(number "$FORWARDED")" \
		"packets of services, and forwarded ones"

	# A deleted service's packets stay in the totals; zero is zero.
	lb service del "$vip:8000/tcp"
	lb service del "$vip:5300/udp"
	forwarded=$(number "$FORWARDED")
	sample
	within "$(number "$FORWARDED")" "$forwarded" $((forwarded + 10)) \
		"forwarded after the services are deleted"
	lb stats zero
	sample
	within "$(number "$ALL")" 0 20 "packets after zero"
	equal "$(slow new-flow)" 0 "slow packets after zero"
}

talk() # COUNT: on the descriptor 3
{
	local i

	for ((i = 0; i < $1; i++)); do
		echo "a datagram that is as long as one of Ethernet" >&3
		sleep 0.02
	done
}

# A client's socket that outlives its flow: the next one's packets find it by the fast path, also while
# only the client speaks. Nobody is at the second backend's address.
flow_anew()
{
	local before

	lb service add "$vip:5300/udp"
	lb backend add "$vip:5300/udp" "$backend2"
	rm -f "$TMP/moved"
	spawn h1 bash -c "$(declare -f talk); exec 3<>/dev/udp/$vip_address/5300; talk 10
		until [ -e $TMP/moved ]; do sleep 0.05; done; talk 100" >"$TMP/out"
	sleep 1
	lb backend add "$vip:5300/udp" "${net}99" mac de:ad:be:ef:00:99
	lb backend down "$vip:5300/udp" "$backend2"
	sample
	before=$(slow new-flow)
	touch "$TMP/moved"
	wait "$pid"
	sample
	equal "$(of_service 5300/udp '.backends[1].packets')" 100 "datagrams to nobody"
	within $(($(slow new-flow) - before)) 1 5 "slow packets of a client's second flow"
	lb service del "$vip:5300/udp"
}

lab_up
attach
start_web
start_echo udp 5300
each_family add_up
each_family flow_anew
lb stats >"$TMP/out"
lb metrics >"$TMP/out"
