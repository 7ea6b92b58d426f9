# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The balancer in the guest, on its virtio NIC, between hosts outside (drawn in network.sh).

readonly SIZES='1 2 3 1459 1460 1461 20000000'

# An HTTP server: /name says which host it is, files are got and put below /files.
start_server() # HOST
{
	mkdir -p "$1/files" "$1/tmp"
	cat >"$1/nginx.conf" <<-END
		user root;
		daemon off;
		pid $PWD/$1/pid;
		error_log $PWD/$1/log;
		events {}
		http {
			access_log off;
			client_max_body_size 0;
			client_body_temp_path $PWD/$1/tmp;
			server {
				listen 8000;
				listen [::]:8000;
				location = /name { return 200 "$1\n"; }
				location /files { root $PWD/$1; dav_methods PUT; }
			}
		}
	END
	on "$1" nginx -e "$PWD/$1/log" -c "$PWD/$1/nginx.conf" -p "$PWD/$1/" 2>/dev/null &
	on "$1" socat -b 65536 UDP6-LISTEN:9000,fork,ipv6only=0 PIPE 2>/dev/null &
}

make_files()
{
	local size

	mkdir -p files
	for size in $SIZES; do
		head -c "$size" /dev/urandom >"files/$size"
		cp "files/$size" h2/files
		cp "files/$size" h3/files
	done
}

guest_up() # configures its device as the balancer's
{
	guest "ip address add $VIP4/24 dev eth0; ip address add $VIP6/64 dev eth0 nodad"
	guest 'ip link set eth0 up'
	guest 'socat TCP6-LISTEN:2222,fork,ipv6only=0 SYSTEM:"echo guest" &'
}

attach_native()
{
	local mode

	guest 'ip link set dev eth0 xdpdrv obj xdp_lb.bpf.o sec xdp'
	mode=$(guest 'ip -j link show eth0' | jq '.[0].xdp.mode')
	echo "mode $mode, 1 is native"
	[ "$mode" = 1 ]
}

add_services()
{
	local vip proto

	for proto in 8000/tcp 9000/udp; do
		for vip in "$VIP4:$proto" "[$VIP6]:$proto"; do
			guest "./xdp-lb service add $vip"
			guest "./xdp-lb backend add $vip $(backend_like "$vip" 2)"
			guest "./xdp-lb backend add $vip $(backend_like "$vip" 3)"
		done
	done
	guest './xdp-lb service show'
}

backend_like() # VIP NUMBER: a backend's address, of the VIP's family
{
	case $1 in
	\[*) echo "fd00:10::$2" ;;
	*) echo "10.0.0.$2" ;;
	esac
}

# A connection for each request; either backend gets its share, within 10 % of half.
new_connections() # HOST-PART-OF-URL
{
	local share

	on h1 curl -sS -m 120 -H 'Connection: close' "http://$1:8000/name?[1-2000]" >names
	sort names | uniq -c
	[ "$(wc -l <names)" = 2000 ]
	share=$(grep -c h2 names)
	[ "$share" -ge 900 ]
	[ "$share" -le 1100 ]
}

keep_alive() # HOST-PART-OF-URL
{
	on h1 wrk -t 1 -c 50 -d 3s --timeout 10s "http://$1:8000/name" >wrk-log
	cat wrk-log
	grep -q 'Requests/sec' wrk-log
	not grep -E 'Socket errors|Non-2xx' wrk-log
}

files_arrive() # HOST-PART-OF-URL
{
	local size

	for size in $SIZES; do
		echo "$size bytes"
		on h1 curl -sS -m 120 -o got "http://$1:8000/files/$size"
		cmp got "files/$size"
		rm -f h[23]/files/put
		on h1 curl -sS -m 120 -T "files/$size" "http://$1:8000/files/put"
		cmp "$(ls h[23]/files/put)" "files/$size"
	done
}

# Datagrams of odd sizes, the largest in fragments, come back as they were.
datagrams_echoed() # SOCAT-ADDRESS
{
	local size

	for size in 1 3 511 1400 8001; do
		echo "$size bytes"
		head -c "$size" /dev/urandom >datagram
		on h1 socat -b 65536 -t 1 - "$1:9000" <datagram >got
		cmp got datagram
	done
}

# A port of no service, on the balancer's own address.
own_port_works() # SOCAT-ADDRESS
{
	[ "$(on h1 socat -t 5 - "$1:2222" </dev/null)" = guest ]
}

# Several queues took part.
several_queues_used()
{
	guest 'ethtool -S eth0' >queues
	grep xdp_tx queues
	[ "$(grep -c 'rx_queue_._xdp_tx: [1-9]' queues)" -ge 2 ]
}

no_checksum_errors()
{
	local host

	for host in h1 h2 h3; do
		echo "$host"
		on "$host" nstat -asz | grep -E 'InCsumErrors|InHdrErrors|Ip6InHdrErrors' >errors
		not grep -v ' 0  ' errors
	done
}

forwarded_counted()
{
	guest './xdp-lb -j stats' >stats
	cat stats
	[ "$(jq '[.services[].packets] | add' stats)" -gt 10000 ]
}

check_family() # NAME HOST-PART-OF-URL SOCAT-SUFFIX
{
	check "nic/new-connections/$1" new_connections "$2"
	check "nic/keep-alive/$1" keep_alive "$2"
	check "nic/files/$1" files_arrive "$2"
	check "nic/datagrams/$1" datagrams_echoed "UDP$3"
	check "nic/own-port/$1" own_port_works "TCP$3"
}

check_nic()
{
	guest_up
	start_server h2
	start_server h3
	make_files
	check nic/attach-native attach_native
	check nic/services add_services
	check_family ipv4 "$VIP4" "4:$VIP4"
	check_family ipv6 "[$VIP6]" "6:[$VIP6]"
	check nic/several-queues several_queues_used
	check nic/no-checksum-errors no_checksum_errors
	check nic/stats forwarded_counted
}
