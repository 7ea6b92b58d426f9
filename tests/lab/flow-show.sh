#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR disable=SC2154 # each_family sets the addresses
# `xdp-lb flow show` shows the flows that match its words, and no other: of a service, a client, a
# backend. It is quiet when the reader of a pipe has seen enough.
#
#    h1 steady ---> lb VIP:9 VIP:* ---> h2, h3 steady
. "$(dirname "$(realpath "$0")")/../topology.sh"

readonly FLOWS=40

shown() # [WORD...]: how many
{
	lb -j flow show "$@" | jq length
}

# The text has the same flows, a line each.
same_in_text() # [WORD...]
{
	equal "$(lb flow show "$@" | wc -l)" "$(shown "$@")" "lines of flow show $*"
}

filtered()
{
	local client port client_address host other of_client

	service_up 9/tcp
	lb service add "$vip:*/tcp"
	lb backend add "$vip:*/tcp" "$backend2"
	begin_talk talk "$FLOWS"
	equal "$(shown)" "$FLOWS" "flows"
	equal "$(lb -j flow show | jq -r '.[].vip' | sort -u)" "$vip:9/tcp" "VIP of the flows"
	equal "$(lb -j flow show | jq -c '.[].backend' | sort -u | wc -l)" 2 "backends of the flows"
	equal "$(lb -j flow show | jq -r '.[].backend.port' | sort -u)" 9 "port of the backends"

	equal "$(shown "$vip:9/tcp")" "$FLOWS" "flows of the service"
	equal "$(shown "$vip:77/tcp")" 0 "flows of a port of the service of any port"
	equal "$(shown "$vip:*/tcp")" "$FLOWS" "flows of the VIP, whatever their port"
	host=$(shown "$backend2")
	other=$(shown "$backend3")
	within "$host" 5 $((FLOWS - 5)) "flows of h2"
	equal $((host + other)) "$FLOWS" "flows of h2 and of h3"
	equal "$(shown "$vip:9/tcp" "$backend2")" "$host" "flows of service and backend"

	client=$(lb -j flow show | jq -r '.[0].client')
	port=${client##*:} client_address=${client%:*}
	client_address=${client_address//[][]/}
	equal "$(lb -j flow show "$client" | jq -r '.[].client')" "$client" "flows of client:port $port"
	equal "$(shown "$client_address")" "$FLOWS" "flows of the client"
	of_client=$(lb -j flow show "$client" | jq -r '.[].backend.address')
	equal "$(shown "$vip:9/tcp" "$client" "$of_client")" 1 "flows of service, client, backend"
	equal "$(shown "$client_address" "$backend2")" "$host" "flows of client and backend"
	same_in_text
	same_in_text "$vip:9/tcp" "$client"
	end_talk talk
	lb service del "$vip:9/tcp"
	lb service del "$vip:*/tcp"
	lb flow flush
}

# The reader is gone when the helper writes.
closed_pipe()
{
	local statuses

	set +o pipefail
	{
		sleep 0.3
		lb "$@" 2>"$TMP/error"
	} | true
	statuses=("${PIPESTATUS[@]}")
	set -o pipefail
	equal "${statuses[0]}" 0 "status of $* with a closed pipe"
	equal "$(cat "$TMP/error")" '' "errors of $* with a closed pipe"
}

lab_up
attach
start_listeners h2 h3
each_family filtered
closed_pipe flow show
closed_pipe -j flow show
closed_pipe metrics
