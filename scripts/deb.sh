#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# deb.sh: builds the Debian package from a copy of the tree, and puts it into build/deb.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/lib.sh"

readonly OUT=build/deb

cd "$here/.."
rm -rf $OUT
mkdir -p $OUT/tree
tar --exclude=./.git --exclude=./build --exclude='*.o' --exclude=./xdp-lb -c . | tar -x -C $OUT/tree
(cd $OUT/tree && cmd dpkg-buildpackage -us -uc -b) >$OUT/log 2>&1 || {
	tail -n 40 $OUT/log >&2
	die "the package is not built; all of the log is in $OUT/log"
}
rm -rf $OUT/tree
echo "$OUT/$(cd $OUT && ls xdp-lb_*.deb)"
