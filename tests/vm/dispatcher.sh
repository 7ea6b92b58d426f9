# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The balancer as one of two programs under xdp-loader's dispatcher: xdp-filter comes first, and
# what it passes comes to the balancer. Ports 8000 and 8001 are services, 8001 is filtered.

load_both()
{
	guest 'ip link set dev eth0 xdp off; rm -rf /sys/fs/bpf/{xdp,tc,ip}'
	guest 'xdp-loader load -m native eth0 xdp_lb.bpf.o'
	guest 'xdp-filter load -m native -p allow eth0'
	guest 'xdp-filter port -m dst -p tcp 8001'
	guest 'xdp-loader status' >status
	cat status
	grep -q 'xdpfilt' status
	grep -q 'xdp_lb' status
}

# The helper finds the maps, though the program on the device is the dispatcher.
find_maps() # OPTIONS
{
	local port

	for port in 8000 8001; do
		guest "./xdp-lb $1 service add $VIP4:$port/tcp"
		guest "./xdp-lb $1 backend add $VIP4:$port/tcp 10.0.0.2:8000"
	done
	guest "./xdp-lb $1 -j service show" >services
	jq -r '.[].backends[].address' services
	[ "$(jq length services)" = 2 ]
	guest "./xdp-lb $1 service del $VIP4:8001/tcp && ./xdp-lb $1 service del $VIP4:8000/tcp"
}

both_work()
{
	local port

	for port in 8000 8001; do
		guest "./xdp-lb service add $VIP4:$port/tcp"
		guest "./xdp-lb backend add $VIP4:$port/tcp 10.0.0.2:8000"
	done
	[ "$(on h1 curl -sS -m 20 "http://$VIP4:8000/")" = h2 ]
	not on h1 curl -sS -m 3 "http://$VIP4:8001/"
	guest 'xdp-filter port -r -m dst -p tcp 8001'
	[ "$(on h1 curl -sS -m 20 "http://$VIP4:8001/")" = h2 ]
}

unload_both()
{
	guest 'xdp-loader unload -a eth0; ip -j link show eth0' >device
	[ "$(jq ".[0].xdp" device)" = null ]
}

check_dispatcher()
{
	check dispatcher/load load_both
	check dispatcher/maps-found find_maps ''
	check dispatcher/maps-found-by-device find_maps '-d eth0'
	check dispatcher/filtered-and-balanced both_work
	check dispatcher/unload unload_both
}
