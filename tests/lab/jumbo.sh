#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# MTU 9000: the program of section xdp.frags carries packets that are larger than a page.
#
#    h1 curl, udp --- lb VIP --- h2, h3 nginx, udp
. "$(dirname "$(realpath "$0")")/../topology.sh"

widen()
{
	local each

	on sw ip link set dev veth7 xdpdrv off
	for each in h1:veth0 h2:veth3 h3:veth5 lb:veth6 sw:veth1 sw:veth2 sw:veth4 sw:veth7; do
		on "${each%:*}" ip link set dev "${each#*:}" mtu 9000
	done
	feed sw veth7 xdp.frags
}

jumbo()
{
	[ "$mode" = nat ] || backends_apply
	service_up 8000/tcp mode "$mode"
	service_up 7/udp mode "$mode"
	on h1 curl -sS --fail --max-time 30 -o "$TMP/got" "$url/file"
	cmp "$TMP/file" "$TMP/got" || fail "a download differs"
	on h1 curl -sS --fail --max-time 30 -T "$TMP/file" "$url/up"
	cmp "$TMP/file" "$TMP"/h[23]/files/up || fail "an upload differs"
	rm "$TMP"/h[23]/files/up "$TMP/got"
	# What fits into a packet of 9000 bytes, in a tunnel if need be.
	on h1 "$TOOLS/udp" ask "$vip_address" 7 checksum 1 4000 8192 8900
	lb service del "$vip:8000/tcp"
	lb service del "$vip:7/udp"
	[ "$mode" = nat ] || backends_undo
}

lab_up
widen
reach h1 $VIP_NETWORK 0 10
attach
equal "$(on lb ip -j -d link show dev veth6 | jq -r '.[0].xdp.prog.name')" xdp_lb_frags "program"
start_web
start_echo udp 7
random_file "$(scaled 50000000 500000)" "$TMP/file"
cp "$TMP/file" "$TMP/h2/files"
cp "$TMP/file" "$TMP/h3/files"
each_family each_mode jumbo
expect_no_errors
expect_no_fragments h1 h2 h3 lb
