#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Health is not administration: what a checker says decides with the operator's state who gets flows;
# it is not saved, and `apply` leaves it alone. Backups, and checks as a part of the configuration.
#
#    h1 curl ---> lb ---> h2, h3 nginx
. "$(dirname "$(realpath "$0")")/../lib.sh"

backend() # ADDRESS FIELD
{
	lb -j service show "$service" |
		jq -r --arg address "$1" ".[0].backends[] | select(.address == \$address) | .$2"
}

only() # HOST WHY
{
	equal "$(ask 12)" "$1 12" "$2"
}

health()
{
	lb backend health "$service" "$backend2" ok
	equal "$(backend "$backend2" health) $(backend "$backend3" health)" 'ok unknown' health
	lb backend health "$service" "$backend2" failing
	only h3 "h2 fails"
	equal "$(backend "$backend2" state)" up "state of a failing backend"
	lb service show "$service" | grep ' failing' >/dev/null || fail "service show has no failing"
	lb backend drain "$service" "$backend2"
	lb backend up "$service" "$backend2"
	only h3 "up is not ok"
	lb save >"$TMP/conf"
	! grep -q -e failing -e health "$TMP/conf" || fail "health in save"
	lb apply "$TMP/conf"
	only h3 "apply leaves health"
	lb backend health "$service" "$backend3" failing
	! on h1 curl -s -m 1 "$url" >/dev/null || fail "answered though all fail"
	lb backend health "$service" "$backend2" ok
	only h2 "h2 is ok again"
	lb backend health "$service" "$backend3" ok
}

backup()
{
	lb backend del "$service" "$backend3"
	lb backend add "$service" "$backend3" backup
	equal "$(backend "$backend3" backup) $(backend "$backend2" backup)" 'true false' backup
	only h2 "h3 is a backup"
	lb backend health "$service" "$backend2" failing
	only h3 "no other can"
	lb save | grep "^backend add .*$backend3.* backup$" >/dev/null || fail "no backup in save"
	lb backend health "$service" "$backend2" ok
	only h2 "h2 can again"
}

# Panic: with fewer than half left, checks are not believed. h3 is a backup still.
panic()
{
	lb check set "$service" tcp
	equal "$(lb -j check show |
		jq -c '.[0] | [.interval, .timeout, .rise, .fall, .on_fail, .panic]')" \
		'[2,1,2,3,"drain",0]' "what a check has by default"
	lb check set "$service" tcp panic 60 interval 0.25 timeout 0.5 rise 1 fall 5
	equal "$(lb -j check show | jq -c '.[0] | [.type, .interval, .timeout, .rise, .fall]')" \
		'["tcp",0.25,0.5,1,5]' "check show"
	lb backend health "$service" "$backend2" failing
	only h2 "the checks are not believed"
	lb service show "$service" | grep panic >/dev/null || fail "no panic in service show"
	lb metrics | grep '^xdplb_service_panic{.*} 1$' >/dev/null || fail "no panic in metrics"
	lb save >"$TMP/conf"
	grep -q '^check set .* tcp interval 0.25 .* panic 60$' "$TMP/conf" || fail "no check in save"
	lb check del "$service"
	equal "$(backend "$backend2" health)" unknown "health without check"
	equal "$(lb apply "$TMP/conf" | grep -c '^check set')" 1 "apply sets the check"
	equal "$(lb apply "$TMP/conf")" '' "apply again"
	sed -i '/^check set/d' "$TMP/conf"
	equal "$(lb apply "$TMP/conf")" "check del $service" "apply deletes the check"
}

# What a check would need, and has not.
refused()
{
	local words

	for words in "$vip:53/udp tcp" "$vip:*/tcp tcp"; do
		lb service add "${words% *}"
		# shellcheck disable=SC2086 # words
		! lb check set $words 2>"$TMP/error" || fail "no refusal: $words"
		grep -q port "$TMP/error" || fail "$(cat "$TMP/error")"
		lb service del "${words% *}"
	done
	lb service add "$vip:53/udp" mode user
	lb_refuses 2 'mode user has no backends' check set "$vip:53/udp" exec probe
	lb service del "$vip:53/udp"
	# Words come before what the network lacks.
	lb service add "$vip:*/tcp" mode dsr
	lb_refuses 2 'expected port' check set "$vip:*/tcp" http /
	lb service del "$vip:*/tcp"
	lb service add "$vip:99/tcp" mode dsr
	! lb check set "$vip:99/tcp" tcp 2>"$TMP/error" || fail "a check from the VIP"
	grep -q 'watch from' "$TMP/error" || fail "$(cat "$TMP/error")"
	lb service del "$vip:99/tcp"
}

all()
{
	service=$vip:8000/tcp
	service_up 8000/tcp
	health
	backup
	panic
	refused
	lb service del "$service"
}

lab_up
attach
start_web
each_family all
