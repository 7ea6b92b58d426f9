#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# isolated.sh COMMAND...: runs a command in mount and pid namespaces of its own, with a bpffs and a
# /run (where network namespaces and locks have their names) of its own. All that it starts ends
# with it, and it ends with us: whatever happens, SIGKILL included, nothing stays behind.
set -euo pipefail

if [ "${1-}" = --inside ]; then
	shift
	mount -t tmpfs -o mode=755 tmpfs /run
	mount -t bpf bpf /sys/fs/bpf
	exec "$@"
fi

[ "$(id -u)" = 0 ] || { echo "${1##*/}: must be root" >&2 && exit 1; }
# Signals at their defaults: what runs in a shell's background ignores SIGINT, and cannot trap it.
env --default-signal XDP_LB_ISOLATED="$(realpath "$1")" setpriv --pdeathsig KILL \
	unshare --mount --pid --fork --kill-child --mount-proc -- "$0" --inside "$@" <&0 &
child=$!
trap 'kill -KILL $child; exit 130' INT
trap 'kill -KILL $child; exit 143' TERM
wait "$child"
