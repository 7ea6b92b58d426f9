# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The package in a Debian of its own (debian.sh), between the hosts outside (drawn in network.sh): it
# is installed and configured, the guest boots anew, packets flow; and it goes without a trace.

# shellcheck disable=SC2154,SC2016 # here, tree, KERNEL, DEBIAN: set by run; the guest expands
readonly UNITS='xdp-lb@eth0 xdp-lb@eth1'
readonly NEXT_LAYOUT=100
readonly CONF=/etc/xdp-lb/xdp-lb.conf
# By eth0, and one to which the client comes by eth1.
readonly ONE_ARM="10.0.0.10 [fd00:10::10]" VIPS="10.0.0.10 [fd00:10::10] 10.9.9.9"
# What `systemd-analyze security` may say of the units, in tenths; 100 is a unit without hardening.
readonly EXPOSURE='xdp-lb@eth0:30 xdp-lb-watch:33'

boot_disk()
{
	start_guest "$KERNEL" initramfs disk
	guest 'timeout 150 systemctl is-system-running --wait || systemctl list-jobs' >state || true
}

reboot_guest()
{
	guest 'systemctl reboot'
	end_guest
	boot_disk
}

# Puts standard input into a file of the guest.
guest_file() # PATH
{
	guest "mkdir -p ${1%/*}; base64 -d >$1 <<<$(base64 -w 0)"
}

# All that is on the disk but what dpkg, systemd and the like keep of everything.
list_files()
{
	guest "find / -xdev -path /var/log -prune -o -path /var/cache -prune -o \
		-path /var/lib/dpkg -prune -o -path /var/lib/systemd -prune -o -path /tmp -prune -o \
		-path /var/backups -prune -o -path /var/tmp -prune -o -path /root -prune -o -print" | sort
}

# A later version, whose maps have another layout.
make_next()
{
	mkdir next
	tar -C "$tree" --exclude=./.git --exclude=./build --exclude='*.o' --exclude=./xdp-lb -c . |
		tar -x -C next
	sed -i -e "s/^\(#define LAYOUT_VERSION\) .*/\1 $NEXT_LAYOUT/" \
		-e 's/^struct \(service\|config\) {$/&\n\t__u32 another, more;/' \
		next/maps/xdp_lb.h
	sed -i '1s/(.*)/(99)/' next/debian/changelog
	next/scripts/deb.sh
}

make_disk()
{
	local package next

	package=$("$tree/scripts/deb.sh")
	next=$(make_next)
	"$here/debian.sh" "$KERNEL" "$DEBIAN" "$tree/$package" "next/$next" disk
}

install_package()
{
	list_files >before
	[ "$(wc -l <before)" -gt 5000 ]
	guest 'DEBIAN_FRONTEND=noninteractive dpkg -i /root/xdp-lb_*.deb'
	[ "$(guest 'systemctl list-units --no-legend "xdp-lb*"')" = '' ]
}

# A service that needs the VIP notes what there is when it starts.
configure_package()
{
	local vip backend

	for vip in $VIPS; do
		guest "echo 'service add $vip:8000/tcp' >>$CONF"
		for backend in $([[ $vip == *:* ]] && echo fd00:10::{2,3} || echo 10.0.0.{2,3}); do
			guest "echo 'backend add $vip:8000/tcp $backend' >>$CONF"
		done
	done
	guest_file /etc/systemd/system/bird.service <<-END
	[Service]
	Type=oneshot
	ExecStart=sh -c "xdp-lb save >/run/bird"
	[Install]
	WantedBy=multi-user.target
	END
	guest "systemctl enable $UNITS bird"
}

units_are() # STATE
{
	local states

	states=$(guest "systemctl is-active $UNITS" | sort -u) || true
	echo "$states"
	[ "$states" = "$1" ]
}

came_up()
{
	guest 'systemctl --failed --no-legend' >failed-units
	cat state failed-units
	guest "journalctl -b --no-pager -u xdp-lb@eth0 -u xdp-lb@eth1"
	units_are active
	[ ! -s failed-units ]
	guest 'cat /run/bird' >saved
	cat saved
	[ "$(grep -c ^service saved)" = 3 ]
}

# The client has a second address in the network of eth1, on the same link; backends answer by eth0.
hosts_up()
{
	[ -e h2 ] || start_servers 2 3
	on h1 ip address add 10.1.0.1/24 dev eth0
	on h1 ip route add 10.9.9.9 via 10.1.0.10
	on h2 ip route add 10.9.9.9 via 10.0.0.10
	on h3 ip route add 10.9.9.9 via 10.0.0.10
}

