#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Several shells change the balancer at the same time, and some commands are killed at any moment:
# no change is lost or half done, and traffic of another service does not notice.
#
#    h1 curl ---> lb VIP:8000 ---> h2, h3 nginx      changes: VIP:9000
. "$(dirname "$(realpath "$0")")/../lib.sh"

readonly SHELLS=8
rounds=$(scaled 25 3 100)
kills=$(scaled 60 60 600)

backends()
{
	lb -j service show "$vip:9000/tcp" | jq '.[0].backends | length'
}

# A shell's work: VERB for $rounds backends of its own.
shell() # NUMBER VERB
{
	local i address failures=0

	for ((i = 0; i < rounds; i++)); do
		address=$net$(($1 + 2))$((i + 10))
		[ "$family" = 6 ] || address=10.1.$1.$((i + 1))
		lb backend "$2" "$vip:9000/tcp" "$address" "${@:3}" || failures=$((failures + 1))
	done
	return $failures
}

all_shells() # VERB [WORD]...
{
	local i pids=()

	for ((i = 0; i < SHELLS; i++)); do
		shell "$i" "$@" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || fail "$? commands of a shell failed"
	done
}

# Every slot's owner is a configured backend, and every backend owns its part of the slots.
consistent()
{
	local services owners

	lb save >"$TMP/now"
	lb apply "$TMP/now" >"$TMP/out" 2>"$TMP/error" || fail "apply of what was saved"
	lb save | cmp -s "$TMP/now" - || fail "what was saved does not come back"
	services=$(backends)
	owners=$([ "$services" = 0 ] && echo 0 || owners_of_slots)
	equal "$owners" "$services" "backends that own slots, and configured ones"
}

# How many backends the slots of VIP:9000 belong to, by bpftool alone.
owners_of_slots()
{
	local service table slots id

	service=$(bpftool -j map dump pinned "$pins/xlb_services" | jq -c ".[] | .formatted |
		select(.value.slots == 1021) | .value")
	table=$(jq .table <<<"$service")
	slots=$(jq .slots <<<"$service")
	id=$(bpftool -j map lookup pinned "$pins/xlb_tables" \
		key $((table & 255)) $((table >> 8)) 0 0 | jq -r '.value | reverse | map(.[2:]) | join("")')
	bpftool -j map dump id $((16#$id)) | jq "[.[:$slots][].value[:2]] | unique | length"
}

kill_at_random()
{
	local i words

	for ((i = 0; i < kills; i++)); do
		words=("$vip:9000/tcp" "${net}9$((i / 2 % 10 + 10))")
		[ "$family" = 6 ] || words[1]=10.2.0.$((i / 2 % 10 + 1))
		# A killed `add` lets the `del` fail, and the reverse: as it should.
		if [ $((i % 2)) = 0 ]; then
			words=(add "${words[@]}" mac 02:00:00:00:00:02)
		else
			words=(del "${words[@]}")
		fi
		"$top/xdp-lb" -n "${prefix}lb" backend "${words[@]}" >"$TMP/out" 2>&1 &
		sleep "0.0$((RANDOM % 4))$((RANDOM % 10))"
		kill -KILL $! 2>"$TMP/out" || true
		wait $! 2>"$TMP/out" || true
		[ $((i % 10)) != 9 ] || consistent
	done
}

concurrent()
{
	local requests

	service_up 8000/tcp
	lb service add "$vip:9000/tcp" table 1021
	ask 2000 >"$TMP/shares" &
	requests=$!

	all_shells add mac 02:00:00:00:00:01
	equal "$(backends)" $((SHELLS * rounds)) "backends after all additions"
	consistent
	all_shells set weight 50
	all_shells del
	equal "$(backends)" 0 "backends after all deletions"
	kill_at_random
	consistent

	wait "$requests" || fail "requests of the other service failed"
	equal "$(sum_of "$(cat "$TMP/shares")")" 2000 "answers meanwhile"
	lb apply - empty </dev/null >"$TMP/out"
}

lab_up
attach
pins=/sys/fs/bpf/tc/globals
start_web
each_family concurrent
