#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# packet.sh [quick]: what a packet costs, in every mode and family, as flows, services and backends
# grow.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
rounds=9
few='1 100 10000 100000'
many='1 100 10000 100000 1000000'
families='4 6'

if [ "${1-}" = quick ]; then
	rounds=3 few='1 100000' many='1 1000000' families=4
fi

group() # MODE FAMILY PROTOCOL SERVICES BACKENDS FLOWS...
{
	echo "bench: packet: ${*:1:5}" >&2
	setpriv --pdeathsig KILL "$here/group.sh" "${@:1:5}" "$rounds" "${@:6}"
}

# shellcheck disable=SC2086 # a word each
for family in $families; do
	group nat "$family" tcp 1 2 $few
	group dsr "$family" tcp 1 2 $many
	group ipip "$family" tcp 1 2 $many
done
[ "${1-}" != quick ] || exit 0
for mode in nat dsr ipip; do
	group $mode 4 udp 1 2 1 100000
	group $mode 6 udp 1 2 1 100000
	# As many backends in all, in many services and in one.
	group $mode 4 tcp 512 2 1 100 10000 100000
	group $mode 4 tcp 1 1000 1 100 10000 100000
done
