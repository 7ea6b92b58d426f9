#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Direct return and tunnels: HTTP and UDP, without any flow being remembered.
#
#    h1 curl, wrk, udp ---> lb VIP ---> h2, h3 nginx, udp (with the VIP on lo)
#       ^------------------------------------/
: "${MODES:=dsr ipip}"
. "$(dirname "$(realpath "$0")")/../topology.sh"

file() # SIZE
{
	local got=$TMP/got host stored=''

	random_file "$1" "$TMP/file"
	for host in h2 h3; do
		cp "$TMP/file" "$TMP/$host/files/down"
	done
	on h1 curl -sS --fail --max-time 60 -o "$got" "$url/down"
	cmp "$TMP/file" "$got" || fail "a download of $1 bytes differs"
	on h1 curl -sS --fail --max-time 60 -T "$TMP/file" "$url/up"
	for host in h2 h3; do
		[ ! -e "$TMP/$host/files/up" ] || stored=$TMP/$host/files/up
	done
	cmp "$TMP/file" "$stored" || fail "an upload of $1 bytes differs"
	rm -f "$TMP"/h[23]/files/*
}

# Half of what is asked for comes from each backend.
shares()
{
	local answers

	answers=$(ask $((2 * half)))
	within "$(count_of h2 "$answers")" $((half * 8 / 10)) $((half * 12 / 10)) \
		"of $((2 * half)) requests, h2 answered"
	equal $(($(count_of h2 "$answers") + $(count_of h3 "$answers"))) $((2 * half)) "answers"
}

http_and_udp() # [OPTION of backend.sh...]
{
	local host report size

	for host in h2:veth3 h3:veth5; do
		backend_apply ${host/:/ } "$@"
	done
	service_up 8000/tcp mode "$mode"
	service_up 7/udp mode "$mode"
	shares
	report=$(on h1 wrk -t 2 -c 20 -d 2s "$url/")
	! grep -E 'Socket errors|Non-2xx' <<<"$report" || fail "wrk: $report"
	for size in 1 1440 1461 $large; do
		file "$size"
	done
	on h1 "$TOOLS/udp" ask "$vip_address" 7 checksum 0 1 2 99 1400 1420 1440 1472 8000
	equal "$(lb -j flow count | jq .flows)" 0 "flows that are remembered"
	lb service del "$vip:8000/tcp"
	lb service del "$vip:7/udp"
	for host in h2:veth3 h3:veth5; do
		backend_undo ${host/:/ }
	done
}

# In ipip the tunnel need not be of the VIP's family.
tunnel_of_other_family()
{
	local outer=ipv$((10 - family))

	[ "$mode" = ipip ] || return 0
	note "outer $outer"
	use_family $((10 - family))
	host2=$backend2 host3=$backend3
	use_family $((10 - family))
	use_mode ipip
	backend2=$host2 backend3=$host3
	http_and_udp outer "$outer"
}

each_way()
{
	each_mode http_and_udp
	each_mode tunnel_of_other_family
}

half=$(scaled 250 100)
large=$(scaled 20000000 200000)
lab_up
attach
start_web
start_echo udp 7
reach h1 $VIP_NETWORK 0 10
each_family each_way
expect_no_errors
