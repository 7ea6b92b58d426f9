#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# base.sh: makes the file systems of the images' bases from packages of Debian 12, under
# build/containers: base.tar for the balancer, host-base.tar for the demo's hosts. Kept until this file
# changes.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/../scripts/lib.sh"

readonly SHARED=base-files,base-passwd,bash,coreutils,dash,grep,sed,util-linux,mount,iproute2
readonly BALANCER=$SHARED,bpftool,jq
readonly HOST=$SHARED,curl,nginx-light

# What packages' scripts would do, which are not run; and documents go, but for licences.
# shellcheck disable=SC2016 # mmdebstrap's
readonly FINISH='set -e; cd "$1"
	cp usr/share/base-passwd/passwd.master etc/passwd
	cp usr/share/base-passwd/group.master etc/group
	[ -e bin/sh ] || ln -s dash bin/sh
	mkdir -p root tmp run var/log
	chmod 1777 tmp
	find usr/share/doc -type f ! -name copyright -delete
	rm -rf usr/share/locale usr/share/man usr/share/info usr/share/bash-completion'

make_base() # FILE PACKAGES
{
	[ ! "$out/$1" -nt "$here/base.sh" ] || return 0
	echo "making $1 from Debian packages"
	mmdebstrap --quiet --variant=extract --include="$2" --extract-hook="$FINISH" \
		bookworm "$out/$1.new.tar"
	mv "$out/$1.new.tar" "$out/$1"
}

need_root
out=$(realpath "$here/..")/build/containers
mkdir -p "$out"
make_base base.tar "$BALANCER" &
other=$!
make_base host-base.tar "$HOST"
wait $other
