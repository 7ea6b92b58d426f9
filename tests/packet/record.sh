#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# record.sh NAME PORT/PROTO COMMAND...: records a case for test_pcap: what goes to and from the
# balancer while COMMAND runs on the client, with one service and one backend in a lab of its own.
#
#    h1 COMMAND ---> lb 10.0.0.10, fd00:10::10 ---> h2 (nginx on 8000, UDP echo on 9000)
#                    |
#                   veth7 in sw: tcpdump
#
# Writes cases/NAME.pcap and cases/NAME.conf. For example:
#    tests/packet/record.sh http4 8000/tcp curl -s http://10.0.0.10:8000/
#    FAMILIES=6 tests/packet/record.sh http6 8000/tcp curl -s 'http://[fd00:10::10]:8000/'
. "$(dirname "$(realpath "$0")")/../lib.sh"

[ $# -ge 3 ] || fail "usage: record.sh NAME PORT/PROTO COMMAND..."
cases=$top/tests/packet/cases/$1
port=${2%/*} proto=${2#*/}

record()
{
	local tcpdump

	lb service add "$vip:$port/$proto"
	lb backend add "$vip:$port/$proto" "$backend2"
	cat >"$cases.conf" <<-END
		# SPDX-License-Identifier: GPL-2.0
		service $vip_address $port $proto nat
		backend $backend2 0 de:ad:be:ef:00:02
	END
	spawn sw tcpdump -i veth7 -U -s 0 -w "$cases.pcap" \
		"host $vip_address and ($proto or ip[6:2] & 0x1fff != 0 or ip6[6] == 44)"
	tcpdump=$pid
	sleep 1
	on h1 "$@" || fail "$*"
	sleep 1
	kill -INT "$tcpdump"
	wait "$tcpdump" || true
}

shift 2
lab_up
attach
start_web
on h2 "$TOOLS/udp" serve 9000 &
FAMILIES=${FAMILIES:-4} each_family record "$@"
