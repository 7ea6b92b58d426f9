#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kernel.sh CACHE: puts Debian's 6.1 kernel for virtual machines under CACHE, as files: it is not
# installed, this machine keeps its own. Prints the directory, which has boot/ and lib/modules/.
set -euo pipefail

readonly META=linux-image-cloud-amd64

die()
{
	echo "vm: $*" >&2
	exit 1
}

# The package that META stands for today: linux-image-6.1.0-N-cloud-amd64
find_package()
{
	apt-cache depends "$META" 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-6\.1\.[^ ]*\)$/\1/p' | head -n 1
}

fetch_package() # PACKAGE DIRECTORY
{
	rm -rf "$2.new"
	mkdir -p "$2.new/deb"
	(cd "$2.new/deb" && apt-get -q download "$1" >&2) || return
	dpkg-deb -x "$2.new"/deb/*.deb "$2.new" || return
	rm -r "$2.new/deb"
	mv "$2.new" "$2"
}

get_kernel() # CACHE
{
	package=$(find_package)
	[ -n "$package" ] && { [ -d "$1/$package" ] || fetch_package "$package" "$1/$package"; }
}

# What apt knows may be out of date, and then its server does not have that version any more.
get_kernel_anew() # CACHE
{
	apt-get -q update >&2
	get_kernel "$1"
}

[ $# = 1 ] || die "usage: kernel.sh CACHE"
mkdir -p "$1"
get_kernel "$1" || get_kernel_anew "$1" || {
	package=$(cd "$1" && find . -maxdepth 1 -name 'linux-image-6.1.*-amd64' | sort -V | tail -n 1)
	[ -n "$package" ] || die "no $META of 6.1 to be had: Debian 12 must be among apt's sources"
}
realpath "$1/$package"
