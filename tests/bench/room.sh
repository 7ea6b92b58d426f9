#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# room.sh [quick]: what a new flow costs in mode nat as ports and flow table fill up, and how many flows
# the table takes before it refuses one: in mode nat, and of those that dsr and ipip remember while
# slots change hands.
. "$(dirname "$(realpath "$0")")/lib.sh"

rounds=5
[ "${1-}" != quick ] || rounds=3

set_up() # MODE BACKENDS
{
	progress "room: $1, $2 backends"
	unconfigure
	configuration "$1" 4 tcp 1 "$2" | quietly helper apply -
}

begin() # NAME KIND FLOWS BACKENDS [WORD=VALUE...]
{
	set_up nat "$4"
	sender packet name="$1" mode=nat kinds="$2" flows="$3" backends="$4" rounds=$rounds "${@:5}" |
		jq -cs --argjson least 1 -f "$here/rounds.jq"
}

# All slots but one in a thousand change hands.
remember() # MODE
{
	set_up "$1" 2
	helper backend set 10.0.0.16:8000/tcp 10.1.0.2 weight 1
	helper backend set 10.0.0.16:8000/tcp 10.1.0.1 weight 1000
	sender packet mode="$1" >/dev/null
	helper backend set 10.0.0.16:8000/tcp 10.1.0.1 weight 1
	helper backend set 10.0.0.16:8000/tcp 10.1.0.2 weight 1000
	sender fill mode="$1"
}

balancer_up
fronts_up
# A tenth of the flow table; one backend has 64,512 ports.
begin tenth new 52428 16
begin ports-90 last 56500 1 begin=500
begin ports-all refused 60000 1 begin=500 exhaust=1
set_up nat 64
sender fill mode=nat
for mode in dsr ipip; do
	remember $mode
done
