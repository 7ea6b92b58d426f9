#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# live.sh [quick]: requests, connections, latency, throughput and CPU time, from a client through
# xdp-lb and its rivals to one backend, in turns.
. "$(dirname "$(realpath "$0")")/rivals.sh"

readonly SAMPLES=/run/samples
readonly RIVALS='straight least nat dsr ipip nat-generic dsr-generic ipip-generic nftables haproxy nginx'
rounds=5
[ "${1-}" != quick ] || rounds=1

sample() # RIVAL WHAT VALUE
{
	echo "$*" >>$SAMPLES
}

# Hundredths of a second that all CPUs were busy.
busy()
{
	awk '/^cpu / { print $2 + $3 + $4 + $7 + $8 }' /proc/stat
}

# Packets that came to the balancer so far.
packets_to() # RIVAL
{
	[ "$1" != straight ] || { echo 0 && return; }
	on sw ip -j -s link show dev "$(port_of "$1")" | jq '.[0].stats64.tx.packets'
}

# What wrk says: requests, their rate, the latency of half and of 99 % of them in microseconds, errors.
figures_of_wrk()
{
	awk '
		function us(text)
		{
			return text * (text ~ /us$/ ? 1 : text ~ /ms$/ ? 1e3 : 1e6)
		}
		$1 == "50%" { p50 = us($2) }
		$1 == "99%" { p99 = us($2) }
		/ requests in / { requests = $1 }
		/^Requests\/sec:/ { rate = $2 }
		/Socket errors|Non-2xx/ { errors = 1 }
		END { print requests + 0, rate + 0, p50 + 0, p99 + 0, errors + 0 }'
}

# Asks for a second, and keeps the rate under a name.
ask() # RIVAL NAME CONNECTIONS [OPTION...]
{
	local before packets requests rate p50 p99 errors

	packets=$(packets_to "$1")
	before=$(busy)
	read -r requests rate p50 p99 errors < <(on $CLIENT wrk -t 1 -c "$3" -d 1s --latency \
		--timeout 5s "${@:4}" "http://$(address_of "$1"):$WEB/" | figures_of_wrk)
	[ "$errors" = 0 ] && [ "$requests" != 0 ] || progress "$1: wrk met errors ($2)"
	sample "$1" "$2" "$rate"
	sample "$1" "$2-p50" "$p50"
	sample "$1" "$2-p99" "$p99"
	[ "$requests" != 0 ] || return 0
	sample "$1" "$2-cpu" "$((($(busy) - before) * 10000 / requests))"
	sample "$1" "$2-packets" "$(awk -v packets=$(($(packets_to "$1") - packets)) \
		-v requests="$requests" 'BEGIN { printf "%.2f\n", packets / requests }')"
}

transfer() # RIVAL
{
	local rate

	rate=$(on $CLIENT iperf3 -J -t 1 -p $BULK -c "$(address_of "$1")" |
		jq '.end.sum_received.bits_per_second // 0 | . / 1e6 | floor')
	sample "$1" bulk "$rate"
}

# A line of JSON for each rival: minimum, median and maximum of all that was sampled; and the rates
# by rounds, to be compared with those of others in the same.
results()
{
	jq -cRn '
		def spread: sort | [.[0], .[length / 2 | floor], .[-1]];
		[inputs | split(" ") | { name: .[0], what: .[1], value: (.[2] | tonumber) }] |
		group_by(.name)[] |
		{ part: "live", name: .[0].name } +
			(group_by(.what) | map({ key: .[0].what, value: map(.value) | spread }) |
			 from_entries) +
			{ rounds: (map(select(.what == "keepalive" or .what == "connections")) |
			  group_by(.what) | map({ key: .[0].what, value: map(.value) }) |
			  from_entries) }' $SAMPLES
}

rivals_up
for ((round = 1; round <= rounds; round++)); do
	progress "live: round $round of $rounds"
	for rival in $RIVALS; do
		ask "$rival" keepalive 50
		ask "$rival" connections 50 -H 'Connection: close'
		if [ $((round % 3)) = 1 ]; then
			ask "$rival" alone 1
			transfer "$rival"
		fi
	done
done
results
