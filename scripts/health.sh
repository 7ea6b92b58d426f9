#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# health.sh [-n NETNS] [-t TIMEOUT] [-i INTERVAL [-r RISE] [-f FALL]] VIP REAL COMMAND [WORD...]
#
# Checks a backend by any program: COMMAND, with VIP and REAL in its environment, which says by status 0
# that the backend is well. The balancer is told: `xdp-lb backend health VIP REAL ok|failing`.
#
# Once, and the status is that of COMMAND: so for cron, or as misc_path of keepalived's MISC_CHECK. With
# -i every INTERVAL seconds until it is ended: so as a unit of systemd. Then RISE good ones in a row (2)
# say ok, FALL bad ones (3) failing. COMMAND has TIMEOUT seconds (1).
#
# For what `check set` and `watch` do not know, or to keep checks that there are.
set -uo pipefail
. "$(dirname "$(realpath "$0")")/lib.sh"

readonly USAGE='health.sh [-n NETNS] [-t TIMEOUT] [-i INTERVAL [-r RISE] [-f FALL]] VIP REAL COMMAND...'
netns=() patience=1 interval='' rise=2 fall=3

# Seconds, as sleep and timeout know them.
take_seconds() # WORD
{
	[[ $1 =~ ^[0-9]+(\.[0-9]+)?$ ]] || usage_error "'$1': expected seconds, as 2 or 0.5"
	echo "$1"
}

take_count() # WORD
{
	[[ $1 =~ ^[1-9][0-9]{0,3}$ ]] || usage_error "'$1': expected a number from 1 on"
	echo "$1"
}

parse() # WORD...
{
	local option

	while getopts :n:t:i:r:f: option; do
		case $option in
		n) netns=(-n "$OPTARG") ;;
		t) patience=$(take_seconds "$OPTARG") || exit ;;
		i) interval=$(take_seconds "$OPTARG") || exit ;;
		r) rise=$(take_count "$OPTARG") || exit ;;
		f) fall=$(take_count "$OPTARG") || exit ;;
		*) usage "$USAGE" ;;
		esac
	done
	shift $((OPTIND - 1))
	[ $# -ge 3 ] || usage "$USAGE"
	export VIP=$1 REAL=$2
	command=("${@:3}")
}

check()
{
	timeout --kill-after=1 "$patience" "${command[@]}" >/dev/null 2>&1 </dev/null
}

# What fails is said by the helper; the next check tells again.
tell() # ok|failing
{
	"$(find_built xdp-lb)" "${netns[@]}" backend health "$VIP" "$REAL" "$1"
}

check_once()
{
	local status=0

	check || status=$?
	if [ $status = 0 ]; then
		tell ok
	else
		tell failing
	fi || exit
	exit $status
}

# It is told each time: the balancer may have been attached anew.
check_always()
{
	local good=0 bad=0

	while :; do
		if check; then
			good=$((good + 1)) bad=0
		else
			good=0 bad=$((bad + 1))
		fi
		[ $good -lt "$rise" ] || tell ok
		[ $bad -lt "$fall" ] || tell failing
		sleep "$interval"
	done
}

parse "$@"
[ -n "$interval" ] || check_once
check_always
