#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The status page: `watch` writes status.json and metrics, nginx serves them and the page by the
# snippet that is installed, to this machine alone; a browser shows what `stats` says. A balancer
# that is gone, a dead `watch`, and names that are HTML.
#
#    h1 curl ---> lb VIP:8000, nginx 127.0.0.1:8404 <--- chromium on lb ---> h2, h3 nginx
. "$(dirname "$(realpath "$0")")/../lib.sh"

[ -n "$(type -P chromium)" ] || skip "no chromium here"
readonly PAGE=http://127.0.0.1:8404
readonly STATUS=/run/xdp-lb

# Nothing of the page is in the tree of the test but what is installed.
install_page()
{
	make -s -C "$top" install DESTDIR="$TMP/root" >"$TMP/out" 2>&1 || fail "$(cat "$TMP/out")"
	conf=$(find "$TMP/root" -name nginx-status.conf)
	cat >"$TMP/nginx.conf" <<-END
	pid $TMP/nginx.pid;
	error_log $TMP/nginx.log;
	user root;
	events {}
	http {
		include /etc/nginx/mime.types;
		access_log off;
		client_body_temp_path $TMP/body;
		proxy_temp_path $TMP/proxy;
		fastcgi_temp_path $TMP/fastcgi;
		uwsgi_temp_path $TMP/uwsgi;
		scgi_temp_path $TMP/scgi;
		$(sed "s|/usr/local|$TMP/root&|" "$conf")
	}
	END
	on lb nginx -c "$TMP/nginx.conf" || fail "nginx: $(cat "$TMP/nginx.log")"
}

browse() # WORD...
{
	on lb env HOME="$TMP" chromium --headless=new --no-sandbox --disable-gpu --no-first-run \
		--user-data-dir="$TMP/chromium" --hide-scrollbars --virtual-time-budget=4000 \
		--enable-logging=stderr "$@" "$PAGE/" 2>"$TMP/console"
	! grep CONSOLE "$TMP/console" || fail "the browser's console"
}

dump()
{
	browse --dump-dom >"$TMP/dom"
	grep -q 'data-ready="yes"' "$TMP/dom" || fail "the script did not come to its end"
}

# The value of a column in the row of a backend of the first service, as the page has it.
value_of() # BACKEND COLUMN
{
	tr -d '\n' <"$TMP/dom" | grep -o 'data-vip="10.0.0.10:8000/tcp".*' |
		grep -o "data-backend=\"$1\".*" | sed 's|</tr>.*||' |
		grep -oE "class=\"number $2\"[^>]*data-value=\"[0-9.]+\"" |
		sed 's/.*data-value="\(.*\)"/\1/' | head -n 1
}

start_watch()
{
	spawn lb "$top/xdp-lb" watch
	watch=$pid
	await 10 test -s $STATUS/metrics
}

# Until what is written is younger than now.
await_status() # [FILTER]
{
	local now

	now=$(date +%s)
	# shellcheck disable=SC2016 # jq's variable
	await 20 jq -e --argjson now "$now" ".time > \$now and (${1:-true})" $STATUS/status.json
}

