#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# scripts/prometheus-alerts.yml: each rule fires when it should and not before, which alerts.yml says;
# and what the rules ask for is what `xdp-lb metrics` exports, and `xdp-lb watch` in its file.
. "$(dirname "$(realpath "$0")")/../lib.sh"
. "$top/tests/promtool.sh"

readonly RULES=$top/scripts/prometheus-alerts.yml CASES=$top/tests/lab/alerts.yml

each_rule_has_cases()
{
	local rule

	while read -r rule; do
		[ "$(grep -c "alertname: $rule$" "$CASES")" -ge 2 ] ||
			fail "$rule: alerts.yml must say when it fires, and when not"
	done < <(sed -n 's/.*- alert: //p' "$RULES")
}

known_names()
{
	local name

	lab_up
	attach
	spawn lb "$top/xdp-lb" watch -o "$TMP/watch"
	await 10 grep -q xdplb_packets_total "$TMP/watch/metrics"
	kill "$pid"
	lb metrics | cat - "$TMP/watch/metrics" >"$TMP/metrics"
	while read -r name; do
		grep -q "^# TYPE $name " "$TMP/metrics" || fail "no metric $name is exported"
	done < <(grep -o 'xdplb_[a-z_]*' "$RULES" | sort -u)
	while read -r name; do
		grep -q "^xdplb_packets_total{.*reason=\"$name\"" "$TMP/metrics" || fail "no reason $name"
	done < <(sed -n 's/.*reason=~*"\([^"]*\)".*/\1/p' "$RULES" | tr '|' '\n')
}

each_rule_has_cases
known_names
find_promtool || skip "no promtool: $(tail -n 1 "$TMP/download")"
cp "$RULES" "$CASES" "$TMP"
"$promtool" check rules "$TMP/prometheus-alerts.yml" >"$TMP/out" 2>&1 || fail "$(cat "$TMP/out")"
note "$(grep -o '[0-9]* rules found' "$TMP/out")"
"$promtool" test rules "$TMP/alerts.yml" >"$TMP/out" 2>&1 || fail "$(cat "$TMP/out")"
