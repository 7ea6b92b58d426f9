#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# upgrade DEV: another version takes the place of the one that runs, under traffic. To a layout with
# another configuration all connections live on; to one with other records of flows it says before
# how many end. Whoever kills it in between leaves a balancer that works, and the next one goes on.
#
#    h1 steady, 1,000 connections ---> lb VIP:9000 (one version, the next, ...) ---> h2, h3
. "$(dirname "$(realpath "$0")")/../lib.sh"

[ -n "$(type -P clang)" ] && [ -n "$(type -P make)" ] || skip "no compiler here"
CONNECTIONS=$(scaled 1000 200)

# These sources with maps of another layout: members in other places, more of them; or, FORMAT more,
# with other records of flows.
build_version() # NAME LAYOUT FORMAT
{
	mkdir "$TMP/$1"
	cp -r "$top"/{Makefile,*.bpf.c,*.h,datapath,maps,scripts} "$TMP/$1"
	sed -i -e "s/^\(#define LAYOUT_VERSION\) .*/\1 $2/" \
		-e "s/^\(#define FLOW_FORMAT\) .*/\1 $3/" \
		-e 's/^struct \(service\|config\) {$/&\n\t__u32 another, more;/' \
		-e '/^struct member {$/,/^}/ { /__u16 weight;/d; s/__u16 backend;/__u16 weight;\n&/ }' \
		"$TMP/$1/maps/xdp_lb.h"
	make -s -C "$TMP/$1" xdp_lb.bpf.o xdp-lb >"$TMP/make.log" 2>&1 ||
		fail "make: $(cat "$TMP/make.log")"
}

# What the program on the device and the pins name is one.
pins_are_of_program()
{
	local map id

	for map in /sys/fs/bpf/tc/globals/xlb_*; do
		id=$(bpftool -j map show pinned "$map" | jq .id)
		bpftool -j prog show id "$(program_id)" | jq -e "any(.map_ids[]; . == $id)" \
			>"$TMP/out" || [ "${map##*/}" = xlb_trace ] || fail "$map is another's"
	done
}

helper() # VERSION WORD...
{
	"$TMP/$1/xdp-lb" -n "${prefix}lb" "${@:2}"
}

configure()
{
	service_up 9000/tcp
	lb backend set "$vip:9000/tcp" "$backend2" weight 50
	service_up 8000/tcp
	lb backend drain "$vip:8000/tcp" "$backend3"
	lb service add "$vip:53/udp" mode dsr hash source settle 60
	lb backend add "$vip:53/udp" "$backend2" mac de:ad:be:ef:00:02
	# One with slots in transition: it has carried a packet, and then a backend drains.
	lb service add "$vip:9001/tcp" mode dsr
	lb backend add "$vip:9001/tcp" "$backend2" mac de:ad:be:ef:00:02
	lb backend add "$vip:9001/tcp" "$backend3" mac de:ad:be:ef:00:03
	on h1 curl -s -m 0.5 "http://$vip:9001/" || true
	lb backend drain "$vip:9001/tcp" "$backend3"
	lb limit set "$vip:53/udp" pps 100 burst 200 flows 50
	lb deny add 192.0.2.0/24
	lb timeout set fin 77
}

slots_in_transition() # COMMAND...
{
	"$@" -j service show | jq '[.[].backends[].slots_left // 0] | add'
}

start_busy() # FIRST_PORT
{
	spawn h1 "$TOOLS/steady" talk "$vip_address" 9000 "$CONNECTIONS" "$1" 300 >"$TMP/busy"
	busy=$pid
	await 20 grep -q open "$TMP/busy"
}

end_busy() # BROKEN: as many connections as were to break
{
	kill -USR1 "$busy"
	wait "$busy" || fail "a wrong byte"
	equal "$(awk '/^h[23] / { sum += $3 } END { print sum + 0 }' "$TMP/busy")" "$1" \
		"connections that broke"
	note "$(tail -n 1 "$TMP/busy")"
}

start_steady()
{
	local host

	for host in h2 h3; do
		on "$host" "$TOOLS/steady" serve 9000 "$host" &
		await 5 serves "$host" 9000
	done
}

# Kills it later and later, until it ends before that.
kill_upgrades() # VERSION
{
	local delay=0 killed=0

	while :; do
		helper "$1" upgrade veth6 >"$TMP/said" 2>&1 &
		sleep "$(printf '0.%03d' $delay)"
		kill -KILL $! 2>"$TMP/out" || break
		wait $! 2>"$TMP/out" || killed=$((killed + 1))
		equal "$(sum_of "$(ask 10)")" 10 "answers after a kill"
		delay=$((delay + $(scaled 150 500)))
		[ $delay -lt 1000 ] || break
	done
	note "$killed upgrades were killed"
}

# What cannot be loaded changes nothing.
fails_to_load()
{
	local id

	id=$(program_id)
	mkdir "$TMP/broken"
	cp "$TMP/changed/xdp-lb" "$TMP/broken"
	! helper broken upgrade veth6 >"$TMP/out" 2>"$TMP/err" || fail "an upgrade without a program"
	note "$(cat "$TMP/err")"
	head -c 5000 "$TMP/changed/xdp_lb.bpf.o" >"$TMP/broken/xdp_lb.bpf.o"
	! helper broken upgrade veth6 >"$TMP/out" 2>"$TMP/err" || fail "an upgrade to half a program"
	note "$(cat "$TMP/err")"
	equal "$(program_id)" "$id" program
	equal "$(lb save)" "$saved" "configuration after an upgrade that failed"
	pins_are_of_program
}

lab_up
format=$(sed -n 's/^#define FLOW_FORMAT //p' "$top/maps/xdp_lb.h")
build_version changed 100 "$format"
build_version records 101 $((format + 1))
attach
start_web
start_steady
use_family 4
configure
saved=$(lb save)
flows=$(lb -j flow count | jq .flows)
slots=$(slots_in_transition lb)
within "$slots" 20000 45000 "slots in transition"

start_busy 20000
equal "$(helper changed save)" "$saved" "configuration as the new version reads it"
helper changed upgrade veth6 dry-run
equal "$(lb save)" "$saved" "configuration after a dry run"
fails_to_load
kill_upgrades changed
helper changed upgrade veth6
equal "$(helper changed save)" "$saved" "configuration after the upgrade"
equal "$(slots_in_transition helper changed)" "$slots" "slots in transition after it"
helper changed -j flow count | jq -e ".flows >= $CONNECTIONS + $flows" >"$TMP/out" ||
	fail "flows are missing"
pins_are_of_program
helper changed upgrade veth6 # to itself
! lb service del "$vip:8000/tcp" 2>"$TMP/err" || fail "the old helper changed the new maps"
end_busy 0

start_busy 30000
helper records upgrade veth6 | tee "$TMP/said"
[[ $(cat "$TMP/said") =~ ([0-9]+)\ nat\ flows\ end ]] || fail "it does not say what ends"
[ "${BASH_REMATCH[1]}" -ge "$CONNECTIONS" ] || fail "fewer flows than there are connections"
equal "$(helper records save)" "$saved" "configuration after the second upgrade"
pins_are_of_program
end_busy "$CONNECTIONS"
equal "$(sum_of "$(ask 20)")" 20 answers
! lb upgrade veth6 2>"$TMP/err" || fail "it went back"
note "$(cat "$TMP/err")"