# Both backends answer.
packets_flow() # VIP...
{
	local vip

	for vip in "$@"; do
		on h1 curl -sS --fail-early -m 20 -H 'Connection: close' "http://$vip:8000/?[1-40]" |
			sort | uniq -c >answers
		cat answers
		[ "$(wc -l <answers)" = 2 ]
		[ "$(awk '{ sum += $1 } END { print sum }' answers)" = 40 ]
	done
}

programs()
{
	guest 'ip -j link' | jq -r '.[] | select(.xdp) | "\(.ifname) \(.xdp.mode)"'
}

# One set of maps on two devices.
one_balancer()
{
	guest 'bpftool -j map show' >maps
	[ "$(jq '[.[] | select(.name == "xlb_services")] | length' maps)" = 1 ]
	programs
	[ "$(programs | cut -d ' ' -f 1 | xargs)" = 'eth0 eth1' ]
	guest 'xdp-lb service show'
}

reload_applies()
{
	guest "echo service add 10.0.0.10:9000/udp >>$CONF; systemctl reload xdp-lb@eth0"
	guest 'xdp-lb service show 10.0.0.10:9000/udp'
	guest "echo service add nonsense >>$CONF"
	not guest 'systemctl reload xdp-lb@eth0'
	guest 'journalctl --no-pager -u xdp-lb@eth0' | grep "'nonsense'"
	[ "$(guest 'xdp-lb -j service show' | jq length)" = 4 ]
	units_are active
	guest "sed -i /nonsense/d $CONF"
}

# With one of two devices gone, the other goes on; with its unit it comes back.
one_device_stops()
{
	guest 'systemctl stop xdp-lb@eth1'
	[ "$(programs | cut -d ' ' -f 1)" = eth0 ]
	# shellcheck disable=SC2086 # a word each
	packets_flow $ONE_ARM
	guest 'systemctl start xdp-lb@eth1'
	one_balancer
	packets_flow 10.9.9.9
}

await_eth1() # STATE
{
	guest "for i in {1..300}; do [ \$(systemctl is-active xdp-lb@eth1) != $1 ] || break; sleep 0.2; done"
	[ "$(guest 'systemctl is-active xdp-lb@eth1')" = "$1" ]
}

device_comes_and_goes()
{
	local driver=/sys/bus/virtio/drivers/virtio_net number

	number=$(guest 'basename $(realpath /sys/class/net/eth1/device)')
	guest "echo $number >$driver/unbind"
	await_eth1 inactive
	guest "echo $number >$driver/bind"
	await_eth1 active
	one_balancer
}

# What has run before a restart runs after it, configuration and all.
restart_restores()
{
	guest 'systemctl stop xdp-lb@eth0 xdp-lb@eth1'
	[ "$(programs)" = '' ]
	[ "$(guest 'find /sys/fs/bpf -name "xlb_*"')" = '' ]
	guest 'systemctl start xdp-lb@eth0 xdp-lb@eth1'
	# shellcheck disable=SC2086 # a word each
	packets_flow $VIPS
}

# systemd-analyze ends with 0 whatever it finds.
units_are_sound()
{
	local unit

	for unit in $EXPOSURE; do
		guest "systemd-analyze verify --man=no ${unit%:*}.service" >findings
		cat findings
		[ ! -s findings ]
		guest "systemd-analyze --no-pager security ${unit%:*}.service" | tail -n 1
		guest "systemd-analyze --no-pager security --threshold=${unit#*:} ${unit%:*}.service" \
			>findings
	done
}

# Within the bounds of xdp-lb-watch.service there is all that reading, resolving and changing takes,
# and a namespace can be made; others may read what it writes to /run/xdp-lb.
watch_has_its_rights()
{
	local dir=/run/systemd/system nobody='setpriv --reuid nobody --regid nogroup --clear-groups'

	guest "cp /lib/systemd/system/xdp-lb-watch.service $dir/rights.service"
	guest_file $dir/rights.service.d/it.conf <<-END
	[Service]
	Type=oneshot
	Restart=no
	ExecStart=
	ExecStart=/bin/sh -ex /usr/local/sbin/rights
	END
	guest_file /usr/local/sbin/rights <<-END
	xdp-lb refresh
	xdp-lb metrics >/run/xdp-lb/metrics
	xdp-lb deny add 192.0.2.1
	xdp-lb deny del 192.0.2.1
	unshare -n ip link
	$nobody id
	END
	guest 'systemctl daemon-reload; systemctl start rights || { journalctl -u rights; false; }'
	guest "$nobody cat /run/xdp-lb/metrics" >metrics
	grep xdplb_flows metrics
	guest "rm -r $dir/rights* /usr/local/sbin/rights; systemctl daemon-reload"
}

