#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The demo of several balancers runs, breaks no connection in modes without state, and leaves nothing.
. "$(dirname "$(realpath "$0")")/../lib.sh"

"$top/scripts/demo-fleet.sh" >"$TMP/out" 2>&1 || fail "demo-fleet: $(cat "$TMP/out")"
sed -n '/what broke/,/^$/p' "$TMP/out"
awk '/^   broken/ { for (i = 1; i <= NF; i++) if ($i ~ /^(dsr|ipip|dnat)$/) wanted[i - NF] = 1 }
	/ ms$/ { steps++; for (i in wanted) if ($(NF - 1 + i) != 0) broken++ }
	END { exit steps < 7 || broken }' "$TMP/out" || fail "broken, or steps are missing"
equal "$(ip netns)" '' "namespaces that are left"
