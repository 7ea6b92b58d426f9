# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# For tests in tests/lab, behind lib.sh: promtool, out of Debian's package if it is not installed; it
# is kept in build/.
# shellcheck disable=SC2154,SC2164 # set by lib.sh: top, and -e

find_promtool() # sets promtool; false: there is none
{
	local directory

	promtool=$(command -v promtool) && return
	promtool=$top/build/tests/promtool
	[ ! -x "$promtool" ] || return 0
	directory=$TMP/package
	mkdir "$directory"
	chmod a+rwx "$directory"
	(
		cd "$directory"
		timeout 60 apt-get -qq download prometheus
		dpkg-deb --fsys-tarfile prometheus_*.deb | tar --extract ./usr/bin/promtool
		install -D usr/bin/promtool "$promtool"
	) >"$TMP/download" 2>&1
}
