#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# `xdp-lb metrics`: promtool accepts it, the numbers are those of `stats`, the reasons are those of
# the man page, and the Grafana dashboard shows what there is, no more and no less.
#
#    h1 curl ---> lb ---> h2, h3 nginx
. "$(dirname "$(realpath "$0")")/../lib.sh"
. "$top/tests/promtool.sh"

# What a reader of the format would stumble over, with or without promtool.
well_formed()
{
	awk '
	/^# HELP / { help[$3] = NF > 3; next }
	/^# TYPE / { type[$3] = $4; next }
	/^#/ { print "comment: " $0; next }
	{
		name = $1
		sub(/{.*/, "", name)
		if (!(name in type) || !help[name])
			print "no HELP or TYPE before: " $0
		if ((type[name] == "counter") != (name ~ /_total$/))
			print "counters end in _total, and nothing else: " $0
		if ($0 !~ /^[a-z_]+({[a-z_]+="[^"\\]*"(,[a-z_]+="[^"\\]*")*})? [0-9]+$/)
			print "malformed: " $0
		if (seen[$1]++)
			print "twice: " $1
	}' "$TMP/metrics" >"$TMP/wrong"
	[ ! -s "$TMP/wrong" ] || fail "$(head "$TMP/wrong")"
}

value() # METRIC WORD...: of the line that has all words
{
	local word lines

	lines=$(grep "^$1{" "$TMP/metrics")
	for word in "${@:2}"; do
		lines=$(grep -F "$word" <<<"$lines")
	done
	echo "${lines##* }"
}

same_as_stats()
{
	local service backend2_label="remote_address=\"$backend2\""

	lb -j stats >"$TMP/stats"
	service=$(jq -c --arg vip "$vip:8000/tcp" '.services[] | select(.vip == $vip)' "$TMP/stats")
	for each in packets bytes flows; do
		equal "$(value "xdplb_service_${each}_total" "\"$vip_address\"")" \
			"$(jq ".$each" <<<"$service")" "$each of the service"
		equal "$(value "xdplb_backend_${each}_total" "$backend2_label")" \
			"$(jq ".backends[0].$each" <<<"$service")" "$each of a backend"
	done
	equal "$(value xdplb_service_refused_packets_total "\"$vip_address\"" denied)" 1 \
		"denied packets of the service"
	for each in new-flow flow-state; do
		equal "$(value xdplb_slow_path_packets_total "\"$each\"")" \
			"$(jq ".slow[] | select(.cause == \"$each\") | .packets" "$TMP/stats")" \
			"slow packets of cause $each"
	done
}

metrics()
{
	service_up 8000/tcp
	for i in 1 2 3 4 5; do
		on h1 curl -sS "$url/" >/dev/null
	done
	lb deny add "${net}7"
	on h1 "$TOOLS/flood" -c 1 -s "${net}7" veth0 de:ad:be:ef:00:10 "$vip_address" 8000 >/dev/null
	lb metrics >"$TMP/metrics"
	well_formed
	same_as_stats
	if [ -n "$promtool" ]; then
		"$promtool" check metrics <"$TMP/metrics" >"$TMP/promtool" 2>&1 ||
			fail "promtool: $(head "$TMP/promtool")"
		equal "$(cat "$TMP/promtool")" "" "what promtool says"
	fi
}

reasons()
{
	local reason

	for reason in $(jq -r '.verdicts[].reason' "$TMP/stats" | sort -u); do
		grep -q "reason=\"$reason\"" "$TMP/metrics" || fail "$reason is not in metrics"
		grep -qF "\fB${reason//-/\\-}\fR" "$top/maps/man/xdp-lb.8" ||
			fail "$reason is not in the man page"
	done
}

dashboard()
{
	local file=$top/scripts/grafana-dashboard.json

	jq -e '.panels | length > 5' "$file" >/dev/null || fail "$file is no dashboard"
	diff <(grep -o 'xdplb_[a-z_]*' "$file" | sort -u) \
		<(sed -n 's/^# TYPE \([^ ]*\).*/\1/p' "$TMP/metrics" | sort -u) ||
		fail "metrics in the dashboard only, and exported only"
}

find_promtool || promtool=''
[ -n "$promtool" ] || note "there is no promtool here: $(tail -n 1 "$TMP/download")"
lab_up
attach
start_web
each_family metrics
reasons
dashboard
