#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# base.sh CACHE: makes a Debian 12 in CACHE, small but real, that has what our package depends on.
# Prints its name, that of a tar.
set -euo pipefail

# For Debian as a whole; what the package asks for is in its own field.
readonly PACKAGES=systemd-sysv,udev,dbus

dependencies()
{
	sed -n 's/^Depends: //p' "$(dirname "$(realpath "$0")")/../../debian/control" |
		sed 's/([^)]*)//g; s/\${[^}]*}//g; s/ //g; s/,*$//'
}

[ $# = 1 ] || { echo "usage: base.sh CACHE" >&2 && exit 1; }
mkdir -p "$1"
packages=$PACKAGES,$(dependencies)
tarball=$(realpath "$1")/debian-$(md5sum <<<"$packages" | cut -c 1-8).tar
[ -e "$tarball" ] || {
	mmdebstrap --quiet --variant=minbase --include="$packages" bookworm "$tarball.new.tar" >&2
	mv "$tarball.new.tar" "$tarball"
}
echo "$tarball"
