#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The recipe of scripts/attach-sock.md, as printed: `bpftool` alone attaches the programs for sockets,
# by the maps of a balancer; and by maps of their own.
#
#    lb curl, in a cgroup ---> h2, h3 nginx
. "$(dirname "$0")/../lib.sh"
. "$top/tests/cgroup.sh"

readonly PAGE=$top/scripts/attach-sock.md OWN=/sys/fs/bpf/xdp-lb-sock

recipe()
{
	sed -n '/^<!-- recipe/,/^```$/p' "$PAGE" | sed '/^<!--/d; /^```/d'
}

own_maps()
{
	sed -n 's/^    \(bpftool prog loadall .*pinmaps.*\)/\1/p' "$PAGE"
}

answered_by_both() # COMMAND...: that configures
{
	local url=http://10.0.0.10:8000/

	"$@" service add 10.0.0.10:8000/tcp
	"$@" backend add 10.0.0.10:8000/tcp 10.0.0.2
	"$@" backend add 10.0.0.10:8000/tcp 10.0.0.3
	inside lb curl -sS -Z -H 'Connection: close' "$url?[1-40]" >"$TMP/answers"
	equal "$(sort -u "$TMP/answers" | paste -sd ' ')" 'h2 h3' 'who answers'
	"$top/scripts/detach-sock.sh" "$cgroup"
	! bpftool cgroup show "$cgroup" | grep xlb_ || fail 'the cgroup has programs'
	! inside lb curl -sS "$url" 2>"$TMP/log" || fail 'balanced, though detached'
}

lab_up
start_web
make_cgroup
export CGROUP=$cgroup OBJECT=$top/socket.bpf.o

recipe >"$TMP/recipe.sh"
grep -q sendmsg4 "$TMP/recipe.sh" || fail "no recipe in $PAGE"
own_maps >"$TMP/own.sh"
sed '/^cd /,/xlb_be_stats$/d' "$TMP/recipe.sh" >>"$TMP/own.sh"
bash -eu "$TMP/own.sh"
answered_by_both "$top/xdp-lb" -p $OWN
[ ! -e $OWN ] || fail 'maps are left'

attach
bash -eu "$TMP/recipe.sh"
answered_by_both lb
