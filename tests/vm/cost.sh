#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# cost.sh OBJECT...: loads each program of these objects as `ip` does and prints what it costs this
# kernel's verifier; of one that does not load, the end of the verifier's log. Runs in namespaces
# of its own; status 1 if a program did not load.
set -u

tree=$(realpath "$(dirname "$0")/../..")
status=0

sections_of() # OBJECT
{
	echo xdp
	grep -q 'xdp\.frags' "$1" && echo xdp.frags
}

load_program() # OBJECT SECTION
{
	local name began log id insns bytes

	name="load ${1##*/} $2, kernel $(uname -r)"
	began=${EPOCHREALTIME/[^0-9]/}
	if ! log=$(ip link set dev cost0 xdp obj "$1" sec "$2" 2>&1); then
		printf 'FAIL %s\n%s\n' "$name" "$(tail -n 25 <<<"$log")"
		return 1
	fi
	began=$((${EPOCHREALTIME/[^0-9]/} - began))
	id=$(ip -j -d link show dev cost0 | jq '.[0].xdp.prog.id')
	read -r insns bytes < <("$VERIFIED" "$id")
	printf 'PASS %s: %s instructions verified, %s bytes of code, %s ms\n' \
		"$name" "$insns" "$bytes" $((began / 1000))
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
		load_program "$object" "$section" || status=1
	done
done
exit $status
