#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# detach-sock.sh CGROUP: ends what attach-sock.sh began. Open connections live on. Maps of its own go
# too, with their configuration, when no other cgroup uses them.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/lib.sh"
# shellcheck source=scripts/sock.sh
. "$here/sock.sh"

[ $# = 1 ] && [ -n "$1" ] || usage "$program CGROUP, or make detach-sock CGROUP=path"
need_root
need_cgroup "$1"
if [ -n "$(sock_programs "$1")" ]; then
	detach_programs "$1"
	echo "sockets of $1 are balanced no more; open connections live on"
else
	echo "nothing is attached to $1"
fi
remove_own_maps
