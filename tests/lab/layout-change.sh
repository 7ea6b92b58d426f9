#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A program whose maps are of another layout: it is refused before anything is touched, and the way
# to carry the configuration over is the one that the refusal names.
#
#    h1 curl --- lb VIP:8000 (the old program, then the new) --- h2, h3 nginx
. "$(dirname "$(realpath "$0")")/../lib.sh"

[ -n "$(type -P clang)" ] && [ -n "$(type -P make)" ] || skip "no compiler here"

# The same sources with room for more services.
build_other()
{
	mkdir "$TMP/new"
	cp -r "$top"/{Makefile,*.bpf.c,*.h,datapath,maps,scripts} "$TMP/new"
	make -s -C "$TMP/new" CPPFLAGS=-DMAX_SERVICES=2048 xdp_lb.bpf.o xdp-lb \
		>"$TMP/make.log" 2>&1 || fail "make: $(cat "$TMP/make.log")"
}

new_lb()
{
	"$TMP/new/xdp-lb" -n "${prefix}lb" "$@"
}

new_attach() # [-f]
{
	"$TMP/new/scripts/attach.sh" "$@" -n "${prefix}lb" -m native veth6 2>&1
}

lab_up
build_other
attach
start_web
use_family 4
service_up 8000/tcp
saved=$(lb save)
id=$(program_id)

# Forced onto the device, and attached beside it.
! on lb ip -force link set dev veth6 xdpdrv obj "$TMP/new/xdp_lb.bpf.o" sec xdp 2>/dev/null ||
	fail "another layout was taken"
equal "$(program_id)" "$id" "program"
on lb ip link set dev veth6 xdpdrv off
! said=$(new_attach) || fail "another layout was taken with what is pinned"
grep "another layout" <<<"$said" >/dev/null || fail "what is said does not help: $said"
attach
equal "$(lb save)" "$saved" "configuration"
equal "$(new_lb save)" "$saved" "configuration that the new helper reads"
! new_lb service show 2>"$TMP/err" || fail "the new helper shows maps of another layout"
note "$(cat "$TMP/err")"
equal "$(ask 20 | awk '{ sum += $2 } END { print sum }')" 20 "answers"

# What it says to do where nothing runs.
on lb ip link set dev veth6 xdpdrv off
"$TMP/new/xdp-lb" -p /sys/fs/bpf/tc/globals save "$TMP/file"
new_attach -f >/dev/null || fail "the new program is not taken"
new_lb apply "$TMP/file"
equal "$(new_lb save)" "$saved" "configuration that was carried over"
equal "$(ask 20 | awk '{ sum += $2 } END { print sum }')" 20 "answers"

# The old helper leaves the new maps alone.
! lb service del "$vip:8000/tcp" 2>"$TMP/err" || fail "the old helper changed the new maps"
note "$(cat "$TMP/err")"
equal "$(new_lb save)" "$saved" "configuration after the old helper"
