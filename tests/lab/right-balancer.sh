#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2086 # $where is two words or four
# Without -n, -d and -p the balancer is that of the namespace. Where it has none, what only reads
# takes the one that is elsewhere, and says so; what changes something must be told which.
#
#    lb veth6, h1 veth0, h2 without (no traffic)
. "$(dirname "$(realpath "$0")")/../lib.sh"

readonly HELPER=$top/xdp-lb
readonly PINS=/sys/fs/bpf/tc/globals

attach_own() # HOST DEV
{
	ip -n "$prefix$1" link set dev "$2" xdp obj "$top/xdp_lb.bpf.o" sec xdp
}

# A command that reads, in h2.
reads() # WORD...
{
	on h2 "$HELPER" "$@" >"$TMP/out" 2>"$TMP/error" || fail "$*: $(cat "$TMP/error")"
	equal "$(wc -l <"$TMP/error")" 1 "lines of error of $* ($(cat "$TMP/error"))"
	grep -qF -- "no balancer in this network namespace: this is $where" "$TMP/error" ||
		fail "$*: $(cat "$TMP/error")"
}

# One that changes something.
refused() # HOST WORD...
{
	local status=0 before

	before=$("$HELPER" $where save)
	on "$1" "$HELPER" "${@:2}" >"$TMP/out" 2>"$TMP/error" || status=$?
	equal "$status" 1 "status of ${*:2}"
	equal "$(wc -l <"$TMP/error")" 1 "lines of error of ${*:2} ($(cat "$TMP/error"))"
	grep -qF -- "$where" "$TMP/error" || fail "${*:2}: $(cat "$TMP/error")"
	equal "$("$HELPER" $where save)" "$before" "configuration after ${*:2}"
}

# All commands that change something have had their turn.
all_refused()
{
	local words

	"$HELPER" $where save >"$TMP/conf"
	while IFS= read -r words; do
		refused h2 $words
	done <<-END
		service add $service:81/tcp
		service del $service:80/tcp
		backend add $service:80/tcp 10.0.0.3
		backend set $service:80/tcp 10.0.0.2 weight 7
		backend drain $service:80/tcp 10.0.0.2
		backend down $service:80/tcp 10.0.0.2
		backend up $service:80/tcp 10.0.0.2
		backend del $service:80/tcp 10.0.0.2
		flow flush
		timeout set tcp 5
		stats zero
		deny add 192.0.2.1
		deny del 192.0.2.1
		limit set $service:80/tcp pps 5
		limit del $service:80/tcp
		refresh
		apply $TMP/conf
	END
}

here()
{
	on lb "$HELPER" service add 10.0.0.10:80/tcp 2>"$TMP/error"
	on lb "$HELPER" backend add 10.0.0.10:80/tcp 10.0.0.2 2>>"$TMP/error"
	on lb "$HELPER" service show >"$TMP/out" 2>>"$TMP/error"
	equal "$(cat "$TMP/error")" '' "error in the balancer's own namespace"
}

elsewhere()
{
	where="-n ${prefix}lb -d veth6" service=10.0.0.10
	reads -j service show
	equal "$(jq -r '.[0].vip' "$TMP/out")" 10.0.0.10:80/tcp "service that is shown"
	reads save
	reads stats
	reads flow count
	reads metrics
	reads where 10.0.0.10:80/tcp 10.0.0.1:5
	reads apply "$TMP/out" dry-run empty
	all_refused
}

# Each namespace has its own; once one is detached, it does not get that of the other.
two()
{
	attach_own h1 veth0
	on h1 "$HELPER" service add 10.9.0.1:80/tcp
	equal "$(on h1 "$HELPER" -j service show | jq -r '.[].vip')" 10.9.0.1:80/tcp "service of h1"
	equal "$(on lb "$HELPER" -j service show | jq -r '.[].vip')" 10.0.0.10:80/tcp "service of lb"
	! on h2 "$HELPER" service show 2>"$TMP/error" || fail "one of two was taken"
	grep -q 'several balancers' "$TMP/error" || fail "$(cat "$TMP/error")"
	on h1 ip link set dev veth0 xdp off
	refused h1 service add 10.9.0.1:81/tcp
	refused h1 service del 10.0.0.10:80/tcp
}

# What is attached nowhere is in no namespace.
pins_only()
{
	on lb ip link set dev veth6 xdp off
	where="-p $PINS"
	reads service show
	refused lb service add 10.0.0.10:81/tcp
	"$HELPER" -p "$PINS" service add 10.0.0.10:81/tcp
}

lab_up
attach
here
elsewhere
two
pins_only
