#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# cost.sh OBJECT...: loads each program of these objects as `ip` does (those for sockets: bpftool) and
# prints what it costs this kernel's verifier; of one that does not load, the end of the verifier's
# log. Runs in namespaces of its own; status 1 if a program did not load.
set -u

tree=$(realpath "$(dirname "$0")/../..")
status=0

sections_of() # OBJECT
{
	grep -qa 'cgroup/connect4' "$1" && echo cgroup && return
	echo xdp
	grep -q 'xdp\.frags' "$1" && echo xdp.frags
}

report() # NAME PROGRAM
{
	local insns bytes

	read -r insns bytes < <("$VERIFIED" "$2")
	printf 'PASS %s: %s instructions verified, %s bytes of code, %s ms\n' \
		"$1" "$insns" "$bytes" $((began / 1000))
}

# All of an object at a time.
load_sockets() # OBJECT
{
	local began log pin

	began=${EPOCHREALTIME/[^0-9]/}
	if ! log=$(bpftool prog loadall "$1" /sys/fs/bpf/cost 2>&1); then
		printf 'FAIL load %s, kernel %s\n%s\n' "${1##*/}" "$(uname -r)" "$(tail -n 25 <<<"$log")"
		return 1
	fi
	began=$((${EPOCHREALTIME/[^0-9]/} - began))
	for pin in /sys/fs/bpf/cost/*; do
		report "load ${1##*/} ${pin##*/}, kernel $(uname -r)" \
			"$(bpftool -j prog show pinned "$pin" | jq .id)"
	done
}

load_program() # OBJECT SECTION
{
	local name began log

	name="load ${1##*/} $2, kernel $(uname -r)"
	began=${EPOCHREALTIME/[^0-9]/}
	if ! log=$(ip link set dev cost0 xdp obj "$1" sec "$2" 2>&1); then
		printf 'FAIL %s\n%s\n' "$name" "$(tail -n 25 <<<"$log")"
		return 1
	fi
	began=$((${EPOCHREALTIME/[^0-9]/} - began))
	report "$name" "$(ip -j -d link show dev cost0 | jq '.[0].xdp.prog.id')"
	ip link set dev cost0 xdp off
}

if [ "${INSIDE-}" != yes ]; then
	INSIDE=yes exec unshare -n -m "$0" "$@"
fi
VERIFIED=${VERIFIED:-$tree/build/tests/tools/verified}
mount -t bpf bpf /sys/fs/bpf
ip link add cost0 type veth peer cost1
for object in "$@"; do
	for section in $(sections_of "$object"); do
		if [ "$section" = cgroup ]; then
			load_sockets "$object" || status=1
		else
			load_program "$object" "$section" || status=1
		fi
	done
done
exit $status
