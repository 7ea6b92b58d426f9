#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Wrong words and values: status 2; impossible things: status 1; one line on standard error, and
# nothing changed.
. "$(dirname "$(realpath "$0")")/../lib.sh"

tried=0
prefix_denied=203.0.113.0/24

# Runs each line of standard input as arguments of xdp-lb; {VIP} and the like stand for addresses.
expect() # STATUS
{
	local line words status

	while IFS= read -r line; do
		line=${line//VIP/$vip}
		line=${line//B2/$backend2}
		line=${line//R2/${vip/$vip_address/$backend2}}
		line=${line//NET/$net}
		line=${line//PREFIX/$prefix_denied}
		eval "words=($line)"
		status=0
		lb "${words[@]}" >"$TMP/out" 2>"$TMP/error" || status=$?
		equal "$status" "$1" "status of: xdp-lb $line ($(cat "$TMP/error"))"
		equal "$(wc -l <"$TMP/error")" 1 "lines of error of: xdp-lb $line"
		grep -q '^xdp-lb: ' "$TMP/error" || fail "of xdp-lb $line: $(cat "$TMP/error")"
		tried=$((tried + 1))
	done
}

wrong_words()
{
	expect 2 <<'END'
nonsense
service
service nonsense
service add
service add VIP
service add VIP:80
service add VIP:80/
service add VIP:80/sctp
service add VIP:80/TCP
service add VIP:0/tcp
service add VIP:65536/tcp
service add VIP:-1/tcp
service add VIP:+80/tcp
service add VIP:080/tcp
service add VIP:8x/tcp
service add VIP:/tcp
service add VIP:80/tcp/udp
service add :80/tcp
service add '*:80/tcp'
service add nonsense:80/tcp
service add 10.0.0:80/tcp
service add 10.0.0.256:80/tcp
service add 10.0.0.1.2:80/tcp
service add 010.0.0.1:80/tcp
service add 0.0.0.0:80/tcp
service add 224.0.0.1:80/tcp
service add 255.255.255.255:80/tcp
service add fd00::1:80/tcp
service add '[fd00::1:80/tcp'
service add '[fd00::1]80/tcp'
service add '[fd00::g]:80/tcp'
service add '[::]:80/tcp'
service add '[ff02::1]:80/tcp'
service add '[fe80::1%veth6]:80/tcp'
service add '[::ffff:10.0.0.10]:80/tcp'
service add '[10.0.0.10]:80/tcp'
service add ''
service add ' VIP:80/tcp'
service add 'VIP:80/tcp '
service add $'VIP:80/tcp\n'
service add VIP:80/tcp mode
service add VIP:80/tcp mode tunnel
service add VIP:80/tcp table
service add VIP:80/tcp table 0
service add VIP:80/tcp table 655374
service add VIP:80/tcp table many
service add VIP:80/tcp settle -1
service add VIP:80/tcp settle 99999999999
service add VIP:80/tcp hash both
service add VIP:80/tcp weight 3
service add VIP:80/tcp mode nat mode
service add VIP:80/tcp mode nat mode dsr
service del
service del nonsense
service del VIP:8000/tcp now
service show nonsense
service show VIP:8000/tcp more
backend
backend add
backend add VIP:8000/tcp
backend add VIP:8000/tcp nonsense
backend add VIP:8000/tcp R2:0
backend add VIP:8000/tcp 0.0.0.0
backend add VIP:8000/tcp 224.0.0.5
backend add VIP:8000/tcp ::
backend add VIP:8000/tcp ::ffff:10.0.0.2
backend add VIP:8000/tcp fe80::1%veth6
backend add VIP:8000/tcp NET99 weight
backend add VIP:8000/tcp NET99 weight 0
backend add VIP:8000/tcp NET99 weight 1001
backend add VIP:8000/tcp NET99 weight 1.5
backend add VIP:8000/tcp NET99 weight -5
backend add VIP:8000/tcp NET99 weight ''
backend add VIP:8000/tcp NET99 mac
backend add VIP:8000/tcp NET99 mac nonsense
backend add VIP:8000/tcp NET99 mac de:ad:be:ef:00
backend add VIP:8000/tcp NET99 mac de:ad:be:ef:00:02:03
backend add VIP:8000/tcp NET99 mac 00:00:00:00:00:00
backend add VIP:8000/tcp NET99 mac 01:00:5e:00:00:01
backend add VIP:8000/tcp NET99 mac ff:ff:ff:ff:ff:ff
backend add VIP:8000/tcp NET99 colour red
backend set VIP:8000/tcp B2
backend set VIP:8000/tcp B2 weight 0
backend set VIP:8000/tcp B2 weight 1001
backend set VIP:8000/tcp B2 mac nonsense
backend drain VIP:8000/tcp B2 now
backend drain VIP:8000/tcp
backend down nonsense B2
backend up
backend del VIP:8000/tcp
flow
flow nonsense
flow flush nonsense
flow flush VIP:8000/tcp nonsense
flow show nonsense
flow show VIP:8000/tcp nonsense
flow show B2 VIP:8000/tcp
flow show VIP:8000/tcp B2 B2 B2
help nonsense
help service add
timeout set
timeout set tcp
timeout set tcp 0
timeout set tcp -1
timeout set tcp soon
timeout set sctp 5
stats nonsense
stats interval
stats interval 0
stats interval soon
deny add nonsense
deny add 10.0.0.0/33
deny add fd00::/129
deny add 10.0.0.0/
deny add ::ffff:10.0.0.0/104
deny del nonsense
limit set VIP:8000/tcp pps
limit set VIP:8000/tcp pps many
limit set VIP:8000/tcp pps -1
limit set VIP:8000/tcp nonsense 5
limit set nonsense pps 5
limit pmtu
limit pmtu big
limit pmtu 0
refresh now
upgrade
upgrade nonsense-that-is-too-long
upgrade lo now
backend add VIP:8000/tcp B2 backup yes
backend set VIP:8000/tcp B2 backup
backend health VIP:8000/tcp B2
backend health VIP:8000/tcp B2 unknown
check set VIP:8000/tcp
check set VIP:8000/tcp ping
check set VIP:8000/tcp tcp host a
check set VIP:8000/tcp tcp interval 0
check set VIP:8000/tcp tcp interval 0.01
check set VIP:8000/tcp tcp interval 1.
check set VIP:8000/tcp http
check set VIP:8000/tcp http nopath
check set VIP:8000/tcp http / status 20
check set VIP:8000/tcp http / host '#x'
check set VIP:8000/tcp exec ../sh
check set VIP:8000/tcp exec .sh
check set VIP:8000/tcp tcp on-fail up
check set VIP:8000/tcp tcp panic 101
check show all
save now more
apply
-x service show
-n
-d
-p
watch announce
watch announce 0
watch announce many
watch announce 254
watch announce 100 100
watch announce 100 announce 101
watch keep
watch drain now
watch drain within
watch drain within 0
watch drain within 5 -o
watch up now
END
}

impossible_things()
{
	expect 1 <<'END'
service add VIP:8000/tcp
service add VIP:8000/tcp mode dsr
service del VIP:81/tcp
service show VIP:81/tcp
backend add VIP:81/tcp B2
backend add VIP:8000/tcp B2
backend add VIP:8000/tcp B2 weight 7
backend add VIP:8000/tcp NET99
backend del VIP:8000/tcp NET99
backend del VIP:8000/udp B2
backend set VIP:8000/tcp NET99 weight 7
backend drain VIP:8000/tcp NET99
backend down VIP:8000/tcp NET99
backend up VIP:8000/tcp NET99
flow flush VIP:81/tcp
flow show VIP:81/tcp
flow flush VIP:8000/tcp NET99
deny del PREFIX
check set VIP:81/tcp tcp
check del VIP:8000/tcp
backend health VIP:8000/tcp NET99 ok
apply /nonexistent
upgrade veth77
upgrade lo
-d veth77 service show
-d lo service show
-n nonexistent service show
-p /nonexistent service show
END
}

# What is said, in full: LINE | MESSAGE.
messages()
{
	local line message words

	lb deny add 192.0.2.0/24
	while IFS='|' read -r line message; do
		eval "words=($line)"
		lb "${words[@]}" 2>"$TMP/error" && fail "status of: xdp-lb $line"
		equal "$(cat "$TMP/error")" "xdp-lb: $message" "error of: xdp-lb $line"
	done <<'END'
nonsense|'nonsense' is not a command (see xdp-lb help)
service|expected add, del or show at the end
service tidy|'tidy': expected add, del or show
service add 10.0.0.10:80|'10.0.0.10:80': expected a service as 10.0.0.10:80/tcp or [fd00::10]:53/udp
service add 10.0.0.10:8000/tcp|10.0.0.10:8000/tcp is already a service
service del 10.0.0.10:81/tcp|10.0.0.10:81/tcp is not a service
service del 10.0.0.10:8000/tcp now|'now': expected no more words
backend add 10.0.0.10:8000/tcp 10.0.0.2|10.0.0.2 is already a backend of 10.0.0.10:8000/tcp
backend del 10.0.0.10:8000/tcp 10.0.0.9|10.0.0.9 is not a backend of 10.0.0.10:8000/tcp
backend add 10.0.0.10:8000/tcp 10.0.0.2 weight 0|'0': expected a number from 1 to 1000
backend add 10.0.0.10:8000/tcp 10.0.0.2 weight|expected weight at the end
backend add 10.0.0.10:8000/tcp 10.0.0.10|10.0.0.10 is the service's own address
backend add 10.0.0.10:8000/tcp fd00::2|fd00::2 is not IPv4 like 10.0.0.10:8000/tcp (mode nat)
backend add 10.0.0.10:8000/tcp 10.0.0.255|10.0.0.255 is a broadcast address
backend add 10.0.0.10:8000/tcp 10.0.0.99|backend 10.0.0.99: it does not answer
backend set 10.0.0.10:8000/tcp 10.0.0.2|expected weight or mac at the end
limit del 10.0.0.10:8000/tcp|10.0.0.10:8000/tcp has no limit
deny add 192.0.2.0/24|192.0.2.0/24 is already denied
deny del 198.51.100.0/24|198.51.100.0/24 is not denied
help tidy|'tidy' is not a command (see xdp-lb help)
-x save|'-x' is not an option (see xdp-lb help)
-jx save|'-jx' is not an option (see xdp-lb help)
--quiet save|'--quiet' is not an option (see xdp-lb help)
-j -n|expected an argument after '-n'
-j|expected a command (see xdp-lb help)
END
	lb deny del 192.0.2.0/24
	printf 'service show\n' >"$TMP/bad.conf"
	lb apply "$TMP/bad.conf" 2>"$TMP/error" && fail "status of a file with show"
	equal "$(cat "$TMP/error")" \
		"xdp-lb: $TMP/bad.conf:1: 'service show' cannot be a line of a configuration" \
		"error of a file with show"
}

# The family of a backend, and its port, must be what the mode can do.
wrong_for_mode()
{
	expect 2 <<END
backend add 10.0.0.10:8000/tcp fd00:10::2
backend add [fd00:10::10]:8000/tcp 10.0.0.2
backend add 10.0.0.10:9000/tcp 10.0.0.2:9000
backend add 10.0.0.10:9001/tcp 10.0.0.2:9000
backend add 10.0.0.10:9000/tcp fd00:10::2
END
}

configuration_files()
{
	local status=0

	printf 'service add 10.0.0.10:7000/tcp\nservice add 10.0.0.10:7001/tcp mode fast\n' \
		>"$TMP/bad.conf"
	lb apply "$TMP/bad.conf" 2>"$TMP/error" || status=$?
	equal "$status" 2 "status of a file with an error on its last line"
	grep -q "bad.conf:2" "$TMP/error" || fail "the line is not named: $(cat "$TMP/error")"
	grep -q fast "$TMP/error" || fail "the word is not named: $(cat "$TMP/error")"
	status=0
	printf 'service add 10.0.0.10:7000/tcp\nservice add 10.0.0.10:7000/tcp\n' |
		lb apply - 2>"$TMP/error" || status=$?
	[ "$status" != 0 ] || fail "a file with a service twice"
}

without_program()
{
	local status=0

	"$top/xdp-lb" -n "${prefix}h1" service show 2>"$TMP/error" || status=$?
	equal "$status" 1 "status without a program"
	equal "$(wc -l <"$TMP/error")" 1 "lines of error without a program"
	status=0
	setpriv --reuid 65534 --clear-groups --bounding-set -all "$top/xdp-lb" service show \
		2>"$TMP/error" || status=$?
	equal "$status" 1 "status without privileges"
	equal "$(wc -l <"$TMP/error")" 1 "lines of error without privileges"
	status=0
	lb service show >/dev/full 2>"$TMP/error" || status=$?
	equal "$status" 1 "status with a full disk"
}

all_errors()
{
	service_up 8000/tcp
	saved=$(lb save)
	wrong_words
	impossible_things
	equal "$(lb save)" "$saved" "configuration after errors"
}

lab_up
attach
each_family all_errors
lb service add 10.0.0.10:9000/tcp mode dsr
lb service add 10.0.0.10:9001/tcp mode ipip
saved=$(lb save)
use_family 4
wrong_for_mode
messages
configuration_files
without_program
equal "$(lb save)" "$saved" "configuration in the end"
note "$tried wrong command lines"