await_health() # HEALTH
{
	local show="xdp-lb -j service show | tr -d ' \n' | grep '\"health\":\"$1\"'"

	guest "for i in {1..50}; do ! $show >/dev/null || break; sleep 0.2; done"
	guest "$show"
}

# The unit lets it make what a check by a program lives in.
watch_runs_programs()
{
	guest_file /etc/xdp-lb/checks.d/probe <<-'END'
	#!/bin/sh
	[ "$$" = 1 ] && [ "$(id -u)" = 65534 ]
	END
	guest 'chmod 755 /etc/xdp-lb/checks.d/probe; systemctl start xdp-lb-watch'
	guest 'xdp-lb check set 10.0.0.10:8000/tcp exec probe interval 0.2'
	await_health ok
	guest 'printf "#!/bin/sh\nexit 3\n" >/etc/xdp-lb/checks.d/probe'
	await_health failing
	guest 'journalctl --no-pager -u xdp-lb-watch' | grep 'is failing: status 3'
	guest 'systemctl stop xdp-lb-watch; rm /etc/xdp-lb/checks.d/probe'
	guest 'xdp-lb check del 10.0.0.10:8000/tcp'
}

# The same package again takes the place of the old one, and so does its program, maps and all.
reinstalled()
{
	guest 'bpftool -j map show' | jq '.[] | select(.name == "xlb_services") | .id' >map
	guest 'dpkg -i /root/xdp-lb_*.deb' | grep 'flows are kept'
	guest 'bpftool -j map show' | jq '.[] | select(.name == "xlb_services") | .id' | diff map -
	one_balancer
	units_are active
	# shellcheck disable=SC2086 # a word each
	packets_flow $VIPS
}

# A connection that is used all the while.
keep_asking()
{
	on h1 curl -sS --rate 2/s -m 600 -o answers -w '%{num_connects}\n' \
		"http://10.0.0.10:8000/?[1-$1]" >connects
}

upgraded()
{
	local busy

	guest 'ip -j link show eth0' | jq '.[0].xdp.prog.id' >program
	guest 'xdp-lb save' >saved
	keep_asking 60 &
	busy=$!
	sleep 2
	guest 'dpkg -i /root/next/*.deb'
	guest 'xdp-lb version' | grep "layout of maps $NEXT_LAYOUT"
	guest 'ip -j link show eth0' | jq '.[0].xdp.prog.id' | not grep -x "$(cat program)"
	guest 'xdp-lb save' | diff saved -
	one_balancer
	wait $busy
	[ "$(awk '{ sum += $1 } END { print NR, sum }' connects)" = '60 1' ]
	# shellcheck disable=SC2086 # a word each
	packets_flow $VIPS
}

purge_leaves_nothing()
{
	guest 'mkdir -p /etc/systemd/system/xdp-lb@eth0.service.d'
	guest 'systemctl disable bird; rm /etc/systemd/system/bird.service /run/bird'
	guest 'dpkg --purge xdp-lb'
	list_files >after
	diff before after
	[ "$(programs)" = '' ]
	guest 'bpftool -j map show' | jq -r '.[].name' >left
	not grep xlb_ left
	guest 'find /run -path /run/udev -prune -o -name "*xdp-lb*" -print' >left
	guest 'find /sys/fs/bpf -name "xlb_*"' >>left
	cat left
	[ ! -s left ]
	guest 'systemctl list-units --all --no-legend "xdp-lb*"' >left
	cat left
	[ ! -s left ]
	[ "$(guest 'systemctl --failed --no-legend')" = '' ]
}

check_boot()
{
	check boot/hosts hosts_up
	check boot/disk make_disk
	boot_disk
	check boot/install install_package
	check boot/configure configure_package
	reboot_guest
	check boot/came-up came_up
	# shellcheck disable=SC2086 # a word each
	check boot/packets-flow packets_flow $VIPS
	check boot/one-balancer one_balancer
	check boot/reload reload_applies
	check boot/one-device one_device_stops
	check boot/hotplug device_comes_and_goes
	check boot/restart restart_restores
	check boot/units units_are_sound
	check boot/watch-rights watch_has_its_rights
	check boot/watch-programs watch_runs_programs
	check boot/reinstall reinstalled
	check boot/upgrade upgraded
	check boot/purge purge_leaves_nothing
	end_guest
}
