#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# initramfs.sh KERNEL OUTPUT: the guest's whole file system: this machine's programs that are named
# in `commands` with their libraries, the kernel's modules, and this tree as it is built.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
tree=$(realpath "$here/../..")
root=
# Where the tree is in the guest, wherever it is here: /tmp and /run are new there.
readonly TREE=/xdp-lb
# Drivers of network devices that the tests may ask for.
readonly DRIVERS='dummy ifb macvlan net_failover tun veth virtio_net vrf'
# Data of programs, where there is any.
readonly DATA='/etc/passwd /etc/group /etc/services /etc/protocols /etc/hosts /etc/nsswitch.conf
	/etc/nginx /etc/iproute2 /usr/share/iproute2 /usr/lib/locale/C.utf8 /usr/lib/*/bpf'

die()
{
	echo "vm: $*" >&2
	exit 1
}

make_directories()
{
	local dir

	chmod 755 "$root"
	mkdir -p "$root"/{dev,etc,proc,root,run,sys,tmp,usr/{bin,sbin,lib,lib64,share},var/{lib,log}}
	for dir in bin sbin lib lib64; do
		ln -s "usr/$dir" "$root/$dir"
	done
	ln -s ../run "$root/var/run"
	ln -s ../tmp "$root/var/tmp"
}

# Paths of the commands. One that is not here is an error, unless it is marked with *.
find_commands()
{
	local PATH=/usr/sbin:/usr/bin:/sbin:/bin word

	grep -v '^#' "$here/commands" | tr ' ' '\n' | while read -r word; do
		type -P "${word%\*}" && continue
		[ "${word%\*}" != "$word" ] || die "no command '$word' here; 'make deps' installs it"
	done
}

# Copies files named on standard input, those of /bin and /lib to where they are below /usr.
copy_files()
{
	local from to

	while read -r from; do
		case $from in
		/bin/* | /sbin/* | /lib/* | /lib64/*) to=$root/usr$from ;;
		*) to=$root$from ;;
		esac
		[ -e "$to" ] && continue
		mkdir -p "${to%/*}"
		cp -rL "$from" "$to"
	done
}

copy_programs()
{
	local list built

	list=$(find_commands)
	copy_files <<<"$list"
	built=$(find "$tree/xdp-lb" "$tree/build/tests" -type f -perm -u+x)
	# ldd fails for scripts.
	copy_files < <(xargs ldd <<<"$list $built" 2>/dev/null | grep -o '/[^ ]*\.so[^ ]*' | sort -u)
	# shellcheck disable=SC2086 # a pattern each
	copy_files < <(ls -d $DATA 2>/dev/null)
}

copy_modules() # KERNEL
{
	local release from to driver

	release=$(ls "$1/lib/modules")
	from=$1/lib/modules/$release/kernel
	to=$root/usr/lib/modules/$release
	mkdir -p "$to"
	cp "$1/lib/modules/$release"/modules.{builtin,builtin.modinfo,order} "$to"
	(cd "$from" && cp -r --parents -t "$to" net lib crypto drivers/virtio drivers/net/vxlan \
		drivers/block/virtio_blk.ko drivers/char/{virtio_console.ko,hw_random})
	for driver in $DRIVERS; do
		cp "$from/drivers/net/$driver.ko" "$to"
	done
	depmod -b "$root/usr" "$release"
}

copy_tree()
{
	mkdir -p "$root$TREE"
	tar -C "$tree" --exclude=./.git --exclude=./build/vm --exclude=./build/deb -c . |
		tar -C "$root$TREE" -x
	ln -s $TREE/tests/vm/init "$root/init"
}

[ $# = 2 ] || die "usage: initramfs.sh KERNEL OUTPUT"
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
make_directories
copy_programs
copy_modules "$1"
copy_tree
(cd "$root" && find . -print0 | cpio -0 -o -H newc -R 0:0 --quiet) >"$2"
