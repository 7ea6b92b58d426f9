#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# bytes.sh TYPE VALUE [TYPE VALUE]...: the bytes of values as they lie in the balancer's maps (see
# maps/xdp_lb.h), in the form that bpftool takes after `key hex` and `value hex`:
#
#    ip 10.0.0.1 or fd00::1    16 bytes, an IPv4 address as ::ffff:10.0.0.1
#    mac de:ad:be:ef:00:01     6 bytes
#    port 8000                 2 bytes, in network byte order
#    proto tcp or udp          1 byte
#    u8 N, u16 N, u32 N        a number of 1, 2 or 4 bytes, in this machine's byte order
#    zero N                    N bytes of 0
set -euo pipefail
. "$(dirname "$(realpath "$0")")/lib.sh"

bytes=()

little_endian()
{
	[ "$(printf '\1\0' | od -An -t u2 | tr -d ' ')" = 1 ]
}

# Appends the lowest SIZE bytes of a number, the highest of them first.
network_number() # SIZE NUMBER
{
	local shift

	for ((shift = 8 * ($1 - 1); shift >= 0; shift -= 8)); do
		bytes+=("$(printf %02x $(($2 >> shift & 255)))")
	done
}

host_number() # SIZE NUMBER
{
	local i

	if ! little_endian; then
		network_number "$1" "$2"
		return
	fi
	for ((i = 0; i < $1; i++)); do
		network_number 1 $(($2 >> 8 * i))
	done
}

number() # TEXT MAX: prints it in decimal
{
	[[ $1 =~ ^(0|[1-9][0-9]{0,9})$ ]] && [ "$1" -le "$2" ] ||
		die "bad value '$1': expected a number from 0 to $2"
	echo "$1"
}

ipv4() # ADDRESS
{
	local part parts

	[[ $1 =~ ^[0-9]+(\.[0-9]+){3}$ ]] || die "bad address '$1'"
	IFS=. read -r -a parts <<<"$1"
	for part in "${parts[@]}"; do
		part=$(number "$part" 255) || exit
		network_number 1 "$part"
	done
}

# Groups of an IPv6 address without `::`.
groups() # TEXT
{
	local group list

	IFS=: read -r -a list <<<"$1"
	for group in "${list[@]}"; do
		[[ $group =~ ^[0-9a-fA-F]{1,4}$ ]] || die "bad address group '$group'"
		network_number 2 $((16#$group))
	done
}

ipv6() # ADDRESS
{
	local before=${1%%::*} after='' start=${#bytes[@]} head

	groups "$before"
	if [ "$before" != "$1" ]; then
		after=${1#*::}
		head=("${bytes[@]}")
		bytes=()
		groups "$after"
		after=("${bytes[@]}")
		bytes=("${head[@]}")
		zero $((16 - (${#bytes[@]} - start) - ${#after[@]}))
		bytes+=("${after[@]}")
	fi
	[ $((${#bytes[@]} - start)) = 16 ] || die "bad address '$1'"
}

zero() # NUMBER
{
	local i

	for ((i = 0; i < $1; i++)); do
		bytes+=(00)
	done
}

address() # ADDRESS
{
	case $1 in
	*:*)
		ipv6 "$1"
		;;
	*)
		zero 10
		bytes+=(ff ff)
		ipv4 "$1"
		;;
	esac
}

mac() # MAC
{
	local list

	[[ $1 =~ ^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$ ]] || die "bad MAC '$1'"
	IFS=: read -r -a list <<<"${1,,}"
	bytes+=("${list[@]}")
}

protocol() # NAME
{
	case $1 in
	tcp) bytes+=(06) ;;
	udp) bytes+=(11) ;;
	*) die "unknown protocol '$1': tcp or udp" ;;
	esac
}

[ $# -gt 0 ] && [ $(($# % 2)) = 0 ] ||
	usage "$program TYPE VALUE [TYPE VALUE]..., types: ip, mac, port, proto, u8, u16, u32, zero"
while [ $# -gt 0 ]; do
	case $1 in
	ip) address "$2" ;;
	mac) mac "$2" ;;
	port) number "$2" 65535 >/dev/null && network_number 2 "$2" ;;
	proto) protocol "$2" ;;
	u8) number "$2" 255 >/dev/null && host_number 1 "$2" ;;
	u16) number "$2" 65535 >/dev/null && host_number 2 "$2" ;;
	u32) number "$2" 4294967295 >/dev/null && host_number 4 "$2" ;;
	zero) number "$2" 1024 >/dev/null && zero "$2" ;;
	*) die "unknown type '$1'" ;;
	esac
	shift 2
done
echo "${bytes[*]}"
