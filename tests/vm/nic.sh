# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The balancer in the guest, on its virtio NIC, between hosts outside (drawn in network.sh).

readonly SIZES='1 2 3 1459 1460 1461 20000000'
# In mode ipip as large as a packet may be, and one byte more; the last goes in fragments.
readonly DATAGRAMS='0 1 3 511 1400 1440 1441 1452 1453 1472 8001'

start_servers() # NUMBER...
{
	local number

	for number in "$@"; do
		# shellcheck disable=SC2154 # set by run
		on "h$number" "$tree/scripts/web.sh" "$PWD/h$number" "h$number" 8000 2>/dev/null &
		on "h$number" "$tree/build/tests/tools/udp" serve 9000 2>/dev/null &
	done
}

make_files()
{
	local size

	mkdir -p files
	for size in $SIZES; do
		head -c "$size" /dev/urandom >"files/$size"
	done
}

# The files, straight to web servers.
put_files() # NUMBER...
{
	local number size

	for number in "$@"; do
		for size in $SIZES; do
			on h1 curl -sS --fail --retry 9 --retry-connrefused -m 120 \
				-T "files/$size" "http://10.0.0.$number:8000/"
		done
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
	local family number service

	for family in 4 6; do
		for service in 8000/tcp 9000/udp; do
			service=$(in_url "$(address $family 10)"):$service
			guest "./xdp-lb service add $service"
			for number in 2 3; do
				guest "./xdp-lb backend add $service $(address $family $number)"
			done
		done
	done
	guest './xdp-lb service show'
}

# A connection for each request; either backend gets its share, within 10 % of half.
new_connections() # HOST-PART-OF-URL NUMBER NUMBER
{
	local share

	on h1 curl -sS -m 120 -H 'Connection: close' "http://$1:8000/?[1-2000]" >names
	sort names | uniq -c
	share=$(grep -c "h$2" names)
	[ "$share" -ge 900 ]
	[ "$share" -le 1100 ]
	[ "$(grep -c "h$3" names)" = $((2000 - share)) ]
}

keep_alive() # HOST-PART-OF-URL
{
	on h1 wrk -t 1 -c 50 -d 3s --timeout 10s "http://$1:8000/" >wrk-log
	cat wrk-log
	grep -q 'Requests/sec' wrk-log
	not grep -E 'Socket errors|Non-2xx' wrk-log
}

# Whether one of the hosts has the file that was put; takes it away.
is_stored() # FILE NUMBER...
{
	local number

	for number in "${@:2}"; do
		on h1 curl -s --fail -m 120 -o got "http://10.0.0.$number:8000/put" || continue
		on h1 curl -sS --fail -m 20 -X DELETE "http://10.0.0.$number:8000/put"
		cmp got "$1"
		return
	done
	return 1
}

files_arrive() # HOST-PART-OF-URL NUMBER NUMBER
{
	local size

	for size in $SIZES; do
		echo "$size bytes"
		on h1 curl -sS --fail -m 120 -o got "http://$1:8000/$size"
		cmp got "files/$size"
		on h1 curl -sS --fail -m 120 -T "files/$size" "http://$1:8000/put"
		is_stored "files/$size" "${@:2}"
	done
}

datagrams_echoed() # ADDRESS
{
	# shellcheck disable=SC2086 # a word each
	on h1 "$tree/build/tests/tools/udp" ask "$1" 9000 checksum $DATAGRAMS
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
		on $host nstat -asz
	done >counters
	for host in h4 h5; do
		guest "nsenter --net=/run/netns/$host nstat -asz"
	done >>counters
	grep -E 'InCsumErrors|InHdrErrors' counters
	not grep -qE '(InCsumErrors|InHdrErrors) +[1-9]' counters
}

forwarded_counted()
{
	guest './xdp-lb -j stats' >stats
	cat stats
	[ "$(jq '[.services[].packets] | add' stats)" -gt 10000 ]
}

check_traffic() # NAME VIP NUMBERS
{
	local url

	url=$(in_url "$2")
	# shellcheck disable=SC2086 # a word each
	check "$1/new-connections" new_connections "$url" $3
	check "$1/keep-alive" keep_alive "$url"
	# shellcheck disable=SC2086
	check "$1/files" files_arrive "$url" $3
	check "$1/datagrams" datagrams_echoed "$2"
}

check_nic()
{
	guest_up
	start_servers 2 3
	make_files
	check nic/servers put_files 2 3
	check nic/attach-native attach_native
	check nic/services add_services
	check_traffic nic/ipv4 "$VIP4" '2 3'
	check_traffic nic/ipv6 "$VIP6" '2 3'
	check nic/ipv4/own-port own_port_works "TCP4:$VIP4"
	check nic/ipv6/own-port own_port_works "TCP6:[$VIP6]"
	check nic/several-queues several_queues_used
	check nic/stats forwarded_counted
}
