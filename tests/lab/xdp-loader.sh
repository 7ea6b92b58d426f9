#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Loaded by xdp-loader instead of ip: traffic flows, and xdp-lb finds the maps.
#
#    h1 curl ---> lb 10.0.0.10:8000 ---> h2, h3 nginx
. "$(dirname "$(realpath "$0")")/../lib.sh"

requests()
{
	service_up 8000/tcp
	equal "$(sum_of "$(ask 100)")" 100 "answers"
	equal "$(lb -j service show "$vip:8000/tcp" | jq '.[0].backends | length')" 2 "backends"
}

lab_up
start_web
# Its lock, /run/xdp-loader.lck, is in the test's own /run.
on lb xdp-loader load -m native veth6 "$top/xdp_lb.bpf.o"
each_family requests
on lb xdp-loader unload veth6 --all
! lb service show 2>"$TMP/error" || fail "a balancer is found that is gone"
