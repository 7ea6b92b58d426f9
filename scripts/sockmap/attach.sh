#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# attach.sh [-f] CGROUP PORT...: from now on, what the processes in CGROUP (of cgroup2) write to TCP
# connections within this host with one of these ports goes straight to the other end's queue. First
# tries on this kernel whether that does harm, and refuses if so; -f attaches all the same.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/../lib.sh"
# shellcheck source=sockmap.sh
. "$here/sockmap.sh"

readonly WORDS="$program [-f] CGROUP PORT..."

force='' trial=''

roll_back()
{
	local status=$?

	[ -z "$trial" ] || end_trial
	[ $status = 0 ] || rm -rf "$PINS"
}

join_cgroup() # CGROUP
{
	cmd bpftool cgroup attach "$1" sock_ops pinned $PINS/join multi
}

load()
{
	mount_bpffs
	[ ! -e $PINS ] || die "$PINS is there: attached already, or sockets are left from before;" \
		"see detach.sh"
	trap roll_back EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	cmd bpftool prog loadall "$object" $PINS pinmaps $PINS
	cmd bpftool prog attach pinned $PINS/redirect msg_verdict pinned $PINS/sockets
}

end_trial()
{
	leave_cgroup "$trial"
	rmdir "$trial"
	trial=''
}

# In a cgroup of its own, so that no other process is touched.
try_kernel()
{
	trial=$cgroup/sockmap-probe
	mkdir -p "$trial"
	join_cgroup "$trial"
	"$probe" $PINS "$trial" || [ -n "$force" ] || die "nothing is attached"
	end_trial
}

while getopts f option; do
	case $option in
	f) force=yes ;;
	*) usage "$WORDS" ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 2 ] || usage "$WORDS"
cgroup=$1
shift
for port in "$@"; do
	[[ $port =~ ^[1-9][0-9]{0,4}$ ]] && [ "$port" -le 65535 ] ||
		usage_error "bad port '$port': expected 1 to 65535"
done

need_root
need_cgroup "$cgroup"
object=$(built sockmap.bpf.o)
probe=$(built probe)
load
try_kernel
for port in "$@"; do
	# shellcheck disable=SC2046 # a word each
	cmd bpftool map update pinned $PINS/ports key hex $("$here/../bytes.sh" u16 "$port") value hex 01
done
join_cgroup "$cgroup"
echo "socket to socket in $cgroup: TCP port $* within this host, of connections opened from now on"
