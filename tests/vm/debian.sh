#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# debian.sh KERNEL DEBIAN DEB NEXT OUTPUT: a disk with a Debian (see base.sh) for that kernel, which
# has the package DEB in /root, not installed, and a later version of it in /root/next.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
root=
readonly SIZE=1500M

die()
{
	echo "vm: $*" >&2
	exit 1
}

# Two devices in two networks. The host's commands come by a virtio port.
network() # DEV ADDRESS4 ADDRESS6
{
	printf '[%s]\n%s\n' Match "Name=$1" Network "IPv6AcceptRA=no" Network "Address=$2" \
		Network "Address=$3" >"$root/etc/systemd/network/$1.network"
}

configure()
{
	network eth0 10.0.0.10/24 fd00:10::10/64
	network eth1 10.1.0.10/24 fd00:11::10/64
	# Both devices are on one link: each answers for its own address only, lest packets come by the other.
	echo net.ipv4.conf.all.arp_ignore=1 >"$root/etc/sysctl.d/arp.conf"
	install "$here/init" "$root/usr/local/sbin/commands"
	cat >"$root/etc/systemd/system/commands.service" <<-END
	[Service]
	ExecStart=/usr/local/sbin/commands serve
	[Install]
	WantedBy=multi-user.target
	END
	chroot "$root" systemctl --quiet enable commands systemd-networkd systemd-networkd-wait-online
	echo guest >"$root/etc/hostname"
	: >"$root/etc/machine-id"
}

[ $# = 5 ] || die "usage: debian.sh KERNEL DEBIAN DEB NEXT OUTPUT"
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
tar -x -C "$root" -f "$2" --exclude='./dev/*'
cp -r "$1/lib/modules" "$root/usr/lib"
depmod -b "$root/usr" "$(ls "$1/lib/modules")"
cp "$3" "$root/root"
mkdir "$root/root/next"
cp "$4" "$root/root/next"
configure
chmod 755 "$root"
rm -f "$5"
truncate -s $SIZE "$5"
mkfs.ext4 -q -d "$root" "$5"
