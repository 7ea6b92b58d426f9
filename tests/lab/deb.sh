#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make deb: the package is the same, byte for byte, wherever and by whom it is built; lintian and
# piuparts have nothing to say; and it has what `make install` installs, with its own paths.
# tests/vm/boot.sh boots it.
. "$(dirname "$(realpath "$0")")/../lib.sh"

copy_tree() # DIRECTORY
{
	mkdir -p "$1"
	tar -C "$top" --exclude=./.git --exclude=./build --exclude='*.o' --exclude=./xdp-lb -c . |
		tar -x -C "$1"
}

build_twice()
{
	copy_tree "$TMP/one"
	copy_tree "$TMP/another/place"
	"$TMP/one/scripts/deb.sh" >"$TMP/out" 2>&1 || fail "$(cat "$TMP/out")"
	(umask 077 && TZ=Asia/Tokyo LC_ALL=C USER=nobody "$TMP/another/place/scripts/deb.sh") \
		>"$TMP/out" 2>&1 || fail "$(cat "$TMP/out")"
	package=$(find "$TMP/one/build/deb" -name 'xdp-lb_*.deb')
	cmp "$package" "$TMP/another/place/build/deb/${package##*/}"
	note "$(stat -c '%s bytes' "$package")"
}

# What dpkg adds of its own is not in the list of `make install`.
same_set()
{
	dpkg-deb -x "$package" "$TMP/unpacked"
	make -s -C "$TMP/one" install DESTDIR="$TMP/installed" PREFIX=/usr \
		UNITDIR=/lib/systemd/system >"$TMP/out" 2>&1 || fail "$(cat "$TMP/out")"
	diff <(cd "$TMP/installed" && find . ! -type d | sort) \
		<(cd "$TMP/unpacked" && find . ! -type d | sed 's/\.8\.gz$/.8/' |
			grep -v -e /copyright -e /changelog -e lintian/ | sort) ||
		fail "the package and make install differ"
	! grep -rl /usr/local "$TMP/unpacked" || fail "paths of another prefix"
	! zgrep -n '/usr/local' "$TMP"/unpacked/usr/share/man/man8/* || fail "paths in the man page"
}

checked_by_lintian()
{
	lintian --fail-on error,warning --allow-root "${package%/*}"/*.changes >"$TMP/lintian" 2>&1 ||
		fail "$(cat "$TMP/lintian")"
	equal "$(cat "$TMP/lintian")" '' "what lintian says"
}

# It installs and purges the package in a Debian of its own, for which the network is needed.
checked_by_piuparts()
{
	local base=$top/build/vm/minimal.tar.gz

	mkdir -p "${base%/*}"
	if [ ! -e "$base" ]; then
		mmdebstrap --quiet --variant=minbase bookworm "$TMP/minimal.tar.gz" >"$TMP/out" 2>&1 ||
			fail "no Debian to be had for piuparts: $(tail -n 1 "$TMP/out")"
		mv "$TMP/minimal.tar.gz" "$base"
	fi
	piuparts -d bookworm --no-upgrade-test -t "$TMP" -b "$base" "$package" >"$TMP/piuparts" 2>&1 ||
		fail "piuparts: $(grep -e ERROR -e FAIL -A 10 "$TMP/piuparts" | head -n 40)"
	note "$(tail -n 1 "$TMP/piuparts")"
}

versions_agree()
{
	equal "$("$TMP/unpacked/usr/sbin/xdp-lb" version | cut -d ' ' -f 2 | tr -d ,)" \
		"$(dpkg-deb -f "$package" Version)" "version of the helper and the package"
}

build_twice
same_set
versions_agree
checked_by_lintian
checked_by_piuparts
