#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A client that has few ports opens connection after connection: each takes the place of one that is
# closed, over and over.
#
#    h1 wrk, 1,000 ports ---> lb VIP:8000 ---> h2, h3 nginx
. "$(dirname "$(realpath "$0")")/../lib.sh"

# Resets that a host's own stack has sent.
resets() # HOST
{
	on "$1" nstat -asz TcpOutRsts | awk '$1 == "TcpOutRsts" { print $2 }'
}

connection_after_connection()
{
	local report

	service_up 8000/tcp
	report=$(on h1 wrk -t 1 -c 10 -d 4s --timeout 4s -H 'Connection: close' "$url/")
	! grep -E 'Socket errors|Non-2xx' <<<"$report" || fail "wrk: $report"
	note "$(lb -j stats | jq '.services[0].flows') connections"
	equal "$(resets lb)" 0 "resets of the balancer's host, which knows of no connection"
	expect_no_errors
	lb service del "$vip:8000/tcp"
}

lab_up
attach
start_web
on h1 sysctl -qw net.ipv4.ip_local_port_range='40000 40999' net.ipv4.tcp_tw_reuse=1
each_family connection_after_connection
