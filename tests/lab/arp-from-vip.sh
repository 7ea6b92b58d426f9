#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Direct return with a VIP that the balancer sends ARP from: a backend that holds the VIP drops such
# ARP as forged. `backend add` says so, and what helps.
#
#    h1 --- lb 10.0.0.10, which is the VIP --- h2 with the VIP on lo
. "$(dirname "$(realpath "$0")")/../lib.sh"

add()
{
	lb backend add "$vip:8000/tcp" "$backend2" 2>&1
}

lab_up
attach
use_family 4
lb service add "$vip:8000/tcp" mode dsr
on h2 sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.veth3.rp_filter=0
on h2 ip addr add "$vip_address/32" dev lo
on lb ip neigh flush dev veth6
! said=$(add) || fail "a backend that does not answer was added"
grep -q "backend $backend2: .*accept_local=1" <<<"$said" || fail "backend add: $said"
note "$said"
equal "$(lb -j service show | jq '.[0].backends | length')" 0 "backends"
on h2 sysctl -qw net.ipv4.conf.veth3.accept_local=1
add || fail "backend add, where ARP is answered"
lb backend del "$vip:8000/tcp" "$backend2"

# The host has asked three times already, in vain, and has not given up yet.
on h2 sysctl -qw net.ipv4.conf.veth3.accept_local=0
on lb ip neigh flush dev veth6
spawn lb ping -c 1 -W 1 -I "$vip_address" "$backend2" >/dev/null
sleep 2.4
on h2 sysctl -qw net.ipv4.conf.veth3.accept_local=1
add || fail "backend add, where the host's own question goes unanswered"
lb backend del "$vip:8000/tcp" "$backend2"

on h2 sysctl -qw net.ipv4.conf.veth3.accept_local=0
on lb ip neigh flush dev veth6
lb backend add "$vip:8000/tcp" "$backend2" mac de:ad:be:ef:00:02
