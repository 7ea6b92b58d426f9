#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make install: what is installed works without the tree; make uninstall leaves nothing.
. "$(dirname "$(realpath "$0")")/../lib.sh"

root=$TMP/root
install()
{
	make -s -C "$top" "$1" DESTDIR="$root" PREFIX=/usr >"$TMP/out" 2>&1 ||
		fail "$(cat "$TMP/out")"
}

lab_up
install install
for file in sbin/xdp-lb lib/xdp-lb/xdp_lb.bpf.o lib/xdp-lb/stub.bpf.o lib/xdp-lb/attach.sh \
	share/man/man8/xdp-lb.8 share/bash-completion/completions/xdp-lb; do
	[ -s "$root/usr/$file" ] || fail "no $file"
done
"$root/usr/lib/xdp-lb/attach.sh" -n "${prefix}lb" veth6
"$root/usr/sbin/xdp-lb" -n "${prefix}lb" service add 10.0.0.10:80/tcp
"$root/usr/lib/xdp-lb/detach.sh" -n "${prefix}lb" veth6
install uninstall
equal "$(find "$root" -type f)" '' "files after uninstall"
