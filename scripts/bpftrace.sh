# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# For the scripts that watch the kernel's tracepoints: to be sourced first. Their tracefs is mounted
# in a mount namespace of their own, so that nothing stays behind, however they end.
. "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/lib.sh"

readonly TRACEFS=/sys/kernel/tracing

need_root
[ -n "$(command -v bpftrace)" ] || die "bpftrace is not installed"
if [ ! -e $TRACEFS/events ]; then
	# shellcheck disable=SC2016 # the inner shell's
	exec unshare --mount -- sh -c 'mount -t tracefs tracefs "$0" && exec "$@"' $TRACEFS "$0" "$@"
fi

# Prints what a bpftrace program counts, line by line, explained: until Ctrl+C, or for SECONDS. The
# program has its maps printed and cleared each second.
watch() # PROGRAM SECONDS COMMAND...: the command reads what bpftrace prints
{
	local end=''

	[ -z "$2" ] || end="interval:s:$2 { exit() }"
	trap '' INT # bpftrace ends, then its reader
	# Its warning about RLIMIT_MEMLOCK means nothing to kernels since 5.11.
	(
		trap - INT
		exec setpriv --pdeathsig TERM bpftrace -e "$1 $end" 2> >(grep -v RLIMIT_MEMLOCK >&2)
	) | "${@:3}"
}

read_seconds() # [SECONDS]
{
	[ $# -le 1 ] && [[ ${1-1} =~ ^[1-9][0-9]{0,5}$ ]] || usage "$program [SECONDS]"
}
