#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# `xdp-lb doctor`: silent when all is well; names each fault that is set up here, and the command
# that it gives mends it.
#
#    h1 ---+--- sw ---(veth7, with the stub)--- veth6 lb ---+--- h2, h3 backends
. "$(dirname "$(realpath "$0")")/../lib.sh"

. "$top/tests/doctor.sh"
readonly PINS=/sys/fs/bpf/tc/globals

as_json()
{
	local said

	equal "$(lb -j doctor veth6)" "[]" "doctor -j when all is well"
	on sw ip link set dev veth7 xdpdrv off
	finds stub veth7
	said=$(lb -j doctor veth6) || true
	jq -e --arg mend "$command" '.[] | select(.check == "stub" and .command == $mend and
		.certainty == "certain" and .purpose == "mend" and .host == null and
		(.problem | contains("veth7")) and .cause)' <<<"$said" >/dev/null ||
		fail "doctor -j: $said"
	mends
}

stub()
{
	on sw ip link set dev veth7 xdpdrv off
	finds stub veth7
	mends
	on sw ip link set dev veth7 xdpdrv off
	on sw ip link set dev veth7 xdpgeneric obj "$top/stub.bpf.o" sec xdp
	finds stub veth7
	mends
}

offloads()
{
	on sw ethtool -K veth7 tx on >/dev/null
	finds tx-checksum veth7
	mends
	on sw ethtool -K veth7 txvlan on >/dev/null
	finds vlan veth7
	mends
	on lb ethtool -K veth6 rxvlan on >/dev/null
	finds vlan veth6
	mends
}

mode()
{
	on lb ip link set dev veth6 xdp off
	on lb ip link set dev veth6 xdpgeneric obj "$top/xdp_lb.bpf.o" sec xdp
	finds generic veth6
	equal "$purpose" 'mend at a quiet time' "what the command is for"
	mends
}

# Both ends at 9000, which section xdp takes in generic mode only.
mtu()
{
	on sw ip link set dev veth7 xdp off
	on lb ip link set dev veth6 xdp off
	on sw ip link set dev veth7 mtu 9000
	on lb ip link set dev veth6 mtu 9000
	on lb ip link set dev veth6 xdpgeneric obj "$top/xdp_lb.bpf.o" sec xdp
	finds mtu 'MTU 9000 is too large'
	run_command
	finds stub veth7
	mends
	on sw ip link set dev veth7 mtu 1500
	finds mtu 'MTU 9000 of veth6, but 1500'
	mends
	for end in "sw veth7" "lb veth6"; do
		read -r host dev <<<"$end"
		on "$host" ip link set dev "$dev" mtu 1500
	done
	on sw ip -force link set dev veth7 xdpdrv obj "$top/stub.bpf.o" sec xdp
	on lb ip -force link set dev veth6 xdpdrv obj "$top/xdp_lb.bpf.o" sec xdp
	healthy
}

# A second device, whose peer sends by four queues.
queues()
{
	on sw ip link add veth9 numtxqueues 4 numrxqueues 4 type veth \
		peer name veth8 numtxqueues 1 numrxqueues 1 netns "${prefix}lb"
	on sw ethtool -K veth9 tx off txvlan off >/dev/null
	on lb ethtool -K veth8 rxvlan off >/dev/null
	on sw ip link set dev veth9 up
	on lb ip link set dev veth8 up
	on sw ip link set dev veth9 xdpdrv obj "$top/stub.bpf.o" sec xdp
	finds not-attached veth8 veth8
	finds queues 'too few queues for XDP on veth8' veth8
	run_command
	finds not-attached veth8 veth8
	run_command
	healthy veth8
	on lb ip link del dev veth8
}

links()
{
	on lb ip link set dev veth6 down
	finds down veth6
	command+="; ip netns exec ${prefix}lb ip addr add fd00:10::10/64 dev veth6 nodad" # gone with the link
	mends
	on sw ip link set dev veth7 down
	finds down veth7
	mends
	on lb ip link set dev veth6 xdp off
	finds not-attached veth6
	mends
}

another_program()
{
	on lb ip -force link set dev veth6 xdpdrv obj "$top/stub.bpf.o" sec xdp
	finds another-program stub
	mends
	on lb ip link set dev veth6 xdpdrv off
	on lb ip link set dev veth6 xdpgeneric obj "$top/stub.bpf.o" sec xdp
	finds another-program stub
	mends
}

