#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# detach.sh [-w SECONDS] CGROUP: ends what attach.sh began: all that is written from now on goes by
# TCP, in open connections too. Their sockets stay in the map until they close, since to take one out
# would lose what its reader has not read; the pins go with the last (waited for up to SECONDS).
set -euo pipefail
. "$(dirname "$(realpath "$0")")/../lib.sh"
# shellcheck source=sockmap.sh
. "$here/sockmap.sh"

readonly WORDS="$program [-w SECONDS] CGROUP"

seconds=0

keys() # MAP: bytes, a line each
{
	bpftool -j map dump pinned "$PINS/$1" | jq -r '.[].key | map(ltrimstr("0x")) | join(" ")'
}

stop_redirection()
{
	local key

	keys ports | while read -r key; do
		# shellcheck disable=SC2086 # a word each
		cmd bpftool map delete pinned $PINS/ports key hex $key
	done
}

sockets_left()
{
	keys sockets | wc -l
}

while getopts w: option; do
	case $option in
	w) seconds=$OPTARG ;;
	*) usage "$WORDS" ;;
	esac
done
shift $((OPTIND - 1))
[ $# = 1 ] || usage "$WORDS"
[[ $seconds =~ ^[0-9]{1,6}$ ]] || usage_error "bad time '$seconds': expected seconds"
cgroup=$1

need_root
[ -e $PINS ] || die "nothing is attached: there is no $PINS"
need_cgroup "$cgroup"
stop_redirection
leave_cgroup "$cgroup"
until left=$(sockets_left) && [ "$left" = 0 ] || [ $SECONDS -ge "$seconds" ]; do
	sleep 0.2
done
if [ "$left" = 0 ]; then
	cmd rm -r $PINS
else
	echo "$left sockets are in the map until they close; run this again to remove $PINS"
fi
