#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# README's lines for a machine with two arms, as printed: clients reach the backends, the host owns
# the VIP (ping, RST at once on `down`), doctor has nothing to say that would keep it from working.
#
#    h1 10.0.0.1 --- sw --- eth0 bal eth1 --- sw5 --- b1 10.5.0.1, b2 10.5.0.2
. "$(dirname "$(realpath "$0")")/../topology.sh"

readonly VIP=10.0.0.100

lines()
{
	sed -n '/^<!-- two arms/,/^```$/p' "$top/README.md" | sed '/^<!--/d; /^```/d'
}

wire_up()
{
	local host

	for host in bal b1 b2; do
		new_host $host
	done
	new_switch sw5
	plug bal eth0 sw 0 20
	plug bal eth1 sw5 5 10
	feed sw bal-eth0
	feed sw5 bal-eth1
	on bal ethtool -K eth0 rxvlan off
	on bal ethtool -K eth1 rxvlan off
	on sw ethtool -K bal-eth0 txvlan off
	on sw5 ethtool -K bal-eth1 txvlan off
	for host in b1 b2; do
		plug $host eth0 sw5 5 "${host#b}"
		feed sw5 $host-eth0
	done
}

# The backend's side, as the table says.
prepare_backends()
{
	local host

	for host in b1 b2; do
		"$top/scripts/backend.sh" -n "$prefix$host" apply nat $VIP eth0 via 10.5.0.10 \
			>"$TMP/out" 2>&1 || fail "$(cat "$TMP/out")"
		on $host "$top/scripts/web.sh" "$TMP/$host" $host 8000 2>"$TMP/web.log" &
		await 5 serves $host 8000
	done
}

bal()
{
	"$top/xdp-lb" -n "${prefix}bal" "$@"
}

lab_up
wire_up
make -s -C "$top" install DESTDIR="$TMP/root" >"$TMP/out" 2>&1 || fail "$(cat "$TMP/out")"
prepare_backends
lines | sed "s|/usr/local|$TMP/root&|" >"$TMP/lines"
grep -q attach.sh "$TMP/lines" || fail "no such lines in README.md"
PATH=$TMP/root/usr/local/sbin:$PATH on bal bash -eux "$TMP/lines" >"$TMP/said" 2>&1 || {
	cat "$TMP/said"
	fail "the lines"
}
grep -q 'one balancer with eth0' "$TMP/said" || fail "not one balancer: $(cat "$TMP/said")"
use_family 4
url=http://$VIP:8000
shares=$(ask 100)
within "$(count_of b1 "$shares")" 25 75 "of 100 requests, b1 answered"
equal "$(sum_of "$shares")" 100 answers
on h1 ping -c 1 -W 2 $VIP >"$TMP/out" || fail "the VIP does not answer ping"
bal backend down $VIP:8000/tcp 10.5.0.1
bal backend down $VIP:8000/tcp 10.5.0.2
bal service del $VIP:8000/tcp
SECONDS=0
! on h1 curl -s -m 5 "$url/" >"$TMP/out" || fail "an answer without a service"
[ $SECONDS -lt 2 ] || fail "no RST from who owns the VIP"
expect_no_errors h1 b1 b2