pins()
{
	local before

	before=$(lb service show)
	rm "$PINS/xlb_services"
	finds pins '1 of'
	mends
	rm "$PINS"/xlb_*
	finds pins 'pins gone'
	mends
	on lb ip -force link set dev veth6 xdp obj "$top/xdp_lb.bpf.o" sec xdp
	equal "$(lb service show)" "$before" "services after a replacement by mended pins"
	mount -t tmpfs tmpfs /sys/fs/bpf
	finds bpffs 'bpffs is not mounted'
	run_command
	finds pins 'pins gone'
	mends
}

# An `ip` that prints its version as one without libbpf does.
ip_without_libbpf()
{
	mkdir "$TMP/bin"
	printf '#!/bin/sh\necho "ip utility, iproute2-6.1.0"\n' >"$TMP/bin/ip"
	chmod +x "$TMP/bin/ip"
	PATH=$TMP/bin:$PATH finds ip 'without libbpf'
	healthy
}

not_owned()
{
	lb service add "$lone:$PORT/tcp"
	lb backend add "$lone:$PORT/tcp" "$backend2"
	finds vip 'does not own'
	mends
	lb service del "$lone:$PORT/tcp"
}

source_not_owned()
{
	lb source add "${net}88"
	finds source 'does not own'
	mends
	lb source del "${net}88"
	lb refresh
}

# A backend that has the VIP as its own, and says so to all who ask. Who has believed it is told
# anew.
taken() # DEV
{
	on h2 ip addr add "$vip_address/$length" dev "$1" ${nodad:+"$nodad"}
	on h2 sysctl -qw net.ipv4.conf.all.arp_ignore=0
	finds vip-taken "$backend2"
	shows "$vip_address"
	on h2 ip addr del "$vip_address/$length" dev "$1"
	on h3 ip neigh flush to "$vip_address" nud all
	healthy
}

backends()
{
	local mac

	mac=$(on h2 cat /proc/self/net/dev_mcast >/dev/null && on h2 ip -j link show veth3 |
		jq -r '.[0].address')
	on h2 ip link set dev veth3 address 02:00:00:00:00:99
	finds backend "$backend2"
	mends
	on h2 ip link set dev veth3 address "$mac"
	lb refresh >/dev/null
	healthy
	on h3 ip link set dev veth5 down
	finds backend 'does not resolve'
	mends
	on h3 ip link set dev veth5 up
	on h3 ip addr replace fd00:10::3/64 dev veth5 nodad # gone with the link
	lb backend up "$vip:$PORT/tcp" "$backend3"
	healthy
}

# Backends that answer past the balancer: one has the VIP itself, one takes another host for it.
silent()
{
	on h2 ip addr add "$vip_address/$length" dev lo
	on h2 sysctl -qw net.ipv4.conf.all.arp_ignore=1
	finds silent "$backend2"
	shows "local $vip_address"
	on h2 ip addr del "$vip_address/$length" dev lo
	on h2 sysctl -qw net.ipv4.conf.all.arp_ignore=0
	on h3 ip neigh replace "$vip_address" lladdr 02:00:00:00:00:77 dev veth5 nud permanent
	finds silent "$backend3"
	shows 02:00:00:00:00:77
	on h3 ip neigh del "$vip_address" dev veth5
	healthy
}

# Without the stub: counters climb while packets are sent.
climbing()
{
	on sw ip link set dev veth7 xdpdrv off
	on h1 "$TOOLS/flood" -r 500 -c 2000 veth0 "$balancer_mac" "$vip_address" "$PORT" >/dev/null &
	sleep 0.2
	finds counters xdp_tx_errors
	wait $!
	finds stub veth7
	run_command
	healthy
}

for_family()
{
	lone=${net}99 length=32 nodad=''
	[ "$family" = 4 ] || { lone=[${net}99] length=128 nodad=nodad; }
	service_up $PORT/tcp
	healthy
	not_owned
	source_not_owned
	taken "$([ "$family" = 4 ] && echo lo || echo veth3)"
	backends
	silent
	climbing
	lb service del "$vip:$PORT/tcp"
}

lab_up
finds not-attached veth6
mends
use_family 4
service_up $PORT/tcp
as_json
stub
offloads
mode
mtu
queues
links
another_program
pins
ip_without_libbpf
lb service del "$vip:$PORT/tcp"
each_family for_family
