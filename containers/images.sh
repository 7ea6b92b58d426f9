#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# images.sh podman|docker: builds the images localhost/xdp-lb and localhost/xdp-lb-host, and pulls
# nothing: their bases are made of Debian packages (base.sh), or are the images that BASE and HOST_BASE
# name.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/../scripts/lib.sh"

# What the images get, and nothing else, is what an engine sees.
make_context()
{
	rm -rf "$context"
	make -s -C "$top" install DESTDIR="$context/root" >/dev/null
	rm -r "$context/root/usr/local/share"
	cp "$here/balancer.sh" "$top/scripts/web.sh" "$context"
}

import_base() # FILE IMAGE
{
	"$here/base.sh"
	case $engine in
	podman) cmd podman import --quiet "$top/build/containers/$1" "$2" ;;
	docker) cmd docker import "$top/build/containers/$1" "$2" ;;
	esac
}

build() # TARGET IMAGE
{
	cmd "$engine" build --quiet --file "$here/Containerfile" --target "$1" \
		--build-arg "BASE=$base" --build-arg "HOST_BASE=$host_base" --tag "$2" "$context"
}

engine=${1-}
case $engine in
podman | docker) ;;
*) usage "$program podman|docker" ;;
esac
[ -n "$(command -v "$engine")" ] || die "no $engine here"
top=$(realpath "$here/..")
context=$top/build/containers/context
base=${BASE:-localhost/xdp-lb-base} host_base=${HOST_BASE:-localhost/xdp-lb-host-base}
make_context
[ -n "${BASE-}" ] || import_base base.tar "$base"
[ -n "${HOST_BASE-}" ] || import_base host-base.tar "$host_base"
build balancer localhost/xdp-lb
build host localhost/xdp-lb-host