values_are_those_of_stats()
{
	local backend column timeless='map(del(.backends[].draining_seconds))'

	ask 40
	await_status
	lb -j stats >"$TMP/stats"
	dump
	for backend in "$backend2" "$backend3"; do
		for column in packets bytes flows; do
			equal "$(value_of "$backend" $column)" "$(jq --arg backend "$backend" "
				.services[] | select(.vip == \"$vip:8000/tcp\") | .backends[] |
				select(.address == \$backend) | .$column" "$TMP/stats")" \
				"$column of $backend"
		done
	done
	grep -q 'data-vip="10.0.0.10:8000/tcp"' "$TMP/dom" || fail "no section of the service"
	grep -q 'badge draining' "$TMP/dom" || fail "it does not show what drains"
	grep -q 'data-reason="forwarded"' "$TMP/dom" || fail "no verdicts"
	grep -q 'id="notice" role="status" hidden=""' "$TMP/dom" || fail "a notice with all well"
	equal "$(jq -c ".services | $timeless" $STATUS/status.json)" \
		"$(lb -j service show | jq -c "$timeless")" "services in status.json"
	grep -v -e '^#' -e watch_time -e balancer_found $STATUS/metrics | cut -d ' ' -f 1 >"$TMP/names"
	lb metrics | grep -v '^#' | cut -d ' ' -f 1 | diff - "$TMP/names" || fail "metrics differ"
}

# What `watch` found by its last check, in the row of the backend.
check_says_why()
{
	lb check set "$vip:8000/tcp" tcp port 1 interval 0.2
	await_status ".checks[] | select(.backend.address == \"$backend2\") |
		.vip == \"$vip:8000/tcp\" and .reason == \"Connection refused\""
	await_status '[.checks[] | select(.reason == "Connection refused")] | length == 2'
	dump
	equal "$(grep -o 'class="detail reason">Connection refused<' "$TMP/dom" | wc -l)" 2 \
		"backends whose last check is explained"
	lb check del "$vip:8000/tcp"
	await_status '.checks == []'
}

# Only root may ask the balancer, everybody may look at what is written; and only from here.
others_may_look()
{
	local nobody='setpriv --reuid 65534 --regid 65534 --clear-groups'

	$nobody cat $STATUS/status.json $STATUS/metrics >"$TMP/out" || fail "others may not read"
	equal "$(stat -c %a $STATUS/status.json $STATUS/metrics | sort -u)" 644 mode
	equal "$(on h1 curl -s -o "$TMP/out" -w '%{http_code}' -m 2 http://10.0.0.10:8404/ || true)" \
		000 "the page from another host"
	on lb curl -s $PAGE/metrics | grep '^xdplb_flows ' >/dev/null || fail "no metrics"
}

# Text from outside is text: of a check, of doctor, names of devices and namespaces.
names_are_text()
{
	local evil='<img src=x onerror=alert(1)><script>alert(2)</script>"&amp;'

	kill "$watch"
	wait "$watch" || true
	cp $STATUS/status.json "$TMP/good.json"
	jq --arg evil "$evil" '.time = now | .balancer = {device: $evil, netns: $evil} |
		.services[0].vip = $evil | .stats.services[0].vip = $evil |
		.doctor = [{problem: $evil, cause: $evil, certainty: $evil, command: $evil}] |
		.checks = [{vip: $evil, backend: (.services[0].backends[0] | {address, port}),
			reason: $evil}]' \
		"$TMP/good.json" >$STATUS/status.json
	dump
	! grep -qE '<img|<script>alert|alert\(1\)>' "$TMP/dom" || fail "a name became HTML"
	[ "$(grep -o '&lt;img src=x onerror' "$TMP/dom" | wc -l)" -ge 6 ] || fail "names are missing"
}

balancer_is_gone()
{
	jq '.time = now - 100' "$TMP/good.json" >$STATUS/status.json
	dump
	grep -q 'has said nothing for 1[0-9][0-9] s' "$TMP/dom" || fail "old values look new"
	start_watch
	await_status
	"$top/scripts/detach.sh" -n "${prefix}lb" veth6 >"$TMP/out" 2>&1
	await_status '.balancer == null'
	dump
	grep -q 'There is no balancer' "$TMP/dom" || fail "it does not say that it is gone"
	grep -q '^xdplb_balancer_found 0' $STATUS/metrics || fail "metrics of a balancer that is gone"
	attach >"$TMP/out" 2>&1
	await_status '.balancer != null'
}

# What does not fit is said once, and written when it fits.
disk_is_full()
{
	local full=$TMP/full

	kill "$watch"
	wait "$watch" || true
	mkdir "$full"
	mount -t tmpfs -o size=4k tmpfs "$full"
	spawn lb "$top/xdp-lb" watch -o "$full" 2>"$TMP/err"
	await 10 grep 'No space left' "$TMP/err"
	mount -o remount,size=8m "$full"
	await 10 test -s "$full/metrics"
	jq -e .services "$full/status.json" >"$TMP/out"
	equal "$(grep -c 'No space left' "$TMP/err")" 1 "complaints of a full disk"
	kill "$pid" && wait "$pid" || true
	umount "$full"
	start_watch
}

# For a screen and for a phone, under load; SHOTS=DIRECTORY keeps the pictures. README's is the first.
pictures()
{
	spawn h1 wrk -t1 -c4 -d20 "http://$vip:8000/" >"$TMP/out"
	await_status '.rates.services[] | select(.packets_per_second > 100)'
	browse --screenshot="$TMP/wide.png" --window-size=1100,760
	browse --screenshot="$TMP/dark.png" --window-size=400,900 \
		--blink-settings=preferredColorScheme=0
	[ -s "$TMP/wide.png" ] && [ -s "$TMP/dark.png" ] || fail "no picture"
	[ -z "${SHOTS-}" ] || cp "$TMP"/{wide,dark}.png "$SHOTS"
	kill "$pid" && wait "$pid" || true
}

lab_up
attach >"$TMP/out" 2>&1
start_web
install_page
use_family 4
service_up 8000/tcp
lb service add "$vip:53/udp" mode dsr
lb backend add "$vip:53/udp" "$backend2" mac de:ad:be:ef:00:02
lb backend drain "$vip:8000/tcp" "$backend3"
start_watch
values_are_those_of_stats
check_says_why
others_may_look
disk_is_full
pictures
names_are_text
balancer_is_gone
