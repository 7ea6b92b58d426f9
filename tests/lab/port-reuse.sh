#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A client that has few ports opens connection after connection: each takes the place of one that is
# closed, over and over. The client reads to the end of file, so that it is the server that closes
# first, and no port of the client's waits in TIME_WAIT.
#
# All of it runs on one CPU: with two, two connections of some two million were seen to be reset by the
# backend's kernel (6.18), which had them open; most likely it missed the socket of a packet that came
# while another CPU made it out of the handshake's last one.
#
#    h1 curl, few ports ---> lb VIP:8000 ---> h2, h3 nginx
. "$(dirname "$(realpath "$0")")/../lib.sh"

readonly FIRST=40000 LAST=40190 STEP=10
each=$(scaled 250 50 5000)

# Resets that a host's own stack has sent.
resets() # HOST
{
	on "$1" nstat -asz TcpOutRsts | awk '$1 == "TcpOutRsts" { print $2 }'
}

# So many connections from this port; the next few are for when its last one is not quite over.
connect_again_and_again() # PORT
{
	printf '%b\n' "$ASK" | on h1 curl --config - --fail-early --ignore-content-length \
		--local-port "$1-$(($1 + STEP - 1))" "$url/?[1-$each]"
}

connection_after_connection()
{
	local port total=0

	service_up 8000/tcp
	for ((port = FIRST; port <= LAST; port += STEP)); do
		equal "$(connect_again_and_again $port | wc -l)" "$each" "answers to port $port"
		total=$((total + each))
	done
	equal "$(lb -j stats | jq '.services[0].flows')" "$total" "flows begun"
	equal "$(resets lb)" 0 "resets of the balancer's host, which knows of no connection"
	expect_no_errors
	lb service del "$vip:8000/tcp"
}

taskset --pid --cpu-list "$(taskset --pid --cpu-list $$ | grep -oE '[0-9]+$')" $$ >/dev/null
lab_up
attach
start_web
each_family connection_after_connection
