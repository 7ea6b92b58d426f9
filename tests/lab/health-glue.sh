#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Checks by others: scripts/health.sh runs any program, once or always; and keepalived, as
# scripts/keepalived/checks.conf has it, tells of its MISC_CHECKs. That needs IPVS, which the guest of
# tests/vm has.
#
#    h1 curl ---> lb, health.sh, keepalived ---> h2, h3 nginx
. "$(dirname "$(realpath "$0")")/../lib.sh"

readonly GLUE=$top/scripts/health.sh

health_is() # ADDRESS HEALTH
{
	lb -j service show "$service" | jq -e --arg address "$1" --arg health "$2" \
		'.[0].backends[] | select(.address == $address) | .health == $health'
}

glue() # WORD...
{
	on lb "$GLUE" -n "${prefix}lb" "$@"
}

refused() # WORD WORD...: the first is named
{
	local status=0

	"$GLUE" "${@:2}" 2>"$TMP/error" || status=$?
	equal $status 2 "status of ${*:2}"
	grep -qF -- "$1" "$TMP/error" || fail "$(cat "$TMP/error")"
}

make_check()
{
	cat >"$TMP/check" <<-'END'
	#!/bin/sh
	exec curl -sf -m 1 -o /dev/null "http://$1:8000/"
	END
	cat >"$TMP/by-name" <<-END
	#!/bin/sh
	echo "\$VIP \$REAL" >$TMP/said
	exec $TMP/check "\$REAL"
	END
	chmod +x "$TMP/check" "$TMP/by-name"
}

on_port() # VERDICT: what h2 does with what comes to its web server
{
	on h2 nft add table inet t "{ chain c {
		type filter hook input priority 0; tcp dport 8000 $1; }; }"
}

by_script()
{
	local status=0

	refused usage: -x
	refused usage: "$service" "$backend2"
	refused "'0x2'" -t 0x2 "$service" "$backend2" true
	refused "'0'" -i 1 -r 0 "$service" "$backend2" true
	glue "$service" 10.0.0.99 true 2>"$TMP/error" || status=$?
	equal $status 1 "status for a backend that is not there"
	grep -q 10.0.0.99 "$TMP/error" || fail "$(cat "$TMP/error")"

	glue "$service" "$backend2" "$TMP/by-name" || fail "h2 is not well"
	equal "$(cat "$TMP/said")" "$service $backend2" "what a program is told"
	health_is "$backend2" ok >/dev/null || fail "not told: ok"
	on_port reject
	! glue "$service" "$backend2" "$TMP/check" "$backend2" || fail "h2 is well"
	health_is "$backend2" failing >/dev/null || fail "not told: failing"
	equal "$(ask 6)" 'h3 6' "answers while h2 fails"
	on h2 nft delete table inet t
	! glue -t 0.2 "$service" "$backend3" sleep 10 || fail "10 s are within 0.2 s"
	health_is "$backend3" failing >/dev/null || fail "not told that it hangs"

	spawn lb "$GLUE" -n "${prefix}lb" -i 0.1 "$service" "$backend3" "$TMP/check" "$backend3"
	await 5 health_is "$backend3" ok
	spawn lb "$GLUE" -n "${prefix}lb" -i 0.1 "$service" "$backend2" "$TMP/check" "$backend2"
	await 5 health_is "$backend2" ok
	on_port reject
	await 5 health_is "$backend2" failing
	on h2 nft delete table inet t
	await 5 health_is "$backend2" ok
	kill "$pid"
}

has_ipvs()
{
	[ -n "$(command -v keepalived)" ] && { modprobe -q ip_vs || [ -e /proc/net/ip_vs ]; }
}

# The file as it is, but for the service, the paths, and the check.
configure_keepalived()
{
	sed -e 's/10\.0\.0\.100/10.0.0.10/g; s/:80/:8000/g; s/\(virtual_server .*\) 80 /\1 8000 /
		s/\(real_server .*\) 80 /\1 8000 /; s/^\(.*delay_before_retry\) 1/\1 0.1/' \
		-e "s|/usr/local/sbin/xdp-lb|$top/xdp-lb -n ${prefix}lb|" \
		-e "s|\"/usr/lib/nagios/plugins/check_tcp -H \([0-9.]*\) .*\"|\"$TMP/check \1\"|" \
		-e 's/delay_loop 2/delay_loop 1/' \
		"$top/scripts/keepalived/checks.conf" >"$TMP/keepalived.conf"
}

by_keepalived()
{
	configure_keepalived
	chmod 755 "$TMP"
	lb backend health "$service" "$backend2" ok
	spawn lb keepalived --dont-fork --check --log-console --use-file "$TMP/keepalived.conf" \
		--pid "$TMP/keepalived.pid" --checkers_pid "$TMP/checkers.pid" \
		>"$TMP/keepalived.log" 2>&1
	keepalived=$pid
	on_port reject
	await 15 health_is "$backend2" failing
	equal "$(ask 6)" 'h3 6' "answers while keepalived finds that h2 fails"
	on h2 nft delete table inet t
	await 15 health_is "$backend2" ok
	kill "$keepalived"
	wait "$keepalived" || true
	health_is "$backend3" failing >/dev/null && fail "h3 fails as keepalived ends"
	return 0
}

lab_up
attach
start_web
make_check
use_family 4
service=$vip:8000/tcp
service_up 8000/tcp
by_script
if has_ipvs; then
	by_keepalived
	note "keepalived tells what it finds"
else
	note "no IPVS here: not by keepalived"
fi
