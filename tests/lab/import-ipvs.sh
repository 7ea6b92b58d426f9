#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# scripts/import-ipvs.sh: what ipvsadm prints of cases/ipvs-commands becomes a configuration that
# the balancer takes, and that says what is not in it. In the guest of tests/vm, whose kernel has
# IPVS, the real ipvsadm prints it; elsewhere what it has printed there is read.
#
#    h1, h2 and h3 are asked for their MAC addresses by lb, nothing more
. "$(dirname "$(realpath "$0")")/../lib.sh"

readonly IMPORT=$top/scripts/import-ipvs.sh CASES=$top/tests/lab/cases

saved_by_ipvs()
{
	local words

	while read -r -a words; do
		on h1 ipvsadm "${words[@]}"
	done < <(grep -v '^#' "$CASES/ipvs-commands")
	on h1 ipvsadm -Sn
}

has_ipvs()
{
	[ -n "$(command -v ipvsadm)" ] && { modprobe -q ip_vs || [ -e /proc/net/ip_vs ]; }
}

same_file() # FILE FILE WHAT
{
	diff "$1" "$2" || fail "$3"
}

services()
{
	lb -j service show | jq -r '.[] | . as $service | .backends |= map(
		"\(.address):\(.port) \(.weight) \(.state)") |
		"\($service.vip) \(.mode) \(.hash): \(.backends | join(", ") |
			if . == "" then "none" else . end)"'
}

# Line LINE of the input is refused, with a word of it named; nothing is left on the way.
refuses() # LINE WORD
{
	local status=0

	printf '%s\n' "-A -t 10.0.0.1:80 -s rr" "$1" | "$IMPORT" >/dev/null 2>"$TMP/error" || status=$?
	equal "$status" 2 "status for '$1'"
	equal "$(wc -l <"$TMP/error")" 1 "lines on standard error for '$1'"
	grep -qF "line 2: '$2': expected" "$TMP/error" || fail "'$1': $(cat "$TMP/error")"
}

lab_up
attach
if has_ipvs; then
	saved_by_ipvs >"$TMP/saved"
	same_file "$CASES/ipvs-saved.conf" "$TMP/saved" "ipvsadm prints something else than it did"
	note "what ipvsadm prints is what was read"
fi

"$IMPORT" "$CASES/ipvs-saved.conf" >"$TMP/conf"
same_file "$CASES/ipvs-imported.conf" "$TMP/conf" "another configuration"
"$IMPORT" <"$CASES/ipvs-saved.conf" | same_file - "$TMP/conf" "by standard input"
lb apply "$TMP/conf" >"$TMP/out" 2>"$TMP/kept-out"
equal "$(grep -c 10.0.0.4 "$TMP/kept-out")" 1 "10.0.0.4, which is not there, is named once"
services >"$TMP/services"
same_file - "$TMP/services" "services" <<-END
	10.0.0.10:53/udp nat flow: 10.0.0.2:0 100 up
	10.0.0.10:80/tcp nat flow: 10.0.0.2:0 10 up, 10.0.0.3:8080 30 up, 10.0.0.4:0 100 draining
	10.0.0.10:443/tcp dsr source: 10.0.0.2:0 100 up, 10.0.0.3:0 100 up
	10.0.0.10:5060/udp nat source: 10.0.0.2:0 100 up
	10.0.0.11:*/tcp ipip source: 10.0.0.2:0 1000 up, 10.0.0.3:0 500 up
	10.0.0.12:25/tcp nat flow: 10.0.0.2:0 100 up
	10.0.0.13:8080/tcp nat flow: none
	10.0.0.14:80/tcp nat flow: none
	10.0.0.15:80/tcp ipip source: fd00:10::2:0 100 up
	[fd00:10::10]:80/tcp nat source: fd00:10::2:0 100 up, fd00:10::3:0 100 up
	[fd00:10::11]:443/tcp dsr source: fd00:10::2:0 100 up
END

refuses '-A -t web:http -s rr' web:http
refuses '-A -t 10.0.0.1:81 -s' -s
refuses '-A -t 10.0.0.1:81 -s rr -z 1' -z
refuses '-a -t 10.0.0.9:80 -r 10.0.0.2:80 -m -w 1' '-t 10.0.0.9:80'
refuses '-a -t 10.0.0.1:80 -r 10.0.0.2 -m -w 1' 10.0.0.2
refuses '-a -t 10.0.0.1:80 -r 10.0.0.2:80 -m -w many' many
refuses '-a -t 10.0.0.1:80 -r 10.0.0.2:80 -w 1' -a
refuses '-a -t 10.0.0.1:80 -r' '-a -t 10.0.0.1:80 -r'
refuses '-E -t 10.0.0.1:80 -s rr' -E
