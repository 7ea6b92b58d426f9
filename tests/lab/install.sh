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
	lib/xdp-lb/socket.bpf.o lib/xdp-lb/attach-sock.sh \
	lib/systemd/system/xdp-lb@.service lib/systemd/system/xdp-lb-watch.service \
	lib/systemd/system/xdp-lb-etcd.service lib/xdp-lb/etcd.sh lib/xdp-lb/bird/balancer.conf \
	lib/xdp-lb/keepalived/release.sh lib/xdp-lb/keepalived/checks.conf lib/xdp-lb/health.sh \
	share/doc/xdp-lb/examples/prometheus-alerts.yml share/man/man8/xdp-lb.8 \
	share/bash-completion/completions/xdp-lb; do
	[ -s "$root/usr/$file" ] || fail "no $file"
done
! grep -r /usr/local "$root" || fail "paths of another prefix"
"$root/usr/lib/xdp-lb/attach.sh" -n "${prefix}lb" veth6
"$root/usr/sbin/xdp-lb" -n "${prefix}lb" service add 10.0.0.10:80/tcp
"$root/usr/lib/xdp-lb/detach.sh" -n "${prefix}lb" veth6
"$root/usr/lib/xdp-lb/run.sh" -n "${prefix}lb" veth6 10.0.0.2 de:ad:be:ef:00:02 >"$TMP/run" 2>&1 &
await 10 grep -q '^Balancing' "$TMP/run"
kill $!
wait $! || true

# A configuration is not overwritten, and stays; one that is as it came goes.
conf=$root/etc/xdp-lb/xdp-lb.conf
echo 'service add 10.0.0.10:80/tcp' >>"$conf"
install install
install uninstall
equal "$(find "$root" -type f)" "$conf" "files after uninstall, with a configuration"
equal "$(tail -n 1 "$conf")" 'service add 10.0.0.10:80/tcp' "the configuration"
rm "$conf"
install install
install uninstall
equal "$(find "$root" -type f)" '' "files after uninstall"
