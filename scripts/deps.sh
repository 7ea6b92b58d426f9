#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# deps.sh [TARGET]...: installs those Debian packages that make's TARGETs need (all, without any) and
# that are missing; the file `packages` lists them. No service that comes with one is started, now or
# at the next boot: tests and demo run their own.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/lib.sh"

readonly POLICY=/usr/sbin/policy-rc.d

# "TARGET PACKAGE" lines.
needs()
{
	sed '/^#/d' "$here/packages" | awk -F ': ' '{
		targets = split($1, target, " ")
		packages = split($2, package, " ")
		for (t = 1; t <= targets; t++)
			for (p = 1; p <= packages; p++)
				print target[t], package[p]
	}'
}

check_targets() # TARGET...
{
	local known target

	known=$(needs | cut -d ' ' -f 1 | sort -u | xargs)
	for target in "$@"; do
		case " $known " in
		*" $target "*) ;;
		*)
			echo "deps: unknown target '$target': expected one of $known" >&2
			exit 2
			;;
		esac
	done
}

missing_packages() # [TARGET...]
{
	local wanted

	wanted=$(needs | awk -v targets=" $* " \
		'targets ~ /^ *$/ || index(targets, " " $1 " ") { print $2 }' | sort -u)
	# shellcheck disable=SC2086 # a word each
	comm -23 <(echo "$wanted") <(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted \
		2>/dev/null | sed -n 's/ installed$//p' | sort)
}

# A policy that forbids every start, for as long as apt-get runs.
forbid_starts()
{
	[ ! -e "$POLICY" ] || return 0
	trap 'rm -f "$POLICY"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	printf '#!/bin/sh\nexit 101\n' >"$POLICY"
	chmod +x "$POLICY"
}

apt()
{
	cmd env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@"
}

# Units that a package enables at boot.
units_of() # PACKAGE
{
	case $1 in
	haproxy | knot | nftables) echo "$1" ;;
	bird2) echo bird ;;
	etcd-server) echo etcd ;;
	keepalived) echo keepalived ;;
	nginx-light) echo nginx ;;
	podman) echo podman.service podman.socket podman-auto-update.service \
		podman-auto-update.timer podman-restart.service ;;
	esac
}

disable_services() # PACKAGE...
{
	local package unit

	[ -n "$(command -v systemctl)" ] || return 0
	for package in "$@"; do
		for unit in $(units_of "$package"); do
			systemctl --quiet disable "$unit" 2>/dev/null || true
		done
	done
}

check_targets "$@"
mapfile -t missing < <(missing_packages "$@")
[ ${#missing[@]} -gt 0 ] || exit 0
need_root
echo "deps: installing ${missing[*]}" >&2
forbid_starts
# What is listed of them may be old, or nothing.
apt install --no-install-recommends "${missing[@]}" 2>/dev/null >&2 || {
	apt update
	apt install --no-install-recommends "${missing[@]}" >/dev/null
}
disable_services "${missing[@]}"
