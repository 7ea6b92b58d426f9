#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make attach, make detach: modes, twice, two devices with one set of maps, pins.
#
#    lb veth6, dummy veth8 <-> veth9 (no lab traffic)
. "$(dirname "$(realpath "$0")")/../lib.sh"

make_in_lab() # TARGET DEV [WORD]...
{
	make -s -C "$top" "$1" DEV="$2" NETNS="${prefix}lb" "${@:3}" >"$TMP/out" 2>&1
}

says() # TEXT
{
	grep -qF -- "$1" "$TMP/out" || fail "no '$1' in: $(cat "$TMP/out")"
}

mode_of() # DEV
{
	on lb ip -j -d link show dev "$1" | jq -r '.[0].xdp.mode // "none"'
}

pins()
{
	find /sys/fs/bpf -name 'xlb_*' | wc -l
}

lab_up
on lb ip link add veth8 type veth peer name veth9

make_in_lab detach veth6 || fail "detach with nothing attached"
says nothing

make_in_lab attach veth6 || fail "attach"
says native
equal "$(mode_of veth6)" 1 "mode of a first attach"
within "$(pins)" 20 40 "pins"
id=$(program_id)

! make_in_lab attach veth6 || fail "a second attach"
says "program id $id"
says "make detach DEV=veth6"
equal "$(program_id)" "$id" "program after a second attach"

# Another device shares the maps; its detaching leaves them.
lb service add 10.0.0.10:8000/tcp
make_in_lab attach veth8 || fail "attach of a second device"
equal "$("$top/xdp-lb" -n "${prefix}lb" -d veth8 -j service show | jq -r '.[].vip')" \
	10.0.0.10:8000/tcp "service seen by the second device"
lb service show >/dev/null || fail "two devices with one set of maps are one balancer"
make_in_lab detach veth8 || fail "detach of one of two"
says stay
within "$(pins)" 20 40 "pins with a device left"
make_in_lab detach veth6 || fail "detach of the last"
equal "$(pins)" 0 "pins after the last detach"
equal "$(mode_of veth6)" none "mode after detach"

# What ip pinned, detach removes as well.
on lb ip link set dev veth6 xdp obj "$top/xdp_lb.bpf.o" sec xdp
make_in_lab detach veth6
equal "$(pins)" 0 "pins of ip after detach"
on lb ip link set dev veth6 xdp obj "$top/xdp_lb.bpf.o" sec xdp
on lb ip link set dev veth6 xdp off
within "$(pins)" 20 40 "pins after xdp off"
make_in_lab detach veth6
equal "$(pins)" 0 "pins of a program that was gone"

make_in_lab attach veth6 MODE=generic
equal "$(mode_of veth6)" 2 "MODE=generic"
make_in_lab detach veth6
equal "$(mode_of veth6)" none "mode after detach of generic"

# The loopback has no native XDP.
make_in_lab attach lo
says 'falling back to generic'
equal "$(mode_of lo)" 2 "mode of a device without native XDP"
make_in_lab detach lo
! make_in_lab attach lo MODE=native || fail "MODE=native on a device without it"
! make_in_lab attach veth6 MODE=offload || fail "MODE=offload on a veth"
! make_in_lab attach veth6 MODE=fast || fail "an unknown mode"
! make_in_lab attach veth77 || fail "an unknown device"
says "no device 'veth77'"
equal "$(pins)" 0 "pins after refusals"

# A large MTU takes the program for packets in several buffers.
for dev in veth8 veth9; do
	on lb ip link set dev "$dev" mtu 9000
done
make_in_lab attach veth8 || fail "attach with MTU 9000"
equal "$(mode_of veth8)" 1 "mode with MTU 9000"
make_in_lab detach veth8

# Another's program is left alone.
on lb ip link set dev veth6 xdp obj "$top/stub.bpf.o" sec xdp
id=$(program_id)
! make_in_lab attach veth6 || fail "attach over another program"
says "program id $id"
! make_in_lab detach veth6 || fail "detach of another program"
equal "$(program_id)" "$id" "another's program"
